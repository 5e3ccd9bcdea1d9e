// A team's editor: its fields, what an edit would do before it is made, and what somebody else has changed meanwhile.
import { call, callAll, element } from "./api.js";
import { field, moment } from "./levers.js";
import { fieldAt, fieldName, fieldsOf, modelOf, textsOf } from "./team_fields.js";

const NEW = { title: "", parent: null, weight: 1, max_session_minutes: "unlimited", groups: [], admin_groups: [], budget: null, per_user: {}, guarantee: { accelerators: {} }, limit: { accelerators: {} }, lend: { accelerators: {} }, borrow: { accelerators: {} } };
const WORDS = { stopped: ["Stops", "bad"], spared: ["Goes on", "ok"], starts: ["Starts", "ok"], waits: ["Waits on", "wait"], "above-limit": ["Above its limit", "wait"], "over-committed": ["Promised twice", "wait"] };
let made = 0;

const matching = (revision) => ({ "If-Match": `"r${revision}"` });
const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();

/** List what an edit changes, and what that would do. */
export function lookOf(edit) {
  const look = element("div", "", { class: "look" });
  if (edit.changes.length === 0) {
    look.append(element("p", "Nothing changes: this is in force already.", { class: "empty" }));
    return look;
  }
  const changes = element("ul", "", { class: "changes" });
  for (const change of edit.changes) {
    const line = element("li");
    line.append(element("strong", `${change.team}: ${fieldName(change.field)}`), ` ${change.before} → ${change.after}`);
    changes.append(line);
  }
  const effects = element("ul", "", { class: "changes" });
  for (const effect of edit.effects) {
    const line = element("li"), [word, colour] = WORDS[effect.kind] ?? [effect.kind, ""];
    line.append(element("span", word, { class: `pill ${colour}` }), ` ${effect.sentence}`);
    if (effect.at !== null) line.append(", ", moment(effect.at));
    effects.append(line);
  }
  look.append(element("h3", "What changes"), changes, element("h3", "What that does within an hour, as things stand"));
  look.append(edit.effects.length ? effects : element("p", "Nobody is stopped for it, and nobody starts or waits for it.", { class: "muted" }));
  return look;
}

