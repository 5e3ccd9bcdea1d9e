// The nodes, live: how each stands, what stands on it, and an admin's levers.
import { amounts, call, callAll, cells, element, follow, prefix, show, showCapacity } from "./api.js";
import { lever, moment, replaceRows } from "./levers.js";

const body = document.getElementById("nodes");
const isAdmin = body.dataset.admin === "yes";
const WORDS = {
  open: ["Open", "ok", "takes new work"],
  closed: ["Closed", "wait", "its backend has closed it"],
  cordoned: ["Cordoned", "wait", "takes nothing new; what runs stays"],
  draining: ["Draining", "wait", "takes nothing new, and is being emptied"],
  drained: ["Drained", "", "nothing stands there: it can be taken away"],
};

function standing(node) {
  const [word, colour, meaning] = WORDS[node.standing];
  const made = element("div");
  made.append(element("span", word, { class: `pill ${colour}` }), element("div", meaning, { class: "row-text" }));
  return made;
}

function why(node) {
  const made = element("div");
  if (node.reason) made.append(element("div", node.reason));
  const told = element("div", "", { class: "row-text" });
  if (node.since !== null) told.append("since ", moment(node.since));
  if (node.by) told.append(` by ${node.by}`);
  if (told.childNodes.length) made.append(told);
  return made.childNodes.length ? made : "";
}

function held(node) {
  const count = `${node.held} ${node.held === 1 ? "workload" : "workloads"}`;
  if (!node.holds.length) return node.held ? count : "nothing";
  const made = element("details", "", node.standing === "open" ? {} : { open: "" });
  const list = element("ul", "", { class: "plain" });
  list.append(...node.holds.map((one) => {
    const item = element("li");
    const title = `${one.kind[0].toUpperCase()}${one.kind.slice(1)} ${one.name}`.trim();
    item.append(element("a", title, { href: `${prefix}requests/${encodeURIComponent(one.request_id)}` }), ` of ${one.user}, team ${one.team}: ${amounts(one.resources)}, ${one.state}`);
    return item;
  }));
  made.append(element("summary", count), list);
  return made;
}

function free(node) {
  if (!node.is_reported) return "not reported";
  const made = element("div", amounts(node.free));
  made.append(element("div", `of ${amounts(node.capacity)}`, { class: "row-text" }));
  return made;
}

const path = (node, what) => `nodes/${encodeURIComponent(node.id)}/${what}`;

function levers(node) {
  const about = `node ${node.id}`;
  const made = element("div", "", { class: "actions" });
  const isCordoned = !["open", "closed"].includes(node.standing);
  if (!isCordoned) {
    made.append(lever("Cordon", about, () => ({
      title: `Cordon ${about}`, text: "It takes nothing new. What runs there stays.", confirm: "Cordon",
      send: async ({ reason }) => { await call("POST", path(node, "cordon"), { reason }); await refresh(); },
    })));
  }
  if (node.standing !== "drained" && node.standing !== "draining") {
    const what = node.held ? `What stands there (${node.held}) is stopped now and waits again at its old place; a notebook loses what its kernel holds.` : "Nothing stands there now.";
    made.append(lever("Drain", about, () => ({
      title: `Drain ${about}`, text: `It takes nothing new. ${what}`, confirm: "Drain", isDanger: true,
      send: async ({ reason }) => { await call("POST", path(node, "cordon"), { reason, drains: true }); await refresh(); },
    })));
  }
  if (isCordoned) {
    made.append(lever("Uncordon", about, () => ({
      title: `Uncordon ${about}`, text: "It takes new work again, where its backend agrees.", confirm: "Uncordon",
      send: async ({ reason }) => display(await call("POST", path(node, "uncordon"), { reason })),
    })));
  }
  return made;
}

function name(node) {
  const made = element("div", node.id);
  const told = [node.zone ? `zone ${node.zone}` : "", ...Object.entries(node.labels).map(([label, value]) => `${label}=${value}`)];
  for (const one of told.filter(Boolean)) made.append(element("div", one, { class: "row-text" }));
  return made;
}

function line(node) {
  const made = element("tr");
  made.append(...cells({ Node: name(node), Stands: standing(node), Free: free(node), Holds: held(node), Why: why(node), ...(isAdmin ? { Actions: levers(node) } : {}) }));
  return made;
}

function display({ items }) {
  replaceRows(body, items.map(line));
  document.getElementById("nodes-table").hidden = items.length === 0;
  document.getElementById("empty").hidden = items.length > 0;
}

async function refresh() {
  display(await callAll("nodes"));
}

const refreshOrSay = () => refresh().catch((error) => show(error.message));

display(JSON.parse(body.dataset.nodes));
follow({ capacity: (capacity) => { showCapacity(capacity); refreshOrSay(); }, cordoned: refreshOrSay, resync: refreshOrSay });
