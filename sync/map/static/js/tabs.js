// The tabs of the panel.

import { $, rove } from "./page.js";

/** Shows what a tab stands for. */
export function select(tab) {
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (tab.id !== "tab-findings") $("finding").hidden = true;
}

/** Makes the tabs work; `opened` hears which one was pressed. */
export function tabs(opened) {
  const bar = document.querySelector("[role=tablist]");
  rove(bar, "[role=tab]", ["ArrowLeft", "ArrowRight"]);
  for (const tab of bar.children) {
    tab.addEventListener("click", () => {
      select(tab);
      opened(tab);
    });
    tab.addEventListener("focus", () => tab.getAttribute("aria-selected") !== "true" && tab.click());
  }
}
