// The queue of my teams, live, and the levers of who administers one.
import { amounts, callAll, cells, element, expectedStart, follow, prefix, showCapacity } from "./api.js";
import { order, replaceRows } from "./levers.js";
import { pauseBanner, pauseOrder } from "./pauses.js";

const body = document.getElementById("queue");
const problem = document.getElementById("queue-error");
const banners = document.getElementById("pauses");
const pauseButton = document.getElementById("pause");

function line(entry) {
  const made = element("tr", "", entry.is_mine ? { class: "mine" } : {});
  const what = entry.is_mine ? element("a", entry.kind, { href: `${prefix}requests/${encodeURIComponent(entry.id)}` }) : element("span", entry.kind);
  const asked = entry.replicas > 1 ? `${entry.replicas} × (${amounts(entry.resources)})` : amounts(entry.resources);
  made.append(...cells({
    Place: entry.explanation.position ?? "—", Who: entry.is_mine ? `${entry.user} (you)` : entry.user, Team: entry.team,
    What: what, "Asks for": asked, Why: entry.explanation.sentence, Start: expectedStart(entry.explanation.expected_start),
  }));
  return made;
}

function display(queue) {
  body.replaceChildren(...queue.items.map(line));
  document.getElementById("queue-table").hidden = queue.items.length === 0;
  document.getElementById("empty").hidden = queue.items.length > 0;
  document.getElementById("waiting").textContent = queue.waiting;
}

async function refresh() {
  try {
    display(await callAll("queue"));
    problem.hidden = true;
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

function showPauses({ items }) {
  replaceRows(banners, items.map((pause) => pauseBanner(pause, showPauses)));
  if (!pauseButton) return;
  const paused = new Set(items.map((pause) => pause.team ?? ""));
  const open = JSON.parse(pauseButton.dataset.teams).filter((team) => !paused.has(team));
  pauseButton.hidden = open.length === 0;
  pauseButton.onclick = () => order(pauseOrder(open, showPauses));
}

display(JSON.parse(body.dataset.queue));
showPauses(JSON.parse(banners.dataset.pauses));
follow({
  capacity: (capacity) => { showCapacity(capacity); refresh(); },
  requests: refresh,
  pauses: (pauses) => { showPauses(pauses); refresh(); },
});
