// Adds a copy button to the page that shows a token. Everything else works without scripts.
"use strict";

for (const button of document.querySelectorAll("[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  const told = document.getElementById(`${button.dataset.copies}-told`);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      told.textContent = field.dataset.copied;
    } catch {
      field.focus();
      field.select();
      told.textContent = field.dataset.failed;
    }
  });
}
