// Who edited the teams, when and why, and the undoing of an edit.
import { call, element, show } from "./api.js";
import { moment } from "./levers.js";
import { confirmEdit } from "./team_editor.js";
import { fieldName } from "./team_fields.js";

const section = document.getElementById("edits");
const list = document.getElementById("edits-list");
const more = document.getElementById("edits-more");
let cursor = null;

function line(view, revision, done) {
  const made = element("li", "", { class: "row" }), main = element("div", "", { class: "row-main" });
  const head = element("div", "", { class: "row-title" });
  head.append(`${view.who || "Somebody"}, `, moment(view.at));
  main.append(head, element("div", view.why, { class: "row-text" }));
  const changes = element("details");
  changes.append(element("summary", `${view.changes.length} ${view.changes.length === 1 ? "change" : "changes"}`), element("ul", "", { class: "changes" }));
  changes.lastChild.append(...view.changes.map((one) => element("li", `${one.team}: ${fieldName(one.field)} ${one.before} → ${one.after}`)));
  main.append(changes);
  made.append(element("span", `r${view.revision}`, { class: "pill" }), main);
  if (view.revision > 1) {
    const undo = element("button", "Undo…", { type: "button", "aria-haspopup": "dialog", "aria-label": `Undo edit ${view.revision}` });
    undo.addEventListener("click", () => confirmEdit({
      title: `Undo edit ${view.revision}`, text: "What it changed is put back, as a new edit; what was edited since stays.", confirm: "Undo the edit",
      method: "POST", path: `team-edits/${view.revision}/undo`, revision, done,
    }).catch((error) => show(error.message)));
    made.append(undo);
  }
  return made;
}

/** Show the newest edits, or with `isMore` older ones below them. */
export async function showEdits(done, isMore = false) {
  if (!section?.open) return;
  try {
    const page = await call("GET", `team-edits?limit=10${isMore && cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    const lines = page.items.map((view) => line(view, page.revision, done));
    if (isMore) list.append(...lines);
    else list.replaceChildren(...lines);
    cursor = page.next_cursor;
    more.hidden = cursor === null;
    document.getElementById("edits-empty").hidden = list.children.length > 0;
  } catch (error) {
    show(error.message);
  }
}

/** Open and page through the history. */
export function followEdits(done) {
  section?.addEventListener("toggle", () => showEdits(done));
  more?.addEventListener("click", () => showEdits(done, true));
}
