// What the page says, in the browser's language: English, or French.

export const LANGUAGES = ["en", "fr"];

const asked = new URLSearchParams(location.search).get("lang");

export const language = LANGUAGES.includes(asked)
  ? asked
  : ((navigator.languages ?? [navigator.language]).map((each) => each.slice(0, 2)).find((each) => LANGUAGES.includes(each)) ?? "en");

/** The same with its country, by which dates are written. */
const locale = (navigator.languages ?? []).find((each) => each.slice(0, 2) === language) ?? language;

let words = {};
let labels = {};

/** Loads the table of words; `names` are what the server calls the classes. */
export async function learn() {
  const answer = await fetch("words.json");
  if (!answer.ok) throw new Error(`words.json: ${answer.status}`);
  words = (await answer.json())[language];
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-words]")) element.textContent = t(element.dataset.words);
  for (const element of document.querySelectorAll("[data-words-label]")) element.setAttribute("aria-label", t(element.dataset.wordsLabel));
}

export const name = (names) => (labels = names);

const plural = new Intl.PluralRules(locale);

/** The words of a key; `{n}` and others are put in, and `n` chooses the plural. */
export function t(key, values = {}) {
  const found = ("n" in values ? words[`${key}_${plural.select(values.n)}`] : undefined) ?? words[key] ?? words[`${key}_other`];
  if (found === undefined) return key;
  return found.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? number(values[name]) : (values[name] ?? "")));
}

/** Words that may be missing: a reason of a newer unit is shown as it is. */
export const known = (group, code) => words[`${group}_${code}`] ?? code.replaceAll("_", " ");

/** A class as a person calls it. */
export function labelName(label) {
  const found = labels[label]?.[language] ?? label.replaceAll("_", " ");
  return found.charAt(0).toUpperCase() + found.slice(1).replaceAll("'", "\u2019");
}

/** Classes in the order of the server's table; those it does not know come last. */
export function rankOf(label) {
  const rank = Object.keys(labels).indexOf(label);
  return rank < 0 ? 1000 : rank;
}

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale, { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value);

export const percent = (value) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }).format(value);

const SPACE = "\u00a0";

/** Metres, kilometres or square metres with their unit. */
export const metres = (value) =>
  value >= 1000 ? `${number(value / 1000, 1)}${SPACE}km` : `${number(value, value < 10 ? 1 : 0)}${SPACE}m`;
export const squareMetres = (value) => `${number(value, value < 10 ? 2 : 0)}${SPACE}m²`;

const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });
const shortDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const longDate = (ms) => t("day_and_time", { day: day.format(ms), time: clock.format(ms) });
export const shortDate = (ms) => `${shortDay.format(ms)}, ${clock.format(ms)}`;
export const timeOfDay = (ms) => clock.format(ms);

const ago = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "long" });
const STEPS = [
  ["year", 31557600],
  ["month", 2629800],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** How long ago a moment was: the last minute is "now". */
export function since(ms, now = Date.now()) {
  const seconds = Math.max(0, (now - ms) / 1000);
  if (seconds < 60) return t("just_now");
  const [unit, length] = STEPS.find(([, length]) => seconds >= length);
  return ago.format(-Math.floor(seconds / length), unit);
}

/** How long something lasts, in its largest unit. */
export function duration(seconds) {
  const [unit, length] = STEPS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(
    Math.floor(seconds / length),
  );
}

/** Bytes as GB or MB. */
export const gigabytes = (bytes) => (bytes >= 1e9 ? `${number(bytes / 1e9, bytes < 1e10 ? 1 : 0)}${SPACE}${t("gb")}` : `${number(bytes / 1e6)}${SPACE}${t("mb")}`);
