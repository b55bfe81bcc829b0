/* Buttons that copy a text. Without this file they are not shown, and the text can be selected. */
(() => {
  "use strict";

  if (!navigator.clipboard) return;
  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const said = button.parentElement.querySelector("[role=status]");
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        said.textContent = "Copied";
      } catch {
        said.textContent = "Please select it and copy it yourself";
      }
    });
  });
})();
