// One finding, opened: its picture, what it is, where, how sure, and what became of it.

import { judging } from "./judge.js";
import { $, make } from "./page.js";
import { icon } from "./shapes.js";
import { known, labelName, longDate, metres, number, percent, since, squareMetres, t } from "./words.js";

const OF_THE_CAR_M = 25;

/** Fills the section; `heard` has `back`, `chosen`, `beside(step)`, and `say` where a person may judge. */
export function open(finding, heard) {
  const section = $("finding");
  const { label, told, state, isThing } = finding;
  const badge = isThing && make("span", { class: `state state-${state}`, text: known("finding", state) });
  section.replaceChildren(
    bar(finding, heard),
    picture(told),
    make("h2", { id: "finding-title", inside: [icon(label, 26), make("span", { text: labelName(label) }), badge] }),
    facts(finding),
    ...(isThing && heard.say ? [judging(finding, heard.say)] : []),
    make("h3", { text: t("history") }),
    history(finding),
  );
}

/** The history has come. */
export function tell(finding) {
  document.querySelector("#finding .history").replaceWith(history(finding));
}

function bar(finding, heard) {
  const back = make("button", { type: "button", class: "back", text: t("back") });
  back.addEventListener("click", heard.back);
  const steps = [
    ["previous", -1],
    ["next", 1],
  ].map(([word, step]) => {
    const other = heard.beside(finding, step);
    const button = make("button", { type: "button", class: `step ${word}`, title: t(word), "aria-label": t(word), disabled: !other });
    button.addEventListener("click", () => heard.chosen(other, word));
    return button;
  });
  return make("div", { class: "bar", inside: [back, ...steps] });
}

function picture({ photo }) {
  if (!photo) return make("p", { class: "no-photo", text: t("no_photo") });
  const image = make("img", { class: "photo", src: photo, alt: t("photo"), decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(make("p", { class: "no-photo", text: t("photo_lost") })));
  return image;
}

function facts({ at, latitude, longitude, told, isThing }) {
  const rows = [
    [t(isThing ? "last_seen" : "seen_at"), [longDate(at), small(since(at))]],
    told.score !== null && [t("confidence"), [meter(told.score), percent(told.score)]],
    [t("place"), place(latitude, longitude, told)],
    told.area_m2 && [t("area"), [squareMetres(told.area_m2)]],
    told.severity && [t("severity"), [known("severity", told.severity)]],
    told.frames && [t("photos"), [t("frames", { n: told.frames })]],
    isThing && [t("rounds"), [t("seen_in", { n: told.rounds }), told.missed > 0 && small(t("missed_in", { n: told.missed }))]],
    isThing && told.rounds > 1 && [t("first_seen"), [longDate(Date.parse(told.first_seen_at))]],
    !isThing && told.note && [t("driver_says"), [t("quoted", { note: told.note })]],
    told.unit && [t("unit"), [told.unit, small(told.round_id ? `${t("round").toLocaleLowerCase()} ${told.round_id}` : "")]],
  ];
  const inside = rows.filter(Boolean).flatMap(([name, values]) => [make("dt", { text: name }), make("dd", { inside: values })]);
  return make("dl", { inside });
}

const small = (text) => text && make("small", { text });

const meter = (score) => make("meter", { min: 0, max: 1, value: score, "aria-hidden": "true" });

function place(latitude, longitude, { uncertainty_m: radius, position_source: source }) {
  const text = `${latitude.toFixed(6)}, ${longitude.toFixed(6)}`;
  const copy = make("button", { type: "button", class: "plain", text: t("copy") });
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text);
    copy.textContent = t("copied");
  });
  return [
    make("span", { inside: [make("span", { class: "digits", text }), " ", window.isSecureContext && copy] }),
    matchMedia("(pointer: coarse)").matches && make("a", { href: `geo:${latitude},${longitude}`, text: t("open_place") }),
    radius !== null && radius !== undefined && small(t("within", { metres: metres(radius) })),
    radius !== null && radius >= OF_THE_CAR_M && small(t("unplaced")),
    (source === "filled" || source === "ahead_of_fix") && small(t(`placed_${source}`)),
  ];
}

function history({ history: visits }) {
  if (visits === null) return make("p", { class: "history waiting", text: t("loading_title") });
  const rows = [...visits].reverse().map((visit) => {
    const { at, state, score, reason, photo } = visit;
    const why = reason ? known("visit", reason) : score === null || score === undefined ? "" : t("score_of", { share: percent(score) });
    return make("li", {
      class: `state-${state}`,
      inside: [
        make("b", { text: known("finding", state) }),
        make("time", { datetime: at, text: longDate(Date.parse(at)) }),
        small(why),
        photo && thumbnail(photo, at),
      ],
    });
  });
  return make("ol", { class: "history", inside: [...rows, visits.length === 1 && make("li", { class: "first", text: t("history_first") })] });
}

/** A small picture of another time, which can be had large. */
function thumbnail(photo, at) {
  const image = make("img", { src: photo, alt: "", width: 72, height: 54, loading: "lazy" });
  const button = make("button", { type: "button", class: "thumbnail", "aria-label": t("show_photo", { date: longDate(Date.parse(at)) }), inside: [image] });
  button.addEventListener("click", () => {
    const large = picture({ photo });
    $("finding").querySelector(".photo, .no-photo")?.replaceWith(large);
    $("panel").scrollTop = 0;
  });
  return button;
}
