// The findings in this part of the map as a list: all that the map shows, for keyboards and screen readers too.

import { $, make, rove } from "./page.js";
import { icon } from "./shapes.js";
import { known, labelName, percent, shortDate, since, t } from "./words.js";

const STEP = 60;
/** States that need no word in the list. */
const USUAL = new Set(["seen", "seen_again"]);

export class List {
  #found = [];
  #most = STEP;
  #chosen;
  #fresh = new Set();

  constructor(chosen) {
    this.#chosen = chosen;
    $("more").addEventListener("click", () => {
      const first = this.#most;
      this.#most += STEP;
      this.#draw();
      $("list").children[first]?.querySelector("button").focus();
    });
    rove($("list"), "button");
  }

  /** Shows `found`; `told` is said above them, `none` where there are none. */
  show(found, told, none) {
    this.#found = [...found].sort((one, other) => other.at - one.at || other.order - one.order);
    this.#most = STEP;
    $("shown").textContent = told;
    this.#draw(none);
  }

  /** Marks those that have just come. */
  fresh(findings) {
    for (const { id } of findings) this.#fresh.add(id);
  }

  /** The finding before or after another one in the list. */
  beside({ id }, step) {
    const here = this.#found.findIndex((each) => each.id === id);
    return here < 0 ? undefined : this.#found[here + step];
  }

  focus({ id }) {
    const button = [...$("list").querySelectorAll("button")].find((each) => each.dataset.id === id);
    (button ?? $("findings")).focus();
  }

  #draw(none = "") {
    const list = $("list");
    const kept = document.activeElement?.closest("#list") ? document.activeElement.dataset.id : null;
    const rows = this.#found.slice(0, this.#most).map((finding) => this.#row(finding));
    list.replaceChildren(...rows);
    if (!rows.length && none) list.append(make("li", { class: "none", text: none }));
    const first = list.querySelector("button");
    if (first) first.tabIndex = 0;
    if (kept) this.focus({ id: kept });
    const left = this.#found.length - this.#most;
    $("more").hidden = left <= 0;
    $("more").textContent = t("more", { n: Math.min(left, STEP) });
  }

  #row(finding) {
    const { label, at, told, state } = finding;
    const score = told.score === null ? "" : percent(told.score);
    const said = [labelName(label), shortDate(at), score && t("score_of", { share: score }), state !== "seen" && known("finding", state)];
    const button = make("button", {
      type: "button",
      class: this.#fresh.has(finding.id) ? "row fresh" : "row",
      tabindex: "-1",
      "data-id": finding.id,
      "aria-label": said.filter(Boolean).join(", "),
      inside: [
        icon(label, 22),
        make("span", { class: "what", text: labelName(label) }),
        make("time", { datetime: new Date(at).toISOString(), title: since(at), text: shortDate(at) }),
        !USUAL.has(state) && make("span", { class: `state state-${state}`, text: known("finding", state) }),
        make("span", { class: "score", text: score }),
        told.photo && make("img", { src: told.photo, alt: "", loading: "lazy", width: 56, height: 42 }),
      ],
    });
    button.addEventListener("click", () => this.#chosen(finding));
    return make("li", { inside: [button] });
  }
}
