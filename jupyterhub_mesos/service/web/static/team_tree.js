// The tree of teams as a picture: as wide as each is guaranteed, filled as far as it is used.
import { amounts, describeAmount } from "./api.js";

const ROW = 46, GAP = 2, LETTER = 7.2, NARROW = 34;
const SVG = "http://www.w3.org/2000/svg";
const amountOf = (resources, key) => (key.startsWith("accelerator/") ? resources.accelerators[key.slice(12)] ?? 0 : resources[key] ?? 0);

function drawn(tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** Return how much each team is wide: what it is guaranteed, or what those under it are. */
function widths(teams, key) {
  const known = new Set(teams.map((view) => view.id));
  const under = new Map();
  for (const view of teams) {
    const parent = known.has(view.team.parent) ? view.team.parent : null;
    under.set(parent, [...(under.get(parent) ?? []), view]);
  }
  const wide = new Map();
  const measure = (view) => {
    const below = (under.get(view.id) ?? []).reduce((sum, child) => sum + measure(child), 0);
    wide.set(view.id, Math.max(amountOf(view.team.guarantee, key), below));
    return wide.get(view.id);
  };
  const total = (under.get(null) ?? []).reduce((sum, view) => sum + measure(view), 0);
  return { under, wide, total };
}

/** Draw the tree for one amount into an element; `pick` is called with the team that is clicked. */
export function drawTree(place, teams, key, pick) {
  const width = Math.max(280, place.clientWidth);
  const { under, wide, total } = widths(teams, key);
  let depth = 0;
  const blocks = [];
  const lay = (views, x, level, scale) => {
    depth = Math.max(depth, views.length ? level + 1 : depth);
    for (const view of views) {
      const w = wide.get(view.id) * scale;
      if (w > 0) blocks.push(block(view, { x, y: level * ROW, w }, key, pick));
      if (w > 0) lay(under.get(view.id) ?? [], x, level + 1, scale);
      x += w;
    }
  };
  lay(under.get(null) ?? [], 0, 0, total ? width / total : 0);
  const text = `The tree of teams, as wide as their guarantees of ${describeAmount(key, total)} together. The table below says the same.`;
  const picture = drawn("svg", { viewBox: `0 0 ${width} ${depth * ROW}`, width, height: depth * ROW, role: "img", "aria-label": text, class: "tree" });
  picture.append(...blocks);
  place.replaceChildren(picture);
  place.hidden = blocks.length === 0;
}

function block(view, { x, y, w }, key, pick) {
  const guaranteed = amountOf(view.team.guarantee, key), used = amountOf(view.used, key), borrowed = amountOf(view.borrowed, key);
  const inside = Math.max(1, w - GAP), height = ROW - GAP;
  const part = guaranteed ? Math.min(1, Math.max(0, used - borrowed) / guaranteed) : used ? 1 : 0;
  const made = drawn("g", { class: pick && view.may_edit ? "team may" : "team", transform: `translate(${x} ${y})` });
  const name = view.team.title || view.id;
  made.append(
    drawn("title", {}, `${name}: guaranteed ${amounts(view.team.guarantee)}; holds ${amounts(view.used)}, of it borrowed ${amounts(view.borrowed)}`),
    drawn("rect", { class: "whole", width: inside, height, rx: 4 }), drawn("rect", { class: borrowed ? "used over" : "used", y: height - 6, width: inside * part, height: 6, rx: 2 }),
  );
  const letters = Math.floor((inside - 12) / LETTER);
  if (inside > NARROW) {
    made.append(drawn("text", { x: 7, y: 17, class: "name" }, name.length > letters ? `${name.slice(0, Math.max(1, letters - 1))}…` : name));
    const said = `${describeAmount(key, used)} of ${describeAmount(key, guaranteed)}`;
    if (said.length <= letters) made.append(drawn("text", { x: 7, y: 32, class: "amount" }, said));
  }
  if (pick && view.may_edit) made.addEventListener("click", () => pick(view));
  return made;
}
