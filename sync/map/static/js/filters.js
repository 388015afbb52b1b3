// What is shown: by class, time, state and round. The classes are the legend as well.

import { $, fill, make } from "./page.js";
import { icon } from "./shapes.js";
import { known, labelName, number, rankOf, shortDate, t } from "./words.js";

const AGES = ["1", "7", "30", "365"];
const MOST_ROUNDS = 200;

export class Filters {
  #findings;
  #chips = new Map();
  #edition = -1;

  /** `thingsOf(round)` gives the ids of the things that a round saw or passed. */
  constructor(findings, thingsOf) {
    this.#findings = findings;
    fill($("age"), [["", t("age_all")], ...AGES.map((days) => [days, t(`age_${days}`)])]);
    $("age").addEventListener("change", ({ target }) => findings.filter({ days: target.value ? Number(target.value) : null }));
    $("state").addEventListener("change", ({ target }) => findings.filter({ state: target.value || null }));
    $("round").addEventListener("change", async ({ target }) => {
      const round = target.value || null;
      const things = round && (await thingsOf(findings.rounds().find((each) => each.round === round)));
      if ((target.value || null) === round) findings.filter({ round, things });
    });
    document.querySelector("#filters form").addEventListener("reset", (event) => {
      event.preventDefault();
      this.reset();
    });
    document.querySelector("#filters form").addEventListener("submit", (event) => event.preventDefault());
    findings.addEventListener("change", () => this.#draw());
    this.#draw();
  }

  reset() {
    for (const name of ["age", "state", "round"]) $(name).value = "";
    this.#findings.reset();
  }

  #draw() {
    const { counts, filters, active } = this.#findings;
    const labels = [...counts.keys()].sort((one, other) => rankOf(one) - rankOf(other));
    for (const label of labels) if (!this.#chips.has(label)) this.#chips.set(label, this.#chip(label));
    const wanted = labels.map((label) => this.#chips.get(label));
    if (wanted.length !== $("chips").children.length || wanted.some((chip, n) => $("chips").children[n] !== chip)) {
      $("chips").replaceChildren(...wanted);
    }
    for (const label of labels) {
      const chip = this.#chips.get(label);
      chip.setAttribute("aria-pressed", String(!filters.off.has(label)));
      chip.lastChild.textContent = number(counts.get(label));
    }
    $("filters").hidden = labels.length === 0;
    $("count-filters").textContent = active ? t("filters_on", { n: active }) : "";
    $("filters").querySelector("[type=reset]").disabled = !active;
    this.#choices();
  }

  #choices() {
    if (this.#edition === this.#findings.edition) return;
    this.#edition = this.#findings.edition;
    const states = this.#findings.states();
    fill($("state"), [["", t("state_all")], ...states.map((state) => [state, capital(known("finding", state))])]);
    $("state").disabled = states.length < 2;
    const rounds = this.#findings.rounds().slice(0, MOST_ROUNDS);
    fill($("round"), [
      ["", t("round_all")],
      ...rounds.map(({ round, unit, at, n }) => [round, `${shortDate(at)} · ${unit.split("/")[1]} (${number(n)})`]),
    ]);
  }

  #chip(label) {
    const chip = make("button", { type: "button", class: "chip", inside: [icon(label), make("span", { text: labelName(label) }), make("b")] });
    chip.addEventListener("click", () => {
      const off = new Set(this.#findings.filters.off);
      if (!off.delete(label)) off.add(label);
      this.#findings.filter({ off });
    });
    return chip;
  }
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
