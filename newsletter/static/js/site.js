/* Small comforts. Every page works without this file. */
(() => {
  "use strict";

  // aria-disabled, not disabled: the pressed button's name and value must still travel.
  const rest = (form, sent) => {
    if (sent) form.dataset.sent = "yes";
    else delete form.dataset.sent;
    form.querySelectorAll("button").forEach((button) => button.setAttribute("aria-disabled", String(sent)));
  };

  // A second click on a slow connection must not post twice: the buttons rest until the page changes.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    rest(form, true);
    setTimeout(() => rest(form, false), 10000); // the network gave up and the page is still here
  });

  // Coming back by the browser's Back button shows the old page as it was left: wake the buttons.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach((form) => rest(form, false));
  });

  // Says that somebody is here: when very many sign up at once, forms that say so go first.
  const seen = document.querySelector('input[name="seen"]');
  if (seen) {
    const note = (event) => {
      if (event.isTrusted) seen.value = "yes";
    };
    ["keydown", "pointerdown"].forEach((kind) => addEventListener(kind, note, { capture: true }));
  }

  // Filters apply as they are chosen; without this file there is a button for it.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-apply]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });
})();
