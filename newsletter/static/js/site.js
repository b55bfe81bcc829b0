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
    // A button that fills a frame, or another tab, leaves the page as it is.
    if (form.method !== "post" || event.submitter?.formTarget) return;
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

  // Ticks every topic, or none if all are ticked. Without this file, the button is not shown.
  document.querySelectorAll("button[data-select-all]").forEach((button) => {
    const boxes = [...button.closest("[data-topics]").querySelectorAll('input[type="checkbox"]')];
    const all = button.textContent;
    const show = () => {
      button.textContent = boxes.every((box) => box.checked) ? button.dataset.none : all;
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      const wanted = boxes.some((box) => !box.checked);
      boxes.forEach((box) => {
        if (box.checked === wanted) return;
        box.checked = wanted;
        box.dispatchEvent(new Event("change", { bubbles: true }));
      });
    });
    boxes.forEach((box) => box.addEventListener("change", show));
    addEventListener("pageshow", show); // Back brings the ticks back
    show();
  });

  // A preview follows what is typed; without this file there is a button for it.
  document.querySelectorAll("form[data-live]").forEach((form) => {
    const button = document.getElementById(form.dataset.live);
    let waiting;
    const show = () => form.requestSubmit(button);
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(show, 600);
    });
    show();
  });

  // Filters apply as they are chosen; without this file there is a button for it.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-apply]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });
})();
