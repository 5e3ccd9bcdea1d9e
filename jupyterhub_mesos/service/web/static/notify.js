// Notices of the browser's own: asked for once, by a button, and given only while the page is not looked at.

const button = document.getElementById("notify");
const permission = () => (typeof Notification === "undefined" ? "denied" : Notification.permission);

/** Offer notices while something is waited for, where the browser was not asked yet. */
export function offerNotices(isWaiting) {
  button.hidden = !isWaiting || permission() !== "default";
}

/** Tell a person who looks elsewhere; a second notice `about` the same takes the place of the first. */
export function tell(about, text) {
  if (!document.hidden || permission() !== "granted") return;
  const notice = new Notification("JupyterHub", { body: text, tag: about });
  notice.addEventListener("click", () => { window.focus(); notice.close(); });
}

button.addEventListener("click", async () => {
  await Notification.requestPermission();
  offerNotices(false);
});
