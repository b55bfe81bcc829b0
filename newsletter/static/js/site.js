/* Small comforts. Every page works without this file. */
(() => {
  "use strict";

  // A second click on a slow connection must not post twice: the button rests until the page changes.
  // A name and value on the button still travel, so it is disabled only after the form is read.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    setTimeout(() => form.querySelectorAll("button").forEach((button) => button.setAttribute("aria-disabled", "true")), 0);
  });

  // Coming back by the browser's Back button shows the old page as it was left: wake the buttons.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll("button").forEach((button) => button.removeAttribute("aria-disabled"));
    });
  });

  // Filters apply as they are chosen; without this file there is a button for it.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-apply]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });
})();
