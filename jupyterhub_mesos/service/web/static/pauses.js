// Paused queues: what a page says of them, and the levers to pause and resume.
import { call, element } from "./api.js";
import { lever, moment } from "./levers.js";

export const queueName = (team) => (team ? `the queue of team ${team}` : "the whole queue");

export function pauseOrder(teams, done) {
  const isChoice = teams.length > 1;
  return {
    title: isChoice ? "Pause a queue" : `Pause ${queueName(teams[0])}`,
    text: "Nothing new starts until it is resumed. What runs goes on; who waits keeps the place and reads the reason.",
    fields: isChoice ? [{ name: "team", label: "Which queue", options: teams.map((team) => [team, team ? `Team ${team}` : "The whole queue"]) }] : [],
    confirm: "Pause", isDanger: true,
    send: async ({ team = teams[0], reason }) => done(await call("POST", "queue/pause", { team: team || null, reason })),
  };
}

export function resumeOrder(pause, done) {
  return {
    title: `Resume ${queueName(pause.team)}`,
    text: `It was paused for: ${pause.reason || "no reason that is known"}. What waits starts in its order.`,
    confirm: "Resume",
    send: async ({ reason }) => done(await call("POST", "queue/resume", { team: pause.team, reason })),
  };
}

export function resumeLever(pause, done) {
  return lever("Resume", queueName(pause.team), () => resumeOrder(pause, done));
}

/** Say of each paused queue why, since when and, to admins, by whom. */
export function pauseBanner(pause, done) {
  const banner = element("div", "", { class: "banner warn levers" });
  const name = queueName(pause.team);
  const said = element("p");
  said.append(element("strong", `${name[0].toUpperCase()}${name.slice(1)} is paused`));
  if (pause.since !== null) said.append(" since ", moment(pause.since));
  if (pause.by) said.append(` by ${pause.by}`);
  said.append(pause.reason ? `: ${pause.reason}` : ".");
  banner.append(said);
  if (pause.may_resume) banner.append(resumeLever(pause, done));
  return banner;
}
