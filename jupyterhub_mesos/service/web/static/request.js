// One request, live: why it waits, its tasks and output, and the way to it when it runs.
import { amounts, call, cells, countdown, element, follow, isOver, prefix, show, standing } from "./api.js";
import { readChildren } from "./children.js";
import { offerNotices, tell } from "./notify.js";
import { readSession } from "./session.js";
import { fillWish, watchWish, wishOf, wishText } from "./start.js";
import { readSteps } from "./steps.js";

const root = document.getElementById("request");
const one = (id) => document.getElementById(id);
const LOG_MS = 1000;
const STEPS_MS = 1000;
const CHILDREN_MS = 3000;
let request = JSON.parse(root.dataset.request);
let hasGone = false;
let isOpenedElsewhere = false;
let toldCode = "";
let waitedHere = !isOver(request) && request.url === null;
const isMine = root.dataset.owner === "yes";
const log = { task: null, offset: 0, isComplete: false, decoder: null };

/** Only one tab goes on by itself: two at once break the login of the server (one state cookie). */
function goOn(url) {
  if (hasGone) return;
  hasGone = true;
  const target = root.dataset.next || url;
  if (!navigator.locks) { window.location.assign(target); return; }
  navigator.locks.request(`capacity-open-${request.id}`, { ifAvailable: true }, async (lock) => {
    const key = `capacity-opened-${request.id}-${request.allocation?.id}`;
    if (lock === null || localStorage.getItem(key)) {
      isOpenedElsewhere = true;
      showExplanation();
      return;
    }
    localStorage.setItem(key, "yes");
    window.location.assign(target);
    await new Promise(() => {}); // held until this page goes
  });
}

function sentence() {
  if (request.explanation) return request.explanation.sentence;
  if (request.warning) return request.warning.why;
  if (request.message) return request.message;
  const state = request.allocation?.state;
  if (request.is_ending && !isOver(request)) return "It is being stopped.";
  if (request.status === "withdrawn") return "This request was cancelled.";
  if (request.status === "ended") return request.kind === "notebook" ? "This is over. Start it again from the launch page." : `It ${{ failed: "failed", stopped: "was stopped" }[request.outcome] ?? "finished"}.`;
  if (state === "running" && isOpenedElsewhere) return "It runs. Another tab of yours opens it; or open it here.";
  return state === "running" ? "It runs." : "There is room: it is being started.";
}

function showExplanation() {
  const said = request.explanation;
  one("sentence").textContent = sentence();
  one("cure").textContent = said?.cure ?? "";
  one("before").textContent = said ? request.message : ""; // what was taken back says why, while it waits
  const possible = said?.possible_at;
  one("possible").hidden = !possible;
  if (possible) one("possible-at").textContent = new Date(possible * 1000).toLocaleString();
  showWarning();
  const isHeld = request.status === "held";
  one("waiting-facts").hidden = one("patience").hidden = !said || isHeld;
  one("place").hidden = !said?.position;
  if (!said) return;
  one("position").textContent = `${said.position} of ${said.waiting}`;
  one("expected").textContent = said.expected_start?.sentence ?? "";
}

function showWarning() {
  const until = request.warning?.until;
  one("warning").hidden = !until;
  if (!until || Number(one("warning").dataset.at) === until) return;
  one("warning").dataset.at = until;
  one("warning-at").textContent = new Date(until * 1000).toLocaleString();
  one("warning-left").replaceChildren(countdown(until));
}

function showActions() {
  const open = one("open"), end = one("end");
  open.hidden = request.kind !== "notebook" || !request.url;
  if (request.url) open.href = root.dataset.next || request.url;
  end.hidden = isOver(request) || request.is_ending;
  end.textContent = request.status === "active" && request.kind !== "pipeline" ? "Stop" : "Cancel";
  one("again").hidden = request.kind !== "pipeline" || !isOver(request) || !isMine;
}

