// When a request starts: what the form of `_when.html` says, as the API's StartWish, and the other way round.

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const part = (root, name) => root.querySelector(`[data-part=${name}]`);

/** Make a form's parts work together; `changed` hears of every change. */
export function watchWish(root, changed = () => {}) {
  const show = () => {
    const isLimited = part(root, "limited").checked;
    part(root, "hours").hidden = !isLimited;
    for (const input of part(root, "hours").querySelectorAll("input")) input.disabled = !isLimited;
    changed();
  };
  part(root, "zone").value ||= Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  root.addEventListener("change", show);
  show();
}

/** Read the form; null is by itself, at any hour. */
export function wishOf(root) {
  const mode = root.querySelector("input[type=radio]:checked").value;
  const hours = part(root, "limited").checked ? {
    days: DAYS.filter((day) => root.querySelector(`[data-day=${day}]`).checked),
    begins: part(root, "begins").value, ends: part(root, "ends").value, time_zone: part(root, "zone").value.trim(),
  } : null;
  return mode === "by-itself" && hours === null ? null : { mode, hours };
}

/** Put a wish into the form. */
export function fillWish(root, wish) {
  root.querySelector(`input[value=${wish?.mode ?? "by-itself"}]`).checked = true;
  part(root, "limited").checked = Boolean(wish?.hours);
  if (wish?.hours) {
    for (const day of DAYS) root.querySelector(`[data-day=${day}]`).checked = wish.hours.days.includes(day);
    part(root, "begins").value = wish.hours.begins;
    part(root, "ends").value = wish.hours.ends;
    part(root, "zone").value = wish.hours.time_zone;
  }
  root.dispatchEvent(new Event("change"));
}

/** Say in few words what a form asks for. */
export function wishText(wish) {
  const hours = wish?.hours ? `, ${wish.hours.begins} to ${wish.hours.ends}` : "";
  return `${wish?.mode === "when-confirmed" ? "when I confirm" : "by itself"}${hours}`;
}
