// The steps of a pipeline, live: where each stands, what came of it, and the job or model it asked for.
import { call, element, isOver, prefix } from "./api.js";

const STATES = {
  running: ["Running", "wait", "▶"], done: ["Done", "ok", "✓"], skipped: ["Skipped", "", "↷"],
  failed: ["Failed", "bad", "✗"], cancelled: ["Cancelled", "", "■"],
};
const TO_COME = ["To come", "", "○"], NOT_RUN = ["Not run", "", "○"], CUT_OFF = ["Cut off", "bad", "✗"];
const AWAY = "The steps cannot be read at the moment; this goes on by itself.";

const list = document.getElementById("steps");
const note = document.getElementById("steps-note");
const last = new Map(); // the newest event of each step
let after = 0;

/** Read what is new of a pipeline's steps and show it; say whether nothing more will come. */
export async function readSteps(request) {
  if (list === null) return true;
  let isLast = false;
  try {
    const page = await call("GET", `requests/${encodeURIComponent(request.id)}/progress?after=${after}`);
    for (const { data } of page.events) last.set(data.step, data);
    isLast = page.events.length === 0 && isOver(request);
    after = page.next_after;
    say(emptiness(request));
  } catch {
    say(AWAY);
  }
  display(request);
  return isLast;
}

function emptiness(request) {
  if (last.size > 0) return "";
  if (!isOver(request)) return "No step has begun yet.";
  return request.allocation ? "It said nothing of its steps, or its output is not kept any more." : "It was over before its first step.";
}

function say(text) {
  if (note.textContent !== text) note.textContent = text;
}

/** Show the steps anew where something changed: a reader's place in a table is not lost for nothing. */
function display(request) {
  for (const line of list.children) {
    const event = last.get(line.dataset.step);
    const state = standing(event, request);
    const shown = JSON.stringify([state, event]);
    if (line.dataset.shown === shown) continue;
    line.dataset.shown = shown;
    line.replaceChildren(...parts(line.dataset.step, state, event));
  }
}

function standing(event, request) {
  if (event === undefined) return isOver(request) ? NOT_RUN : TO_COME;
  return event.state === "running" && isOver(request) ? CUT_OFF : STATES[event.state];
}

function parts(name, [word, colour, sign], event) {
  const made = [
    element("span", sign, { class: `sign ${colour}`, "aria-hidden": "true" }),
    element("span", name[0].toUpperCase() + name.slice(1), { class: "step-name" }),
    element("span", word, { class: `pill ${colour}` }),
  ];
  if (event === undefined) return made;
  if (event.seconds !== null) made.push(element("span", duration(event.seconds), { class: "muted" }));
  if (event.request) {
    const what = event.step === "serve" ? "Its model server" : "Its job";
    made.push(element("a", what, { href: `${prefix}requests/${encodeURIComponent(event.request)}` }));
  }
  if (event.result) made.push(element("p", event.result, { class: "step-result" }));
  if (event.rows.length > 1) made.push(table(event.rows));
  return made;
}

function table([heads, ...rows]) {
  const made = element("table"), head = element("thead"), body = element("tbody"), scroll = element("div", "", { class: "scroll" });
  const line = (tag, texts, attributes) => {
    const row = element("tr");
    row.append(...texts.map((text) => element(tag, text, attributes)));
    return row;
  };
  head.append(line("th", heads, { scope: "col" }));
  body.append(...rows.map((texts) => line("td", texts)));
  made.append(head, body);
  scroll.append(made);
  return scroll;
}

function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  if (minutes < 1) return `${whole} s`;
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
