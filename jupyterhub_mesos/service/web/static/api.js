// What every page's script shares: calls to the API, the event stream, words for states.
const { prefix, xsrf } = document.body.dataset;
const HIDE_TOAST_MS = 8000;

export { prefix };

/** Call the API; throws an Error whose message is for people. */
export async function call(method, path, body) {
  const headers = { "X-Xsrftoken": xsrf, Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`${prefix}api/v1/${path}`, {
      method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The service does not answer. Your requests are safe; try again in a moment.");
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.detail ?? `The service answered ${response.status}.`);
  return answer;
}

/** Follow live events; `handlers` maps an event's name to what is done with its data. */
export function follow(handlers, query = {}) {
  const search = new URLSearchParams({ ...query, _xsrf: xsrf });
  let source = null;
  const open = () => {
    if (source !== null) return;
    source = new EventSource(`${prefix}api/v1/events?${search}`);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  };
  const close = () => { source?.close(); source = null; };
  // a tab that nobody sees holds no connection: browsers allow six per origin
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  open();
  return close;
}

export function show(text) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(show.timer);
  show.timer = setTimeout(() => { toast.hidden = true; }, HIDE_TOAST_MS);
}

export function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Say where a request stands: a word, and the colour of its pill. */
export function standing(request) {
  if (request.is_ending) return ["Stopping", "wait"];
  if (request.status === "queued") return ["Waiting", "wait"];
  if (request.status === "held") return ["Held", "wait"];
  if (request.status === "active") {
    const state = request.allocation?.state;
    return state === "running" ? ["Running", "ok"] : [{ stopping: "Stopping", lost: "Lost" }[state] ?? "Starting", "wait"];
  }
  if (request.status === "withdrawn") return ["Cancelled", ""];
  return { failed: ["Failed", "bad"], stopped: ["Stopped", ""] }[request.outcome] ?? ["Finished", "ok"];
}

export const isOver = (request) => request.status === "ended" || request.status === "withdrawn";

export function amounts(resources) {
  const parts = [];
  if (resources.cpu_millis) parts.push(`${resources.cpu_millis / 1000} CPU`);
  if (resources.mem_mib) {
    parts.push(resources.mem_mib >= 1024 ? `${+(resources.mem_mib / 1024).toPrecision(6)} GiB` : `${resources.mem_mib} MiB`);
  }
  for (const [flavor, count] of Object.entries(resources.accelerators)) parts.push(`${count} ${flavor}`);
  return parts.join(", ") || "nothing";
}

/** Bring the capacity bars up to date. */
export function showCapacity(capacity) {
  const one = (resources, key) => (key.startsWith("accelerator/") ? resources.accelerators[key.slice(12)] ?? 0 : resources[key]);
  const said = (key, amount) => amounts(key.startsWith("accelerator/")
    ? { cpu_millis: 0, mem_mib: 0, accelerators: { [key.slice(12)]: amount } }
    : { cpu_millis: 0, mem_mib: 0, accelerators: {}, [key]: amount });
  for (const meter of document.querySelectorAll(".meter")) {
    const { key } = meter.dataset;
    const total = one(capacity.total, key), free = one(capacity.free, key);
    const bar = meter.querySelector("progress");
    bar.max = total;
    bar.value = total - free;
    const freeText = free ? said(key, free) : key === "cpu_millis" ? "0 CPU" : key === "mem_mib" ? "0 MiB" : "0";
    meter.querySelector(".meter-text").textContent = `${freeText} of ${said(key, total)} free`;
  }
  const waiting = document.getElementById("waiting");
  if (waiting) waiting.textContent = capacity.waiting;
}
