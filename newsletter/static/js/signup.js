/* The sign-up page notices the time zone and shows what belongs to the chosen topics. Works without this file. */
(() => {
  "use strict";

  const zones = document.getElementById("time_zone");

  // Only while nobody has chosen: a form that came back keeps what was in it.
  if (zones && zones.hasAttribute("data-notice")) {
    let zone = "";
    try {
      zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
    } catch {
      // a browser that does not tell: the newsletter's own zone stays
    }
    const known = [...zones.options].find((option) => option.value === zone);
    if (known) known.selected = true;
    // An older name for a zone (Asia/Calcutta): the server knows them all.
    else if (/^[A-Z][\w+-]*\/[\w+/-]+$/.test(zone)) zones.add(new Option(zone.replace(/_/g, " "), zone, true, true));
  }

  document.querySelectorAll("[data-noticed]").forEach((shown) => {
    const field = document.getElementById(shown.dataset.noticed);
    const show = () => {
      shown.textContent = field.selectedOptions[0].textContent;
    };
    if (!field) return;
    field.addEventListener("change", show);
    show();
  });

  // How often for each topic: only the topics that are ticked.
  const rows = [...document.querySelectorAll(".often[data-topic]")];
  const sort = () => {
    const ticked = rows.filter((row) => document.getElementById(row.dataset.topic)?.checked);
    rows.forEach((row) => {
      row.hidden = ticked.length > 0 && !ticked.includes(row);
    });
  };
  rows.forEach((row) => document.getElementById(row.dataset.topic)?.addEventListener("change", sort));
  if (rows.length) sort();
  addEventListener("pageshow", () => rows.length && sort()); // Back brings the ticks back
})();
