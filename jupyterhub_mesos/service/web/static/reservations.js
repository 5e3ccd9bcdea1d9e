// What is booked for my teams, live, and the levers of those who may book.
import { amounts, call, callAll, cells, element, follow, show } from "./api.js";
import { lever, localMoment, moment, order, replaceRows, zone } from "./levers.js";

const body = document.getElementById("reservations");
const past = document.getElementById("past");
const book = document.getElementById("book");
const WORDS = { coming: ["Coming", "wait"], now: ["Now", "ok"], past: ["Over", ""], cancelled: ["Cancelled", ""] };
const HOUR_MS = 3600000;
const LOOK_MS = 60000;

function when(view) {
  const made = element("div");
  made.append(moment(view.starts_at), element("div", "", { class: "row-text" }));
  made.lastChild.append("until ", moment(view.ends_at));
  return made;
}

function what(view) {
  const made = element("div", view.title || "—");
  if (view.reason) made.append(element("div", view.reason, { class: "row-text" }));
  if (view.cancelled_because) made.append(element("div", `cancelled: ${view.cancelled_because}`, { class: "row-text" }));
  return made;
}

function standing(view) {
  const made = element("div", "", { class: "actions" });
  const [word, colour] = WORDS[view.state];
  made.append(element("span", word, { class: `pill ${colour}` }));
  if (view.may_cancel) {
    made.append(lever("Cancel", `the reservation ${view.title || view.id} of team ${view.team}`, () => ({
      title: `Cancel ${view.title || view.id}`,
      text: `What is booked for team ${view.team} is free for others at once.`,
      confirm: "Cancel the reservation", dismiss: "Keep it", isDanger: true,
      send: async ({ reason }) => { await call("POST", `reservations/${encodeURIComponent(view.id)}/cancel`, { reason }); await refresh(); },
    })));
  }
  return made;
}

function line(view) {
  const made = element("tr");
  const each = amounts(view.resources);
  made.append(...cells({
    When: when(view), Team: view.team, "What for": what(view), Booked: view.replicas > 1 ? `${view.replicas} × (${each})` : each,
    By: view.booked_by, Stands: standing(view),
  }));
  return made;
}

function display({ items }) {
  replaceRows(body, items.map(line));
  document.getElementById("reservations-table").hidden = items.length === 0;
  document.getElementById("empty").hidden = items.length > 0;
}

async function refresh() {
  display(await callAll("reservations"));
  if (past.open) await showPast();
}

async function showPast() {
  const { items } = await callAll("reservations?past=true");
  const over = items.filter((view) => view.state === "past" || view.state === "cancelled");
  document.getElementById("past-rows").replaceChildren(...over.map(line));
  document.getElementById("past-table").hidden = over.length === 0;
  document.getElementById("past-empty").hidden = over.length > 0;
}

const refreshOrSay = () => refresh().catch((error) => show(error.message));

function booking() {
  const teams = JSON.parse(book.dataset.teams), flavors = JSON.parse(book.dataset.flavors);
  const begin = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
  const number = (name, label, more) => ({ name, label, type: "number", required: "", min: "0", ...more });
  return {
    title: "Book capacity",
    text: "It is a promise: from its begin to its end the team has so much beside its guarantee, and nobody else uses it.",
    fields: [
      { name: "team", label: "Team", options: teams.map((team) => [team, team]) },
      { name: "title", label: "What it is for", maxlength: "200", placeholder: "the class, the deadline", autocomplete: "off" },
      { name: "starts", label: "From", type: "datetime-local", required: "", value: localMoment(begin), hint: `In your time zone, ${zone()}.` },
      { name: "ends", label: "Until", type: "datetime-local", required: "", value: localMoment(begin + 2 * HOUR_MS) },
      number("replicas", "How many places", { value: "1", min: "1", max: "1024" }),
      number("cpu", "CPU of each", { value: "1", step: "0.1" }),
      number("memory", "Memory of each, in GiB", { value: "1", step: "0.25" }),
      ...flavors.map((flavor) => number(`flavor-${flavor}`, `${flavor} of each`, { value: "0" })),
    ],
    confirm: "Book",
    send: async (said) => {
      const accelerators = Object.fromEntries(flavors.map((flavor) => [flavor, Number(said[`flavor-${flavor}`])]).filter(([, count]) => count > 0));
      await call("POST", "reservations", {
        team: said.team, title: said.title, reason: said.reason, replicas: Number(said.replicas),
        resources: { cpu_millis: Math.round(said.cpu * 1000), mem_mib: Math.round(said.memory * 1024), accelerators },
        starts_at: new Date(said.starts).toISOString(), ends_at: new Date(said.ends).toISOString(),
      });
      await refresh();
    },
  };
}

book?.addEventListener("click", () => order(booking()));
past.addEventListener("toggle", () => { if (past.open) showPast().catch((error) => show(error.message)); });
display(JSON.parse(body.dataset.reservations));
follow({ reserved: refreshOrSay, resync: refreshOrSay });
setInterval(() => { if (!document.hidden) refreshOrSay(); }, LOOK_MS); // one begins or ends by time alone
