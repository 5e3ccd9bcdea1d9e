// What every page's script shares: calls to the API, the event stream, words for states.
const { prefix, xsrf } = document.body.dataset;
const HIDE_TOAST_MS = 8000;
const REOPEN_MS = 1000;
const SILENT_MS = 10000; // the service beats every 4 s; the proxy leaves a dead service's stream open
const AWAY_AFTER_MS = 1500; // longer than a stream that ended needs to come back
const AWAY = "The service does not answer at the moment. What you asked for is safe; this page goes on by itself.";
const AWAY_CALL = "The service does not answer. Your requests are safe; try again in a moment.";

export { prefix };

/** Call the API; throws an Error whose message is for people, with the API's `problem` where it answered one. */
export async function call(method, path, body, more = {}) {
  const headers = { "X-Xsrftoken": xsrf, Accept: "application/json", ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`${prefix}api/v1/${path}`, {
      method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error(AWAY_CALL);
  }
  const answer = await response.json().catch(() => null);
  if (answer === null && response.status >= 502) throw new Error(AWAY_CALL); // the proxy's page
  if (!response.ok) throw Object.assign(new Error(answer?.detail ?? `The service answered ${response.status}.`), { problem: answer });
  return answer;
}

/** Get a list of the API whole, page by page; `field` is where its items are. */
export async function callAll(path, field = "items") {
  const whole = await call("GET", path);
  for (let cursor = whole.next_cursor; cursor; ) {
    const page = await call("GET", `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`);
    whole[field].push(...page[field]);
    cursor = page.next_cursor;
  }
  return whole;
}

/**
 * Follow live events; `handlers` maps an event's name to what is done with its data.
 * A stream that was cut off goes on where it was; where the service knows nothing of it, `resync` is called:
 * what the page has fetched by itself is to be fetched anew.
 */
export function follow(handlers, query = {}) {
  let source = null, timer = null, watch = null, isDone = false, last = "";
  const heard = () => { clearTimeout(watch); watch = setTimeout(silent, SILENT_MS); };
  const remember = (event) => { heard(); last = event.lastEventId || last; };
  const silent = () => { close(); lost(); };
  const open = () => {
    clearTimeout(timer);
    if (source !== null || isDone) return;
    // a stream that is opened anew does not say by itself what it has heard last
    const search = new URLSearchParams({ ...query, ...(last && { last_event_id: last }), _xsrf: xsrf });
    source = new EventSource(`${prefix}api/v1/events?${search}`);
    heard();
    source.addEventListener("open", () => { heard(); present(); });
    source.addEventListener("beat", heard);
    source.addEventListener("resumed", remember);
    source.addEventListener("resync", (event) => { remember(event); handlers.resync?.(); });
    source.addEventListener("error", lost);
    for (const [name, handle] of Object.entries(handlers)) {
      if (name !== "resync") source.addEventListener(name, (event) => { remember(event); handle(JSON.parse(event.data)); });
    }
  };
  const close = () => { clearTimeout(timer); clearTimeout(watch); source?.close(); source = null; };
  const lost = () => { // a browser gives up at an answer that is no stream, as the proxy's while the service is away
    away();
    if (source !== null && source.readyState !== EventSource.CLOSED) return; // it tries again itself
    close();
    timer = setTimeout(async () => {
      if (await isLoggedOut()) away("You are not logged in here any more. Reload this page to log in again.", 0);
      else open();
    }, REOPEN_MS);
  };
  // a tab that nobody sees holds no connection: browsers allow six per origin
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  open();
  return () => { isDone = true; close(); present(); };
}

async function isLoggedOut() {
  const answer = await fetch(`${prefix}api/v1/capacity`, { headers: { "X-Xsrftoken": xsrf } }).catch(() => null);
  return answer?.status === 401 || answer?.status === 403;
}

/** Say that the page is not live, unless that passes within a moment. */
function away(text = AWAY, afterMs = AWAY_AFTER_MS) {
  away.text = text;
  away.timer ??= setTimeout(() => {
    const banner = document.getElementById("away");
    if (banner.textContent !== away.text) banner.textContent = away.text;
    banner.hidden = false;
    away.timer = null;
  }, afterMs);
}

function present() {
  clearTimeout(away.timer);
  away.timer = null;
  const banner = document.getElementById("away");
  banner.hidden = true;
  banner.textContent = "";
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

/** Make the cells of a row, each with its column's name for narrow screens; a value is a text or an element. */
export function cells(columns) {
  return Object.entries(columns).map(([label, value]) => {
    const made = element("td", "", { "data-label": label });
    made.append(value);
    return made;
  });
}

/** Say where a request stands: a word, and the colour of its pill. */
export function standing(request) {
  if (request.is_ending && !isOver(request)) return ["Stopping", "wait"];
  if (request.status === "queued") return ["Waiting", "wait"];
  if (request.status === "held") return ["Held", "wait"];
  if (request.status === "active") {
    const state = request.allocation?.state;
    if (request.warning) return ["Stops soon", "wait"];
    return state === "running" ? ["Running", "ok"] : [{ stopping: "Stopping", lost: "Lost" }[state] ?? "Starting", "wait"];
  }
  if (request.status === "withdrawn") return ["Cancelled", ""];
  return { failed: ["Failed", "bad"], stopped: ["Stopped", ""] }[request.outcome] ?? ["Finished", "ok"];
}

/** Say how long it is until a moment in Unix seconds, in its two largest units. */
export function timeTo(until, now = Date.now() / 1000) {
  const left = Math.max(0, Math.round(until - now));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const parts = units.map(([name, size], i) => [Math.floor((i ? left % units[i - 1][1] : left) / size), name]);
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "now";
  return `in ${parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`).join(" ")}`;
}

/** Say in few words when a request may start; the page of the request has the sentence. */
export function expectedStart(expected) {
  if (expected?.median_seconds == null) return "not known yet";
  const bound = expected.within_seconds == null ? "" : `, nine of ten ${timeTo(expected.within_seconds, 0)}`;
  return `half ${timeTo(expected.median_seconds, 0)}${bound}`;
}

/** Make a text that counts down to a moment; a screen reader is not told every second. */
export function countdown(until) {
  return element("span", timeTo(until), { role: "timer", "aria-live": "off", "data-until": until });
}

setInterval(() => {
  for (const timer of document.querySelectorAll("[data-until]")) timer.textContent = timeTo(Number(timer.dataset.until));
}, 1000);

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

const amountOf = (resources, key) => (key.startsWith("accelerator/") ? resources.accelerators[key.slice(12)] ?? 0 : resources[key]);

/** Say one amount, also where it is nothing. */
export function describeAmount(key, amount) {
  const flavor = key.startsWith("accelerator/") ? key.slice(12) : null;
  if (!amount) return flavor ? `0 ${flavor}` : { cpu_millis: "0 CPU", mem_mib: "0 MiB" }[key];
  return amounts({ cpu_millis: 0, mem_mib: 0, accelerators: flavor ? { [flavor]: amount } : {}, [key]: amount });
}

/** Say how a budget stands, as the launch page's first answer does. */
export function budgetText(budget) {
  if (!budget) return "none";
  const hours = budget.window_seconds / 3600;
  const [count, unit] = hours % 24 ? [hours, "hour"] : [hours / 24, "day"];
  const span = `in ${count} ${unit}${count === 1 ? "" : "s"}`;
  const used = (use, how) => `${use.used_hours} of ${use.hours} accelerator-hours ${how}`;
  const parts = budget.team ? [used(budget.team, `used ${span}`)] : [];
  if (budget.asker) parts.push(used(budget.asker, parts.length ? "by you" : `used by you ${span}`));
  const stop = budget.team?.stops_at ?? budget.asker?.stops_at;
  if (stop) parts.push(`used up, what runs on it is stopped ${timeTo(stop)}`);
  return parts.join("; ") || `per user, ${span}`;
}

/** Bring the capacity bars up to date. */
export function showCapacity(capacity) {
  for (const meter of document.querySelectorAll(".meter")) {
    const { key } = meter.dataset;
    const total = amountOf(capacity.total, key), free = amountOf(capacity.free, key);
    const bar = meter.querySelector("progress");
    bar.max = total;
    bar.value = total - free;
    meter.querySelector(".meter-text").textContent = `${describeAmount(key, free)} of ${describeAmount(key, total)} free`;
  }
  const waiting = document.getElementById("waiting");
  if (waiting) waiting.textContent = capacity.waiting;
}
