// The teams that I may see, live: what each has, whether its queue is paused, and its admins' levers.
import { amounts, budgetText, callAll, cells, describeAmount, element, follow, show } from "./api.js";
import { lever, replaceRows } from "./levers.js";
import { confirmEdit, edit } from "./team_editor.js";
import { followEdits, showEdits } from "./team_edits.js";
import { drawTree } from "./team_tree.js";
import { pauseBanner, pauseOrder, queueName, resumeLever } from "./pauses.js";

const body = document.getElementById("teams");
const banners = document.getElementById("pauses");
const picture = document.getElementById("tree");
const amount = document.getElementById("amount");
const fresh = document.getElementById("new-team");
let teams = JSON.parse(body.dataset.teams);
let revision = Number(body.dataset.revision);
let pauses = JSON.parse(banners.dataset.pauses);

function bounds(model) {
  const named = { cpu_millis: model.cpu_millis, mem_mib: model.mem_mib, ...Object.fromEntries(Object.entries(model.accelerators).map(([flavor, bound]) => [`accelerator/${flavor}`, bound])) };
  const parts = Object.entries(named).filter(([, bound]) => typeof bound === "number").map(([key, bound]) => describeAmount(key, bound));
  return parts.join(", ") || "no limit";
}

/** Put children under their parents; one whose parent may not be seen stands at the top. */
function inTreeOrder(views) {
  const known = new Set(views.map((view) => view.id));
  const under = (parent, depth) => views
    .filter((view) => (known.has(view.team.parent) ? view.team.parent : null) === parent)
    .flatMap((view) => [[view, depth], ...under(view.id, depth + 1)]);
  return under(null, 0);
}

function name(view, depth) {
  const made = element("span", "", { class: `depth-${Math.min(depth, 4)}` });
  made.append(element("strong", view.team.title || view.id));
  if (view.team.title && view.team.title !== view.id) made.append(element("div", view.id, { class: "row-text" }));
  return made;
}

/** Return what is paused above a team, with the whole queue at the very top; undefined where nothing is. */
function pausedAbove(view) {
  const above = teams.find((other) => other.id === view.team.parent);
  if (!above) return pauses.items.find((pause) => pause.team === null);
  return pauses.items.find((pause) => pause.team === above.id) ?? pausedAbove(above);
}

function queue(view) {
  const made = element("div", "", { class: "actions" });
  const paused = pauses.items.find((pause) => pause.team === view.id);
  const above = paused ? undefined : pausedAbove(view);
  made.append(element("span", paused || above ? "Paused" : "Open", { class: `pill ${paused || above ? "wait" : "ok"}` }));
  if (above) made.append(element("span", `with ${queueName(above.team)}`, { class: "row-text" }));
  if (paused?.may_resume) made.append(resumeLever(paused, showPauses));
  if (!paused && view.is_admin) made.append(lever("Pause", queueName(view.id), () => pauseOrder([view.id], showPauses)));
  return made;
}

/** Return what an editor of a team, or of a new one, needs to know. */
function editing(view) {
  const isAdmin = body.dataset.admin === "yes";
  const below = view ? new Set(subtree(view.id)) : new Set();
  const parents = teams.filter((other) => other.is_admin && !below.has(other.id)).map((other) => other.id);
  const own = view ? [view.team.guarantee, view.team.limit, view.team.lend, view.team.borrow].flatMap((each) => Object.keys(each.accelerators)) : [];
  const flavors = [...new Set([...JSON.parse(body.dataset.flavors), ...own])].sort();
  return { team: view?.id ?? null, model: view?.team, parents, flavors, mayTop: isAdmin || view?.team.parent === null, revision, done: refresh };
}

const subtree = (id) => [id, ...teams.filter((view) => view.team.parent === id).flatMap((view) => subtree(view.id))];

function levers(view) {
  const made = element("div", "", { class: "actions" });
  if (!view.may_edit) return made;
  const change = element("button", "Edit…", { type: "button", "aria-label": `Edit team ${view.id}`, "aria-haspopup": "dialog" });
  change.addEventListener("click", () => edit(editing(view)));
  const remove = element("button", "Remove…", { type: "button", class: "danger", "aria-label": `Remove team ${view.id}`, "aria-haspopup": "dialog" });
  remove.addEventListener("click", () => confirmEdit({
    title: `Remove team ${view.id}`, text: "Its guarantee is free for others, and nobody can ask for anything in its name.", confirm: "Remove the team",
    method: "DELETE", path: `teams/${encodeURIComponent(view.id)}`, revision, done: refresh,
  }).catch((error) => show(error.message)));
  made.append(change, remove);
  return made;
}

function line([view, depth]) {
  const made = element("tr");
  made.append(...cells({
    Team: name(view, depth), Guaranteed: amounts(view.team.guarantee), Limit: bounds(view.team.limit), Holds: amounts(view.used),
    "of it borrowed": amounts(view.borrowed), Budget: budgetText(view.budget), Waiting: view.waiting, Queue: queue(view),
    ...(body.dataset.edits === "yes" && { Actions: levers(view) }),
  }));
  return made;
}

function display() {
  replaceRows(banners, pauses.items.filter((pause) => pause.team === null).map((pause) => pauseBanner(pause, showPauses)));
  replaceRows(body, inTreeOrder(teams).map(line));
  draw();
}

function draw() {
  if (amount.value) drawTree(picture, teams, amount.value, (view) => edit(editing(view)));
}

function showPauses(found) {
  pauses = found;
  display();
}

async function refresh() {
  try {
    const before = revision;
    ({ teams, revision } = await callAll("teams", "teams"));
    display();
    if (revision !== before) await showEdits(refresh);
  } catch (error) {
    show(error.message);
  }
}

display();
followEdits(refresh);
amount.addEventListener("change", draw);
new ResizeObserver(draw).observe(picture.parentElement);
fresh?.addEventListener("click", () => edit(editing(null)));
follow({ capacity: refresh, requests: refresh, pauses: showPauses, resync: refresh });
