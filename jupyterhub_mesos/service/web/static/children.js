// What a request asked for in its turn: the jobs and models of a pipeline, or of a notebook.
import { amounts, call, element, isOver, prefix, standing } from "./api.js";

const HAVE_CHILDREN = new Set(["notebook", "pipeline"]);
const section = document.getElementById("children-section");
const list = document.getElementById("children");
let known = [];

/** Read a request's children and show them; say whether they may still change. */
export async function readChildren(request) {
  try {
    const page = await call("GET", `requests?parent=${encodeURIComponent(request.id)}`);
    known = page.items.toReversed(); // in the order in which they were asked for
    display();
  } catch { /* the page's status says that the service is away; the next turn asks again */
    return true;
  }
  return (!isOver(request) && (HAVE_CHILDREN.has(request.kind) || known.length > 0)) || known.some((child) => !isOver(child));
}

function display() {
  section.hidden = known.length === 0;
  const shown = JSON.stringify(known.map((child) => [child.id, standing(child), child.message]));
  if (list.dataset.shown === shown) return; // a link that has the focus keeps it
  list.dataset.shown = shown;
  list.replaceChildren(...known.map(line));
}

function line(child) {
  const made = element("li", "", { class: "row" }), main = element("div", "", { class: "row-main" });
  const [word, colour] = standing(child);
  const title = `${child.kind[0].toUpperCase()}${child.kind.slice(1)} ${child.name}`.trim();
  const asked = child.replicas > 1 ? `${child.replicas} × (${amounts(child.resources)})` : amounts(child.resources);
  main.append(
    element("a", title, { class: "row-title", href: `${prefix}requests/${encodeURIComponent(child.id)}` }),
    element("div", child.explanation?.sentence || child.message || asked, { class: "row-text" }),
  );
  made.append(main, element("span", word, { class: `pill ${colour}` }));
  return made;
}
