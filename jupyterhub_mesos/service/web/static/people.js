// An admin follows what became of a user of the hub: a new name, or gone.
import { call } from "./api.js";
import { order } from "./levers.js";

const result = document.getElementById("people-result");
const user = { name: "user", label: "User", required: "", maxlength: "255", autocomplete: "off" };
const path = (name, what) => `users/${encodeURIComponent(name.trim())}/${what}`;

document.getElementById("rename")?.addEventListener("click", () => order({
  title: "A user has a new name",
  text: "What the user has here is the new name's from now on: requests, what runs, caps, what was spent of budgets. What is over keeps the old name. Rename in the hub first, while no notebook of the user runs.",
  fields: [user, { name: "to", label: "New name", required: "", maxlength: "255", autocomplete: "off" }],
  confirm: "Rename",
  send: async ({ user: name, to, reason }) => {
    const found = await call("POST", path(name, "rename"), { to: to.trim(), reason });
    result.textContent = `What ${name} had is ${found.user}'s now: ${found.waiting} waiting, ${found.active} running.`;
  },
}));

document.getElementById("leave")?.addEventListener("click", () => order({
  title: "A user has left",
  text: "What waits of the user is withdrawn and what runs is stopped. What was spent of the team's budget stays spent; files are not touched.",
  fields: [user],
  confirm: "End everything", isDanger: true,
  send: async ({ user: name, reason }) => {
    const found = await call("POST", path(name, "leave"), { reason });
    result.textContent = `What ${name} had is ended${found.active ? `; ${found.active} still being stopped` : ""}.`;
  },
}));
