// Light or dark as chosen with the hub's own toggle; else as the system prefers. Loaded before the page is drawn.
function applyTheme() {
  const chosen = localStorage.getItem("jupyterhub-bs-theme"); // where the hub keeps it
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}
applyTheme();
// Pages that are drawn whole by the service say times in the viewer's zone, too.
const { pathname } = new URL("..", document.currentScript.src);
document.cookie = `capacity-zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; Path=${pathname}; SameSite=Lax; Max-Age=31536000`;
window.addEventListener("storage", applyTheme);
