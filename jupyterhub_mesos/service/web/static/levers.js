// What admins do by hand: a dialog that asks for the reason, and moments in the viewer's own time.
import { element } from "./api.js";

const MOST_REASON = 500;
let made = 0;

/** Show a moment in the viewer's zone, and exactly to machines. */
export function moment(at) {
  const date = new Date(at * 1000);
  const text = date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return element("time", text, { datetime: date.toISOString(), title: date.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" }) });
}

const MINUTE_MS = 60000;

/** Say a moment (in ms) as a `datetime-local` field takes it: in the viewer's zone, without naming it. */
export function localMoment(ms) {
  return new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Make a labelled field; `options` makes it a choice, [value, text] each. */
export function field({ name, label, hint, options, ...attributes }) {
  const wrapper = element("label", label, { class: "field" });
  const input = element(options ? "select" : "input", "", { name, ...attributes });
  for (const [value, text] of options ?? []) input.append(element("option", text, { value }));
  wrapper.append(input);
  if (hint) wrapper.append(element("span", hint, { class: "hint" }));
  return wrapper;
}

/**
 * Ask for confirmation and a reason, then `send` the form's values; what it throws is shown, and nothing is lost.
 * `text` says what will happen; `fields` come before the reason.
 */
export function order({ title, text, fields = [], confirm, dismiss = "Cancel", isDanger = false, send }) {
  made += 1;
  const dialog = element("dialog", "", { "aria-labelledby": `order-${made}`, "aria-describedby": `order-text-${made}` });
  const form = element("form");
  const problem = element("p", "", { class: "banner bad", role: "alert", hidden: "" });
  const cancel = element("button", dismiss, { type: "button" });
  const submit = element("button", confirm, { type: "submit", class: isDanger ? "destroy" : "primary" });
  const actions = element("div", "", { class: "actions" });
  actions.append(submit, cancel);
  form.append(
    element("h2", title, { id: `order-${made}` }), element("p", text, { id: `order-text-${made}` }),
    element("div", "", { class: "fields" }),
    field({ name: "reason", label: "Reason", hint: "Kept in the audit, and shown to those whom it concerns.", required: "", maxlength: MOST_REASON, autocomplete: "off" }),
    problem, actions,
  );
  form.querySelector(".fields").append(...fields.map(field));
  dialog.append(form);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.hidden = true;
    try {
      await send(Object.fromEntries(new FormData(form)));
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      submit.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** Make a button that opens an order; `about` says to a screen reader what it is for. */
export function lever(text, about, what) {
  const button = element("button", text, { type: "button", "aria-label": `${text} ${about}`, "aria-haspopup": "dialog" });
  button.addEventListener("click", () => order(what()));
  return button;
}

const rowName = (row) => row.querySelector("td")?.textContent;

/** Put rows in the place of others; the button that had the focus keeps it, and what was opened stays open, where it is still there. */
export function replaceRows(place, rows) {
  const open = new Set([...place.children].filter((row) => row.querySelector("details[open]")).map(rowName));
  for (const row of rows) if (open.has(rowName(row))) for (const details of row.querySelectorAll("details")) details.open = true;
  const label = place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  place.replaceChildren(...rows);
  if (label) place.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
}
