// The fields of a team's form: how a model fills them, how it is read from them, and where a problem belongs.
import { element } from "./api.js";

const GIB = 1024, MILLIS = 1000;
const KINDS = {
  guarantee: ["Guaranteed", "Always there for the team when it asks, at the cost of who borrowed it."],
  limit: ["Limit", "Never more than this, however much is idle."],
  lend: ["Lends", "How much of its idle guarantee others may use."],
  borrow: ["Borrows", "How much it may use above its guarantee."],
};
const CAPS = {
  cpu_millis: ["CPU", MILLIS, "0.1"], mem_mib: ["Memory, GiB", GIB, "0.25"],
  accelerators: ["Accelerators", 1, "1"], sessions: ["Notebooks", 1, "1"],
};

/** The amounts that a team may have: its key in the model, its name, its unit, its step. */
function amountsOf(flavors) {
  return [["cpu_millis", "CPU", MILLIS, "0.1"], ["mem_mib", "Memory, GiB", GIB, "0.25"], ...flavors.map((flavor) => [`accelerators.${flavor}`, flavor, 1, "1"])];
}

function labelled(name, label, { hint, options, ...attributes } = {}) {
  const wrapper = element("div", "", { class: "field" });
  const id = `team-${name}`;
  const input = element(options ? "select" : "input", "", { id, name, autocomplete: "off", ...attributes });
  for (const [value, text] of options ?? []) input.append(element("option", text, { value }));
  wrapper.append(element("label", label, { for: id }), input);
  if (hint) wrapper.append(element("span", hint, { class: "hint", id: `${id}-hint` }));
  wrapper.append(element("span", "", { class: "wrong", id: `${id}-wrong`, hidden: "" }));
  input.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-wrong`);
  return wrapper;
}

const number = (name, label, step, more = {}) => labelled(name, label, { type: "number", min: "0", step, inputmode: "decimal", ...more });

function group(title, text, fields, layout = "fields") {
  const made = element("fieldset", "", { class: "group" });
  const inside = element("div", "", { class: layout });
  inside.append(...fields);
  made.append(element("legend", title), element("p", text, { class: "hint" }), inside);
  return made;
}

/** Say a changed field in the words of the form. */
export function fieldName(field) {
  const [kind, ...rest] = field.split(".");
  const amount = { cpu_millis: "CPU", mem_mib: "memory" }[rest[0]] ?? rest.join(".").replace(/^accelerator\//, "");
  const word = KINDS[kind]?.[0] ?? { per_user: "Each member", max_session: "Longest notebook", groups: "Members", admin_groups: "Admins", team: "The team", parent: "Stands under" }[kind] ?? kind[0].toUpperCase() + kind.slice(1);
  return amount ? `${word}, ${amount}` : word;
}

/** Make all fields; `parents` are the teams under which it may stand. */
export function fieldsOf({ isNew, parents, flavors, mayTop }) {
  const tops = mayTop ? [["", "At the top"]] : [];
  const name = labelled("id", "Name", { required: "", maxlength: "63", pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", hint: "Letters, digits, dots, dashes; it stays." });
  const basics = [
    ...(isNew ? [name] : []),
    labelled("title", "Title", { maxlength: "200", hint: "What pages call it; the name where this is empty." }),
    labelled("parent", "Stands under", { options: [...tops, ...parents.map((team) => [team, team])] }),
    number("weight", "Weight among borrowers", "1", { min: "1", required: "", hint: "2 borrows twice as much as 1 before it waits." }),
    number("max_session_minutes", "Longest notebook, in minutes", "1", { min: "1", hint: "Empty: no limit." }),
  ];
  const matrix = Object.entries(KINDS).map(([kind, [title, text]]) => group(
    title, `${text} ${kind === "guarantee" ? "Empty: nothing." : "Empty: unlimited."}`,
    amountsOf(flavors).map(([key, label, , step]) => number(`${kind}.${key}`, label, step)), "column",
  ));
  const amounts = element("div", "", { class: "matrix" });
  amounts.append(...matrix);
  const caps = Object.entries(CAPS).map(([key, [label, , step]]) => number(`per_user.${key}`, label, step));
  const budget = [
    number("budget.window", "Window", "1", { min: "1" }), labelled("budget.unit", "Counted in", { options: [["days", "days"], ["hours", "hours"]] }),
    number("budget.team_hours", "Hours of the team", "1", { min: "1" }), number("budget.user_hours", "Hours of one person", "1", { min: "1" }),
  ];
  return [
    group("The team", "", basics), amounts,
    group("Each member", "What one person may hold at a time. Empty: unlimited.", caps),
    group("Budget", "Accelerator-hours in a window that moves on. All empty: none.", budget),
    group("Who is in it", "Groups of the hub, with commas between.", [labelled("groups", "Members"), labelled("admin_groups", "Admins of the team")]),
  ];
}

const shown = (value, unit) => (value === undefined || value === "unlimited" ? "" : String(value / unit));
const bound = (model, key) => (key.startsWith("accelerators.") ? model.accelerators[key.slice(13)] : model[key]);

/** Lay a model out as the text of each field. */
export function textsOf(model, flavors) {
  const budget = model.budget ?? {};
  const texts = {
    title: model.title, parent: model.parent ?? "", weight: String(model.weight), max_session_minutes: shown(model.max_session_minutes, 1),
    groups: model.groups.join(", "), admin_groups: model.admin_groups.join(", "),
    "budget.window": shown(budget.window_days ?? budget.window_hours ?? undefined, 1), "budget.unit": budget.window_hours ? "hours" : "days",
    "budget.team_hours": shown(budget.team_hours, 1), "budget.user_hours": shown(budget.user_hours, 1),
  };
  for (const [key, [, unit]] of Object.entries(CAPS)) texts[`per_user.${key}`] = shown(model.per_user[key], unit);
  for (const kind of Object.keys(KINDS)) {
    for (const [key, , unit] of amountsOf(flavors)) {
      const text = shown(bound(model[kind], key), unit);
      texts[`${kind}.${key}`] = kind === "guarantee" && text === "0" ? "" : text;
    }
  }
  return texts;
}

/** Read the model that the texts of the fields mean. */
export function modelOf(texts, flavors) {
  const value = (name, unit, empty) => (texts[name].trim() === "" ? empty : Math.round(Number(texts[name]) * unit));
  const list = (name) => texts[name].split(",").map((each) => each.trim()).filter(Boolean);
  const model = {
    title: texts.title.trim(), parent: texts.parent || null, weight: value("weight", 1, 1),
    max_session_minutes: value("max_session_minutes", 1, "unlimited"), groups: list("groups"), admin_groups: list("admin_groups"), per_user: {}, budget: null,
  };
  for (const [key, [, unit]] of Object.entries(CAPS)) model.per_user[key] = value(`per_user.${key}`, unit, "unlimited");
  for (const kind of Object.keys(KINDS)) {
    const empty = kind === "guarantee" ? 0 : "unlimited";
    model[kind] = { accelerators: {} };
    for (const [key, , unit] of amountsOf(flavors)) {
      const said = value(`${kind}.${key}`, unit, empty);
      if (!key.startsWith("accelerators.")) model[kind][key] = said;
      else if (said !== empty) model[kind].accelerators[key.slice(13)] = said;
    }
  }
  if (texts["budget.window"] || texts["budget.team_hours"] || texts["budget.user_hours"]) {
    model.budget = {
      [texts["budget.unit"] === "hours" ? "window_hours" : "window_days"]: value("budget.window", 1, null),
      team_hours: value("budget.team_hours", 1, "unlimited"), user_hours: value("budget.user_hours", 1, "unlimited"),
    };
  }
  return model;
}

/** Find the field that a problem's `where` means; null where it is none of this form's. */
export function fieldAt(form, where, team) {
  if (!where) return null;
  const path = where.startsWith(`teams.${team}.`) ? where.slice(`teams.${team}.`.length) : where;
  const names = { budget: "budget.window", "budget.window_days": "budget.window", "budget.window_hours": "budget.window" };
  const inputs = [...form.elements].filter((each) => each.name);
  const wanted = names[path] ?? path;
  return inputs.find((each) => each.name === wanted) ?? inputs.find((each) => each.name.startsWith(`${wanted}.`)) ?? null;
}
