// What the inbox does better with JavaScript; everything works without it.
"use strict";

htmx.config.includeIndicatorStyles = false; // the page's policy allows no inline styles
htmx.config.attributesToSettle = []; // neither as attributes
htmx.config.allowEval = false;
htmx.config.historyCacheSize = 0; // what is under review is kept nowhere in the browser
htmx.config.refreshOnHistoryMiss = true;
// Refusals are pages too: they say what is wrong, and keep what was typed.
htmx.config.responseHandling = [{ code: "204", swap: false }, { code: "...", swap: true }];

(function followCounts() {
  const longestWait = 30000;
  const shortestWait = 1000;
  const signedOut = [4401, 4403];
  let socket = null;
  let wait = shortestWait;

  function show(counts) {
    let isNews = false;
    for (const badge of document.querySelectorAll("[data-count]")) {
      const count = String(counts[badge.dataset.count] || 0);
      if (badge.textContent.trim() !== count) isNews = true;
      badge.textContent = count;
      badge.hidden = count === "0";
    }
    if (isNews) for (const news of document.querySelectorAll("[data-news]")) news.hidden = false;
  }

  function connect() {
    if (socket !== null || document.querySelector("[data-count]") === null) return;
    const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${window.location.host}/ws/v1/inbox/`);
    socket.addEventListener("message", (event) => {
      wait = shortestWait;
      show(JSON.parse(event.data).counts);
    });
    socket.addEventListener("close", (event) => {
      if (signedOut.includes(event.code)) return; // the next page says so
      socket = null;
      window.setTimeout(connect, wait);
      wait = Math.min(longestWait, wait * 2);
    });
  }

  document.addEventListener("htmx:afterSwap", connect);
  connect();
})();