/** Show how it wants to start, and its owner's levers on that, while it waits. */
function showStart() {
  const isWaiting = ["queued", "held"].includes(request.status);
  one("confirm").hidden = !isMine || request.status !== "held";
  one("when-section").hidden = !isMine || !isWaiting;
  one("when-text").textContent = wishText(request.start?.wish);
  if (!one("when-section").open) fillWish(one("when"), request.start?.wish);
  const until = isWaiting && request.status === "queued" ? request.start?.confirmed_until : null;
  one("confirmed").hidden = !until || until * 1000 < Date.now();
  if (until) one("confirmed-until").textContent = new Date(until * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (isMine) showNotices(isWaiting);
}

function showNotices(isWaiting) {
  offerNotices(isWaiting);
  const code = request.explanation?.code ?? (request.url ? "runs" : "");
  if (code === toldCode) return;
  toldCode = code;
  if (code === "room-is-there" || code === "runs") tell(request.id, code === "runs" ? "What you asked for runs." : sentence());
}

function showBorrowed() {
  const borrowed = request.allocation && !isOver(request) ? amounts(request.allocation.borrowed) : "nothing";
  for (const part of document.querySelectorAll(".when-borrowed")) part.hidden = borrowed === "nothing";
  one("borrowed").textContent = `${borrowed}, from guarantees that others leave idle`;
}

function showTasks() {
  const tasks = request.allocation?.tasks ?? [];
  one("tasks-section").hidden = tasks.length === 0;
  one("tasks").replaceChildren(...tasks.map((task) => {
    const line = element("tr");
    const state = task.exit_code === null ? task.state : `${task.state} (${task.exit_code})`;
    line.append(...cells({ Role: task.role, Index: task.index, Generation: task.generation, State: state, Node: task.node, Message: task.message }));
    return line;
  }));
  const select = one("log-task");
  const known = [...select.options].map((option) => option.value);
  for (const task of tasks) {
    if (!known.includes(task.id)) select.append(element("option", `${task.role} ${task.index}, generation ${task.generation}`, { value: task.id }));
  }
  one("logs-section").hidden = tasks.length === 0;
  const newest = tasks.reduce((a, b) => (a === null || b.generation > a.generation ? b : a), null);
  if (newest && one("follow").checked && tasks.find((task) => task.id === log.task)?.generation !== newest.generation) choose(newest.id);
}

function choose(task) {
  Object.assign(log, { task, offset: 0, isComplete: false });
  one("log-task").value = task;
  one("log").textContent = "";
}

async function readLog() {
  if (log.task !== null && !log.isComplete && !document.hidden) {
    const task = log.task;
    try {
      const chunk = await call("GET", `requests/${encodeURIComponent(request.id)}/logs?task=${encodeURIComponent(task)}&offset=${log.offset}`);
      if (task === log.task) {
        if (chunk.text) one("log").append(chunk.text);
        log.offset = chunk.next_offset;
        log.isComplete = chunk.is_complete;
        if (chunk.text && one("follow").checked) one("log").scrollTop = one("log").scrollHeight;
      }
    } catch { /* the page's status says that the service is away; the next turn asks again */ }
  }
  setTimeout(readLog, LOG_MS);
}

/** Do `step` again and again, never twice at a time, until it says that nothing will change any more. */
async function repeat(step, everyMs) {
  const isDone = !document.hidden && await step(request);
  if (!isDone) setTimeout(repeat, everyMs, step, everyMs);
}

const noChildrenToCome = async (of) => !(await readChildren(of));

function display() {
  const [word, colour] = standing(request);
  const pill = one("state");
  if (pill.textContent !== word) pill.textContent = word;
  pill.className = `pill ${colour}`;
  showExplanation();
  showActions();
  showStart();
  showBorrowed();
  showTasks();
  readSession(request);
  if (!request.url) waitedHere ||= !isOver(request);
  if (request.url && request.kind === "notebook" && isMine && waitedHere) goOn(request.url);
}

one("end").addEventListener("click", async () => {
  one("end").disabled = true;
  try {
    const answer = await call("DELETE", `requests/${encodeURIComponent(request.id)}`);
    if (!isOver(request)) request = answer; // the stream may have been faster
    display();
  } catch (error) {
    show(error.message);
  }
  one("end").disabled = false;
});

/** Send what an owner says of the start; the answer is how the request stands then. */
async function sendStart(button, method, path, body) {
  button.disabled = true;
  try {
    const answer = await call(method, `requests/${encodeURIComponent(request.id)}/${path}`, body);
    if (!isOver(request)) request = answer;
    display();
    return true;
  } catch (error) {
    show(error.message);
    return false;
  } finally {
    button.disabled = false;
  }
}

one("confirm").addEventListener("click", () => sendStart(one("confirm"), "POST", "confirm", {}));
one("when-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  one("when-status").textContent = "";
  const isSaved = await sendStart(one("when-save"), "PUT", "start", wishOf(one("when")) ?? {});
  if (isSaved) one("when-status").textContent = "Saved.";
});
watchWish(one("when"));
one("again").addEventListener("click", async () => {
  one("again").disabled = true;
  try {
    const { team, payload, resources } = request;
    const made = await call("POST", "requests", { team, payload, resources });
    window.location.assign(`${prefix}requests/${encodeURIComponent(made.id)}`);
  } catch (error) {
    show(error.message);
    one("again").disabled = false;
  }
});
one("log-task").addEventListener("change", (event) => { one("follow").checked = false; choose(event.target.value); });
display();
readLog();
repeat(readSteps, STEPS_MS);
repeat(noChildrenToCome, CHILDREN_MS);
const close = follow({
  request: (data) => { request = data; display(); if (isOver(request)) close(); },
  missing: () => show("This request is not yours to see any more."),
}, { request: request.id });
