"use strict";
// Enhancement only: every page works without it.

// Keyboard: j and k go through rows, Enter opens, x marks, ? shows the keys.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement.closest("[data-row]"));
  const to = { j: at + 1, k: at - 1 }[event.key];
  if (to !== undefined && rows[to]) {
    rows[to].querySelector("a").focus();
    rows[to].scrollIntoView({ block: "nearest" });
    event.preventDefault();
  } else if (event.key === "x" && at >= 0) {
    const box = rows[at].querySelector("input[type=checkbox]");
    if (box) box.click();
  } else if (event.key === "?") {
    const keys = document.querySelector("details.keys");
    if (keys) keys.open = !keys.open;
  }
});

// Mark all rows at once.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-mark-all]")) return;
  for (const box of document.querySelectorAll("[data-row] input[type=checkbox]")) box.checked = event.target.checked;
});

// The live inbox: the server says that something is new; the person decides when to look.
const live = document.querySelector("[data-live]");
if (live && "EventSource" in window) {
  const source = new EventSource(live.dataset.live);
  source.addEventListener("news", (event) => {
    live.querySelector("[data-count]").textContent = event.data;
    live.hidden = false;
  });
  addEventListener("pagehide", () => source.close());
}
