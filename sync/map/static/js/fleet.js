// The units: who is on line, when each was last heard, and what it says is wrong, in words.

import { $, make } from "./page.js";
import { duration, gigabytes, known, since, t } from "./words.js";

const LITTLE_DISK = 5e9;
const MARKS = { recording: "✓", paused: "‖", waiting: "…", fault: "!" };

export class Fleet {
  #units = new Map();
  #shown;

  constructor(shown) {
    this.#shown = shown;
    this.draw();
  }

  put(units) {
    for (const unit of units) this.#units.set(unit.unit, unit);
    this.draw();
  }

  isOnline(name) {
    return this.#units.get(name)?.connection === "online";
  }

  draw() {
    const units = [...this.#units.values()].sort((one, other) => rank(one) - rank(other) || one.unit.localeCompare(other.unit));
    const online = units.filter((unit) => unit.connection === "online").length;
    $("count-units").textContent = units.length ? `${online}/${units.length}` : "0";
    $("count-units").title = t("count_units", { online, n: units.length });
    $("fleet").replaceChildren(...units.map((unit) => this.#row(unit)));
    if (!units.length) $("fleet").append(make("li", { class: "none", text: t("no_units") }));
  }

  #row(unit) {
    const online = unit.connection === "online";
    const state = unit.state ?? "unknown";
    const show = make("button", { type: "button", class: "plain", text: t("show_on_map") });
    show.addEventListener("click", () => this.#shown(unit.unit));
    return make("li", {
      class: `unit ${online ? "online" : "offline"} ${state}`,
      inside: [
        make("h2", {
          inside: [
            make("span", { class: "mark", "aria-hidden": "true", text: online ? (MARKS[state] ?? "●") : "○" }),
            make("span", { text: unit.name }),
            make("small", { text: unit.fleet }),
            make("span", { class: "connection", text: t(online ? "online" : unit.connection === "lost" ? "lost" : "silent") }),
          ],
        }),
        make("p", { class: "heard", text: t("heard", { ago: since(Date.parse(unit.heard_at)) }) }),
        make("p", {
          class: "condition",
          inside: [
            !online && unit.state && make("small", { text: t("when_last_heard") }),
            make("b", { text: t(`condition_${state}`) }),
          ],
        }),
        unit.reasons.length > 0 && make("ul", { class: "reasons", inside: unit.reasons.map((each) => make("li", { text: known("reason", each) })) }),
        make("p", { class: "numbers", text: numbers(unit).join("\u00a0· ") }),
        show,
      ],
    });
  }
}

/** Those with a fault first, then those on line, then the rest. */
const rank = (unit) => (unit.connection !== "online" ? 2 : unit.state === "fault" ? 0 : 1);

function numbers(unit) {
  const waiting = unit.outbox_rows ? t("waiting_events", { n: unit.outbox_rows }) : "";
  return [
    waiting && unit.outbox_oldest_s >= 60 ? `${waiting}, ${t("oldest", { duration: duration(unit.outbox_oldest_s) })}` : waiting,
    unit.refused ? t("refused_events", { n: unit.refused }) : "",
    unit.disk_free_bytes !== null && unit.disk_free_bytes < LITTLE_DISK ? t("disk_free", { size: gigabytes(unit.disk_free_bytes) }) : "",
    unit.temperature_c !== null && unit.temperature_c >= 75 ? `${Math.round(unit.temperature_c)}\u00a0°C` : "",
    unit.software ? t("software", { version: unit.software }) : "",
  ].filter(Boolean);
}
