// Light or dark as chosen with the hub's own toggle; else as the system prefers. Loaded before the page is drawn.
function applyTheme() {
  const chosen = localStorage.getItem("jupyterhub-bs-theme"); // where the hub keeps it
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}
applyTheme();
window.addEventListener("storage", applyTheme);
