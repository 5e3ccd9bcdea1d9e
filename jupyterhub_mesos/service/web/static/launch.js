// The launch page: Start, and the list of what is mine.
import { amounts, budgetText, call, callAll, countdown, describeAmount, element, follow, isOver, show, showCapacity, standing } from "./api.js";
import { replaceRows } from "./levers.js";
import { pauseBanner } from "./pauses.js";
import { watchWish, wishOf, wishText } from "./start.js";

const OUTLOOK = {
  now: ["Starts now", "pill ok"], wait: ["Will wait", "pill wait"], never: ["Over the limit", "pill bad"],
};
const form = document.getElementById("start");
const list = document.getElementById("mine");

function title(request) {
  const name = request.kind === "notebook" ? request.payload.server_name : request.name;
  const kind = request.kind[0].toUpperCase() + request.kind.slice(1);
  return name ? `${kind} ${name}` : kind;
}

function describe(request) {
  if (request.explanation) {
    const { position, waiting, sentence, possible_at: at } = request.explanation;
    const early = at ? ` Not possible before ${new Date(at * 1000).toLocaleString()}.` : "";
    return `${position ? `Place ${position} of ${waiting}. ` : ""}${sentence}${early}`;
  }
  return request.warning?.why || request.message || `Team ${request.team}`;
}

async function end(request, button) {
  button.disabled = true;
  try {
    await call("DELETE", `requests/${encodeURIComponent(request.id)}`);
  } catch (error) {
    button.disabled = false;
    show(error.message);
  }
}

function row(request) {
  const [word, colour] = standing(request);
  const item = element("li", "", { class: "row" });
  const main = element("div", "", { class: "row-main" });
  main.append(element("a", title(request), { class: "row-title", href: request.page_url }), element("div", describe(request), { class: "row-text" }));
  if (request.warning) {
    const line = element("div", "It is stopped ", { class: "row-text" });
    line.append(countdown(request.warning.until), ".");
    main.append(line);
  }
  item.append(main, element("span", word, { class: `pill ${colour}` }));
  if (request.url && request.kind === "notebook") item.append(element("a", "Open", { class: "button primary", href: request.url }));
  if (!request.is_ending) {
    const label = request.status === "active" ? "Stop" : "Cancel";
    const button = element("button", label, { type: "button", class: "danger", "aria-label": `${label} ${title(request)}` });
    button.addEventListener("click", () => end(request, button));
    item.append(button);
  }
  return item;
}

function showMine(requests) {
  const live = requests.filter((request) => !isOver(request));
  const focused = list.contains(document.activeElement) ? [...list.querySelectorAll("a, button")].indexOf(document.activeElement) : -1;
  list.replaceChildren(...live.map(row));
  if (focused >= 0) list.querySelectorAll("a, button")[focused]?.focus();
  document.getElementById("mine-section").hidden = live.length === 0;
  const note = document.getElementById("start-note");
  if (note) note.hidden = !live.some((request) => request.kind === "notebook" && request.payload.server_name === form.dataset.server);
}

function showFits() {
  const team = new FormData(form).get("team");
  const fits = JSON.parse(form.dataset.fits), waits = JSON.parse(form.dataset.waits);
  for (const card of form.querySelectorAll(".card")) {
    card.hidden = !JSON.parse(card.dataset.teams).includes(team);
    const outlook = fits[`${team}/${card.dataset.profile}`] ?? "wait";
    const pill = card.querySelector("[data-fit]");
    [pill.textContent, pill.className] = OUTLOOK[outlook];
    card.querySelector("input").disabled = outlook === "never";
    const wait = card.querySelector("[data-wait]");
    wait.textContent = waits[`${team}/${card.dataset.profile}`] ?? "";
    wait.hidden = outlook !== "wait" || wait.textContent === "";
  }
  const checked = form.querySelector("input[name=profile]:checked");
  if (!checked || checked.disabled || checked.closest(".card").hidden) {
    const first = form.querySelector(".card:not([hidden]) input:not(:disabled)");
    if (first) first.checked = true;
  }
}

function left(team) {
  const bounds = Object.entries({ ...team.team.limit, ...Object.fromEntries(
    Object.entries(team.team.limit.accelerators).map(([flavor, bound]) => [`accelerator/${flavor}`, bound])) });
  const held = (key) => (key.startsWith("accelerator/") ? team.used.accelerators[key.slice(12)] ?? 0 : team.used[key]);
  const parts = bounds.filter(([, bound]) => typeof bound === "number").map(([key, bound]) => describeAmount(key, Math.max(0, bound - held(key))));
  return parts.join(", ") || "no limit";
}

async function refreshTeams() {
  const { teams } = await callAll("teams", "teams");
  for (const team of teams) {
    const facts = { used: amounts(team.used), borrowed: amounts(team.borrowed), left: left(team), budget: budgetText(team.budget) };
    for (const [name, text] of Object.entries(facts)) {
      const place = document.querySelector(`[data-team="${CSS.escape(team.id)}"] [data-of=${name}]`);
      if (place) place.textContent = text;
    }
  }
}

async function refreshFits() {
  const { profiles } = await callAll("profiles", "profiles");
  if (document.querySelectorAll("#team option").length > 1) return; // which of several teams has room is known at the next load
  const team = new FormData(form).get("team");
  const fits = JSON.parse(form.dataset.fits);
  for (const view of profiles) {
    const key = `${team}/${view.name}`;
    if (fits[key] !== "never") fits[key] = view.fits_now ? "now" : "wait";
  }
  form.dataset.fits = JSON.stringify(fits);
  showFits();
}

async function start(event) {
  event.preventDefault();
  const button = document.getElementById("start-button");
  const status = document.getElementById("start-status");
  const chosen = new FormData(form);
  button.disabled = true;
  status.textContent = "Asking for room…";
  try {
    const request = await call("POST", "requests", {
      team: chosen.get("team"),
      payload: { kind: "notebook", server_name: form.dataset.server, profile: chosen.get("profile") },
      start: wishOf(document.getElementById("when")),
    });
    if (request.url) { // it runs already, from another tab or another day
      window.location.assign(form.dataset.next || request.url);
      return;
    }
    const next = form.dataset.next ? `?next=${encodeURIComponent(form.dataset.next)}` : "";
    window.location.assign(`${request.page_url}${next}`);
  } catch (error) {
    button.disabled = false;
    status.textContent = "";
    show(error.message);
  }
}

const banners = document.getElementById("pauses");

function showPauses({ items }) {
  replaceRows(banners, items.map((pause) => pauseBanner(pause, showPauses)));
}

const refresh = () => Promise.all([refreshFits(), refreshTeams()]).catch((error) => show(error.message));

showPauses(JSON.parse(banners.dataset.pauses));
showMine(JSON.parse(list.dataset.requests));
if (form) {
  form.addEventListener("submit", start);
  document.getElementById("start-button").disabled = false; // before this script, it would load the page anew
  form.addEventListener("change", showFits);
  const when = document.getElementById("when");
  watchWish(when, () => { document.getElementById("when-text").textContent = wishText(wishOf(when)); });
  showFits();
}
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
follow({
  requests: showMine,
  capacity: (capacity) => { showCapacity(capacity); if (form) refresh(); },
  pauses: (pauses) => { showPauses(pauses); if (form) refresh(); },
});
