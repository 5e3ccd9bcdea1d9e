// When a time limit ends what runs, and the lever of those who may extend it.
import { call, element } from "./api.js";
import { localMoment, moment, order, zone } from "./levers.js";

const MINUTE_MS = 60000;
const EXTENSION_MS = 60 * MINUTE_MS; // what the dialog proposes
const facts = document.getElementById("session-facts");
const button = document.getElementById("extend");
let seen = "";
let session = null;

/** Look again where the request moved on. */
export async function readSession(request) {
  const now = JSON.stringify([request.status, request.is_ending, request.allocation?.id, request.allocation?.state, request.allocation?.ends_at]);
  if (now === seen) return;
  seen = now;
  if (request.status !== "active" || request.is_ending) { display(null); return; }
  try {
    display(await call("GET", `requests/${encodeURIComponent(request.id)}/session`));
  } catch { /* the page's status says that the service is away; the next event asks again */
    seen = "";
  }
}

function display(found) {
  session = found;
  const ends = document.getElementById("ends");
  facts.hidden = !session?.ends_at;
  button.hidden = !session?.latest || session.latest <= session.ends_at;
  ends.replaceChildren(...(session?.ends_at ? [moment(session.ends_at)] : []));
}

function extension() {
  const ends = session.ends_at * 1000, latest = Math.floor(session.latest * 1000 / MINUTE_MS) * MINUTE_MS;
  return {
    title: "Extend the session",
    text: `It runs until ${moment(session.ends_at).textContent}. You may let it run until ${moment(session.latest).textContent}.`,
    fields: [{ name: "until", label: "Run until", type: "datetime-local", required: "", hint: `In your time zone, ${zone()}.`,
      min: localMoment(ends), max: localMoment(latest), value: localMoment(Math.min(ends + EXTENSION_MS, latest)) }],
    confirm: "Extend",
    send: async ({ until, reason }) => display(await call("POST", `requests/${encodeURIComponent(session.request_id)}/extend`, { until: new Date(until).toISOString(), reason })),
  };
}

button.append(element("span", " the time limit", { class: "sr" }));
button.addEventListener("click", () => order(extension()));
