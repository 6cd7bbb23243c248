// Faults on the way, and what was typed meanwhile: it stays in the page, and is kept in this tab over signing in again.
"use strict";

(function keepTyped() {
  const aboutToEnd = 5 * 60 * 1000;
  const notTyped = ["csrfmiddlewaretoken", "content_hash", "zone"];

  const inbox = () => document.getElementById("inbox");
  const fields = () => [...document.querySelectorAll("#inbox form[method=post] [name]")].filter(isTyped);
  const isTyped = (field) => field.type !== "submit" && !notTyped.includes(field.name);
  const isTicked = (field) => field.type === "checkbox" || field.type === "radio";
  const place = () => `typed:${inbox().dataset.member}:${window.location.pathname}`;

  function tell(name) {
    for (const fault of document.querySelectorAll("[data-fault]")) fault.hidden = fault.dataset.fault !== name;
    const told = document.querySelector(`[data-fault="${name}"]`);
    if (told === null) return;
    for (const link of told.querySelectorAll("[data-sign-in]")) {
      const here = window.location.pathname + window.location.search;
      link.href = `${link.pathname}?next=${encodeURIComponent(here)}`;
      link.onclick = keep;
    }
    if (name !== "ending") told.focus();
  }

  function keep() {
    const typed = fields().map((field) => [field.name, field.value, isTicked(field) ? field.checked : null]);
    if (typed.length > 0) window.sessionStorage.setItem(place(), JSON.stringify(typed));
  }

  function restore() {
    const kept = window.sessionStorage.getItem(place());
    if (kept === null) return;
    window.sessionStorage.removeItem(place());
    let isNews = false;
    for (const [name, value, isChecked] of JSON.parse(kept)) {
      const field = fields().find((one) => one.name === name && (isTicked(one) ? one.value === value : isChecked === null && one.type !== "hidden"));
      if (field === undefined) continue;
      if (isTicked(field) ? field.checked === isChecked : field.value === value) continue;
      if (isTicked(field)) field.checked = isChecked;
      else field.value = value;
      for (let fold = field.closest("details"); fold !== null; fold = fold.parentElement.closest("details")) fold.open = true;
      isNews = true;
    }
    if (isNews) tell("restored");
  }

  function watchTheEnd() {
    const left = Number(inbox().dataset.endsIn) * 1000 - aboutToEnd;
    if (left < 2 ** 31) window.setTimeout(() => tell("ending"), Math.max(left, 0));
  }

  function tellTheZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone || zone === inbox().dataset.zone) return;
    const before = document.cookie;
    const secure = window.location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    // Once: a zone the server does not know, or a browser that keeps no cookies, would load the page for ever.
    if (document.cookie !== before && document.querySelector("[aria-invalid]") === null) window.location.reload();
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status < 400) window.sessionStorage.removeItem(place());
    if (xhr.status < 400 || xhr.responseText.includes('id="inbox"')) {
      tell("");
      return;
    }
    event.detail.shouldSwap = false;
    keep();
    if (xhr.status === 401) {
      tell("ended");
      return;
    }
    document.querySelector("[data-status]").textContent = String(xhr.status);
    tell("failed");
  });
  document.addEventListener("htmx:sendError", () => tell("away"));
  document.addEventListener("htmx:timeout", () => tell("away"));
  if (inbox() !== null) {
    tellTheZone();
    restore();
    watchTheEnd();
  }
})();
