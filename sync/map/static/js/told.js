// What the page says of itself: loading, live, broken, empty.

import { $, make } from "./page.js";
import { metres, t, timeOfDay } from "./words.js";

const HERALD_MS = 4000;
const PATIENCE_MS = 400;

export class Told {
  #since = null;
  #isLoaded = false;
  #heralded = 0;

  constructor(retry) {
    $("broken").querySelector("button").onclick = retry;
  }

  loading() {
    this.#status("loading");
    // What is there at once needs no curtain.
    this.patience = setTimeout(() => this.#veil("loading", t("loading_title"), t("loading_text")), PATIENCE_MS);
  }

  loaded() {
    clearTimeout(this.patience);
    this.#isLoaded = true;
    $("veil").hidden = true;
  }

  /** Nothing could be loaded at all. */
  failed(denied) {
    clearTimeout(this.patience);
    this.#status("broken");
    this.#veil("lost", t("lost_title"), denied ? t("denied") : t("lost_text"));
  }

  live() {
    this.#since = null;
    this.#status("live");
    $("broken").hidden = true;
  }

  lost() {
    this.#broken("broken_since");
  }

  /** The server answers, and its database does not. */
  trouble(isThere) {
    if (isThere) this.#broken("trouble_since");
    else this.live();
  }

  #broken(word) {
    this.#since ??= Date.now();
    this.#status("broken");
    const sentence = t(word, { time: timeOfDay(this.#since) });
    if ($("broken").firstElementChild.textContent !== sentence) $("broken").firstElementChild.textContent = sentence;
    $("broken").hidden = false;
  }

  /** Says why there is nothing to see, where there is nothing. */
  empty({ all, shown, driven, reset }) {
    if (!this.#isLoaded) return;
    if (all && !shown) {
      const button = make("button", { type: "button", class: "main", text: t("all") });
      button.addEventListener("click", reset);
      this.#veil("filtered", t("filtered_title"), t("filtered_text", { n: all }), button);
    } else if (!all && driven) this.#veil("empty", t("driven_title"), t("driven_text", { length: metres(driven) }));
    else if (!all) this.#veil("empty", t("empty_title"), t("empty_text"));
    else $("veil").hidden = true;
  }

  /** Says to those who listen what has come, not more often than one can follow. */
  herald(sentence) {
    if (Date.now() - this.#heralded < HERALD_MS) return;
    this.#heralded = Date.now();
    $("herald").textContent = sentence;
  }

  #status(state) {
    const status = $("status");
    if (status.dataset.state === state) return;
    status.dataset.state = state;
    status.querySelector(".told").textContent = t(`status_${state}`);
  }

  #veil(kind, title, text, button) {
    const veil = $("veil");
    const card = veil.firstElementChild;
    veil.className = `veil ${kind}`;
    card.querySelector("h2").textContent = title;
    card.querySelector("p").textContent = text;
    card.querySelector("button")?.remove();
    if (button) card.append(button);
    veil.hidden = false;
  }
}
