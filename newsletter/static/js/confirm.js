/* Sends the confirmation in the browser that asked for it: the server adds this file to that page alone.
   A page that nobody sees sends nothing: it may be loaded in advance, or in a tab in the background. */
(() => {
  "use strict";

  const form = document.querySelector("form[data-own]");
  let sent = false;
  const send = () => {
    if (!form || sent || document.prerendering || document.visibilityState !== "visible") return;
    sent = true;
    form.requestSubmit();
  };
  document.addEventListener("visibilitychange", send);
  document.addEventListener("prerenderingchange", send);
  send();
})();