/** One editor, of a team that is there or of a new one. */
class Editor {
  constructor({ team, model, parents, flavors, mayTop, revision, done }) {
    Object.assign(this, { team, flavors, revision, done, isNew: team === null });
    this.base = textsOf(model ?? { ...NEW, parent: parents[0] ?? null }, flavors);
    made += 1;
    const title = this.isNew ? "A new team" : `Edit team ${team}`;
    this.dialog = element("dialog", "", { class: "wide", "aria-labelledby": `editor-${made}` });
    this.form = element("form", "", { novalidate: "" });
    this.clash = element("div", "", { class: "banner warn", role: "alert", hidden: "" });
    this.problem = element("p", "", { class: "banner bad", role: "alert", hidden: "" });
    this.look = element("section", "", { class: "foresight", "aria-label": "What the edit would do", tabindex: "-1", hidden: "" });
    this.foresee = element("button", "Look at the effect", { type: "submit", class: "primary" });
    this.save = element("button", "Save", { type: "button", class: "primary", hidden: "" });
    const cancel = element("button", "Cancel", { type: "button" });
    const actions = element("div", "", { class: "actions stay" });
    actions.append(this.foresee, this.save, cancel);
    const why = field({ name: "reason", label: "Reason", hint: "Kept in the audit.", maxlength: "500", autocomplete: "off" });
    const fields = fieldsOf({ isNew: this.isNew, parents, flavors, mayTop });
    this.form.append(element("h2", title, { id: `editor-${made}` }), this.clash, ...fields, why, this.problem, this.look, actions);
    this.dialog.append(this.form);
    this.fill(this.base);
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.working(() => this.tryOut()); });
    this.form.addEventListener("input", (event) => { if (event.target.name !== "reason") this.changed(event.target); });
    this.save.addEventListener("click", () => this.working(() => this.make()));
    cancel.addEventListener("click", () => this.leave());
    this.dialog.addEventListener("cancel", (event) => { event.preventDefault(); this.leave(); });
    this.dialog.addEventListener("close", () => this.dialog.remove());
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  texts() {
    return Object.fromEntries(new FormData(this.form));
  }

  isTouched() {
    const texts = this.texts();
    return Object.keys(this.base).some((name) => texts[name] !== this.base[name]);
  }

  fill(texts) {
    for (const [name, text] of Object.entries(texts)) {
      const input = this.form.elements.namedItem(name);
      if (input) input.value = text;
    }
  }

  /** Close; what was typed is given up only when that is said twice. */
  leave() {
    if (!this.isTouched() || this.isWarned) return this.dialog.close();
    this.isWarned = true;
    this.say("What you have typed is not saved yet. Press Cancel once more to give it up.");
    return undefined;
  }

  changed(input) {
    this.isWarned = false;
    this.wrong(input, "");
    this.look.hidden = true;
    this.save.hidden = true;
    this.foresee.hidden = false;
    this.problem.hidden = true;
  }

  say(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }

  wrong(input, text) {
    const place = document.getElementById(`${input.id}-wrong`);
    if (!place) return;
    place.textContent = text;
    place.hidden = !text;
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  /** Say at each field what the browser finds wrong; go to the first. */
  isWhole() {
    const inputs = [...this.form.elements].filter((each) => each.name);
    for (const input of inputs) this.wrong(input, input.validationMessage);
    const first = inputs.find((each) => !each.validity.valid);
    first?.focus();
    return !first;
  }

  async working(what) {
    this.foresee.disabled = true;
    this.save.disabled = true;
    this.say("");
    try {
      await what();
    } catch (error) {
      if (error.problem?.status === 412) await this.moved().catch((other) => this.say(other.message));
      else this.refused(error);
    }
    this.foresee.disabled = false;
    this.save.disabled = false;
  }

  refused(error) {
    const input = fieldAt(this.form, error.problem?.where, this.name());
    this.say(error.message);
    if (!input) return;
    this.wrong(input, error.message.replace(/^[\w.-]+: /, ""));
    input.focus();
  }

  name() {
    return this.isNew ? this.form.elements.namedItem("id").value : this.team;
  }

  send(values) {
    return call("PUT", `teams/${encodeURIComponent(this.name())}?${query(values)}`, modelOf(this.texts(), this.flavors), matching(this.revision));
  }

  async tryOut() {
    if (!this.isWhole()) return;
    const edit = await this.send({ dry_run: "true" });
    this.look.replaceChildren(lookOf(edit));
    this.look.hidden = false;
    this.save.hidden = edit.changes.length === 0;
    this.foresee.hidden = edit.changes.length > 0;
    this.look.focus({ preventScroll: true });
    this.look.scrollIntoView({ block: "nearest" });
  }

  async make() {
    await this.send({ reason: this.texts().reason });
    this.dialog.close();
    await this.done();
  }

  /** Show beside each other what was there, what somebody else made of it and what is typed here. */
  async moved() {
    const { teams, revision } = await callAll("teams", "teams");
    const found = teams.find((view) => view.id === this.team);
    if (!found) throw new Error(this.isNew ? "The teams were edited meanwhile. Look at the effect again." : `Team ${this.team} was removed by somebody else. What you typed is still here.`);
    const theirs = textsOf(found.team, this.flavors), mine = this.texts();
    const rows = Object.keys(this.base).filter((name) => theirs[name] !== this.base[name]);
    const untouched = rows.filter((name) => mine[name] === this.base[name]);
    this.fill(Object.fromEntries(untouched.map((name) => [name, theirs[name]])));
    this.tell(rows, theirs, mine);
    this.base = theirs;
    this.revision = revision;
    this.changed(this.form.elements.namedItem("title"));
    this.clash.scrollIntoView({ block: "nearest" });
  }

  tell(rows, theirs, mine) {
    this.clash.replaceChildren(element("strong", "Somebody else changed the teams while you were typing."));
    this.clash.hidden = false;
    if (rows.length === 0) {
      this.clash.append(element("p", "Not this one: your edit holds. Look at its effect again, then save."));
      return;
    }
    this.clash.append(element("p", "Nothing of yours was saved, and nothing is lost. What you had not touched shows theirs now."));
    const table = element("table", "", { class: "stack wraps" }), body = element("tbody"), head = element("tr");
    for (const text of ["Field", "It was", "Theirs", "Yours", ""]) head.append(element("th", text, { scope: "col" }));
    for (const name of rows) body.append(this.row(name, theirs[name], mine[name]));
    table.append(element("thead"), body);
    table.tHead.append(head);
    this.clash.append(table);
  }

  row(name, theirs, mine) {
    const line = element("tr"), said = (text) => text || "—";
    const input = this.form.elements.namedItem(name);
    const set = input.closest("fieldset")?.querySelector("legend").textContent ?? "";
    const label = input.closest(".field").querySelector("label").textContent;
    const both = mine !== this.base[name] && mine !== theirs;
    for (const [column, text] of Object.entries({ Field: `${set}: ${label}`, "It was": said(this.base[name]), Theirs: said(theirs), Yours: said(mine) })) {
      line.append(element("td", text, { "data-label": column }));
    }
    const last = element("td");
    if (both) {
      const take = element("button", "Take theirs", { type: "button", "aria-label": `Take theirs: ${label}` });
      take.addEventListener("click", () => { input.value = theirs; this.changed(input); take.replaceWith("taken"); });
      last.append(take);
    }
    line.append(last);
    return line;
  }
}

export const edit = (what) => new Editor(what);

/** Ask for a confirmation of an edit that has no fields (undo, remove), with what it would do. */
export async function confirmEdit({ title, text, confirm, method, path, revision, done }) {
  made += 1;
  const foreseen = await call(method, `${path}?dry_run=true`, undefined, matching(revision));
  const dialog = element("dialog", "", { class: "wide", "aria-labelledby": `editor-${made}` });
  const form = element("form");
  const problem = element("p", "", { class: "banner bad", role: "alert", hidden: "" });
  const sure = element("button", confirm, { type: "submit", class: "destroy" }), cancel = element("button", "Cancel", { type: "button" });
  const actions = element("div", "", { class: "actions stay" });
  actions.append(sure, cancel);
  form.append(element("h2", title, { id: `editor-${made}` }), element("p", text), lookOf(foreseen), field({ name: "reason", label: "Reason", hint: "Kept in the audit.", maxlength: "500", autocomplete: "off" }), problem, actions);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    sure.disabled = true;
    try {
      await call(method, `${path}?${query({ reason: new FormData(form).get("reason") })}`, undefined, matching(foreseen.revision));
      dialog.close();
      await done();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      sure.disabled = false;
    }
  });
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
}
