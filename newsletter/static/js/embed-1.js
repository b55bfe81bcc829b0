/* The sign-up form of a newsletter, answered in place. For pages of other sites:
     <form data-newsletter action="https://news.example.org/subscribe/embed" method="post"> ... </form>
     <script src="https://news.example.org/embed/1.js" async></script>
   Loads nothing else, keeps nothing, sends no cookie. Whenever something is in the way, the form goes
   the way that it would have gone without this file. */
(() => {
  "use strict";

  const SOONEST = 1300; // what is sent faster than a person types is asked for again
  const ready = new WeakSet();

  const enhance = (form) => {
    if (ready.has(form)) return;
    ready.add(form);

    const answer = document.createElement("div");
    answer.className = "newsletter-answer";
    answer.setAttribute("role", "status");
    const button = form.querySelector("button, [type=submit]");
    if (button) (button.closest("p") || button).after(answer);
    else form.append(answer);

    let opened; // when our server saw the form opened, and its word for that
    const open = () => {
      const word = () => ask(`${form.action.replace(/[?#].*/, "")}/opened`).then((it) => it.opened);
      opened ??= { at: Date.now(), word: word().catch(() => "") };
      return opened;
    };
    form.addEventListener("focusin", open, { once: true });

    let sending = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (sending) return;
      sending = true;
      form.setAttribute("aria-busy", "true");
      send(form, open(), event.submitter)
        .then((it) => show(form, answer, it))
        .catch(() => HTMLFormElement.prototype.submit.call(form))
        .finally(() => {
          sending = false;
          form.removeAttribute("aria-busy");
        });
    });
  };

  const ask = async (url, body) => {
    const got = await fetch(url, {
      method: body ? "POST" : "GET",
      headers: { Accept: "application/json" },
      body,
      credentials: "omit",
      referrerPolicy: "origin",
    });
    return got.json();
  };

  const send = async (form, opened, button) => {
    const word = await opened.word;
    if (!word) throw new Error("we may not ask from here");
    const early = opened.at + SOONEST - Date.now();
    if (early > 0) await new Promise((later) => setTimeout(later, early));
    const fields = new URLSearchParams(new FormData(form));
    if (button?.name) fields.append(button.name, button.value);
    fields.set("opened", word);
    fields.set("seen", "yes");
    if (!fields.has("time_zone")) {
      fields.set("time_zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "");
    }
    const it = await ask(form.action, fields);
    if (it.outcome === "press") throw new Error("our page asks for the button");
    return it;
  };

  const show = (form, answer, it) => {
    if (it.next) {
      location.assign(it.next);
      return;
    }
    const parts = [];
    const line = (text, tag = "p") => {
      const made = document.createElement(tag);
      made.textContent = text;
      parts.push(made);
      return made;
    };
    if (it.title) line(it.title).className = "newsletter-answer-title";
    if (it.message) line(it.message);
    for (const fault of it.faults || []) line(fault.message);
    if (it.hinted) keep(form, "hinted", it.hinted);
    if (it.use) {
      const button = line(it.use_words, "button");
      button.name = "use";
      button.value = it.use;
    }
    form.dataset.outcome = it.outcome;
    answer.replaceChildren(...parts);
    if (it.outcome === "asked") {
      form.replaceChildren(answer);
      answer.tabIndex = -1;
      answer.focus();
      return;
    }
    for (const field of form.elements) field.removeAttribute("aria-invalid");
    const first = (it.faults || []).map((fault) => form.elements.namedItem(fault.field)).find((field) => field);
    const wrong = first instanceof RadioNodeList ? first[0] : first;
    if (wrong && wrong.type !== "hidden") {
      wrong.setAttribute("aria-invalid", "true");
      wrong.focus();
    }
  };

  const keep = (form, name, value) => {
    let field = form.elements.namedItem(name);
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      form.append(field);
    }
    field.value = value;
  };

  const begin = () => document.querySelectorAll("form[data-newsletter]").forEach(enhance);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
