// The forms of usage and audit ask without the fields that are empty.
const form = document.querySelector("form.filter");

form.addEventListener("submit", () => {
  for (const input of form.elements) if (input.name && !input.value) input.disabled = true;
});
window.addEventListener("pageshow", () => { for (const input of form.elements) input.disabled = false; });
