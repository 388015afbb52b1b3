// Starts the page and holds its parts together.

import { Filters } from "./filters.js";
import { open, tell } from "./finding.js";
import { Findings } from "./findings.js";
import { Fleet } from "./fleet.js";
import { latest, line } from "./lines.js";
import { List } from "./list.js";
import { Town } from "./map.js";
import { $, make } from "./page.js";
import { Denied, Stream, about, judge, pages, rounds, thing } from "./server.js";
import { select, tabs } from "./tabs.js";
import { labelName, language, learn, metres, name, shortDate, t } from "./words.js";
import { Told } from "./told.js";

const MOST_FINDINGS = 30000;
const MOST_TRACKS = 5000;
const MOST_ROUNDS = 200;
const FIRST_PAGE = 2000;
const NEXT_PAGES = 5000;
const ROUNDS_MS = 10000;
const SHORT_M = 25;

class App {
  findings = new Findings();
  tracks = new Map();
  grades = new Map();
  chosen = null;
  here = null;
  from = null;
  stream = null;

  constructor({ tiles, version, judges }) {
    this.judges = judges;
    this.told = new Told(() => this.retry());
    this.town = new Town(tiles, {
      moved: () => this.moved(),
      chosen: (finding) => this.choose(finding, { near: false, focus: false }),
      several: (points) => this.showHere(points),
      nothing: () => this.chosen && this.close(),
    });
    this.town.showing(() => this.bounds());
    this.filters = new Filters(this.findings, (round) => this.thingsOf(round));
    this.list = new List((finding) => this.choose(finding));
    this.fleet = new Fleet((unit) => this.showUnit(unit));
    this.findings.addEventListener("change", () => this.draw());
    $("about").textContent = t("about", { version });
    $("leave").addEventListener("click", () => this.showHere(null));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.chosen && this.close());
    tabs((tab) => tab.id === "tab-findings" && this.chosen && this.close(false));
    setInterval(() => this.fleet.draw(), 30000);
    setInterval(() => !document.hidden && this.stream && this.join(), ROUNDS_MS);
  }

  async load() {
    this.told.loading();
    try {
      this.findings.known = await rounds();
      this.from = begin(this.findings.known);
      const since = this.from && { since: this.from };
      const tracks = pages("tracks", { ...since, limit: 1000 }, MOST_TRACKS, (features) => this.drive(features));
      const grades = pages("grades", { ...since }, MOST_TRACKS, (features) => this.grade(features));
      const newest = await this.loadAll(since);
      await Promise.all([tracks, grades]);
      this.told.loaded();
      this.draw();
      if (!this.town.held) this.town.fit();
      performance.mark("ronde-loaded");
      this.listen(newest);
    } catch (error) {
      if (!(error instanceof Denied || error instanceof TypeError || error instanceof Error)) throw error;
      this.told.failed(error instanceof Denied);
      this.again = setTimeout(() => this.load(), 3000);
    }
  }

  /** The things that rounds share, and the findings that are not joined to them yet. Gives the number of the newest event. */
  async loadAll(since) {
    const things = await this.loadSome("things", { ...since }, (told) => told.number);
    const open = this.findings.known.filter((each) => each.last_seq > each.joined_seq);
    if (!this.findings.all.size) await this.loadSome("findings", { ...since }, (told) => told.seq);
    else if (open.length) {
      const after = Math.min(...open.map((each) => each.joined_seq));
      await this.loadSome("findings", { round: open.map((each) => each.round_id).join(","), after }, (told) => told.seq);
      this.findings.joined(this.findings.known);
    }
    await pages("findings", { ...since, label: "hazard", limit: NEXT_PAGES }, MOST_FINDINGS, (features) => this.findings.put(features));
    return things.newest;
  }

  /** The first page is drawn before the others are asked for. */
  async loadSome(path, parameters, numberOf) {
    let last = 0;
    const take = (features) => {
      for (const { properties } of features) last = Math.max(last, numberOf(properties));
      this.findings.put(features);
    };
    const first = await pages(path, { ...parameters, limit: FIRST_PAGE }, FIRST_PAGE, take);
    if (this.findings.all.size && !this.town.held) this.town.fit();
    this.town.map.once("drawn", () => performance.mark("ronde-first-findings"));
    this.town.layer.redraw();
    if (first.cut) await pages(path, { ...parameters, limit: NEXT_PAGES, after: last }, 2 * MOST_FINDINGS, take);
    return first;
  }

  /** Rounds are joined some time after they were driven: their things take the place of their findings. */
  async join() {
    const before = new Map(this.findings.known.map((each) => [`${each.unit}/${each.round_id}`, each.joined_seq]));
    try {
      const known = await rounds();
      for (const each of known) {
        if (each.joined_seq > (before.get(`${each.unit}/${each.round_id}`) ?? 0)) {
          await pages("things", { round: each.round_id, limit: NEXT_PAGES }, MOST_FINDINGS, (features) => this.findings.put(features));
        }
      }
      this.findings.known = known;
      const gone = this.findings.joined(known);
      const chosen = this.chosen && gone.includes(this.chosen) ? this.findings.thingOf(this.chosen) : null;
      if (chosen) this.choose(chosen, { near: false, focus: false });
    } catch (error) {
      if (!(error instanceof Error)) throw error; // the stream says that the server is away
    }
  }

  /** The ids of the things that a round saw or passed. */
  async thingsOf(round) {
    const things = new Set();
    const take = (features) => features.forEach((each) => things.add(each.id));
    await pages("things", { round: round.id, limit: NEXT_PAGES }, MOST_FINDINGS, take);
    return things;
  }

  retry() {
    clearTimeout(this.again);
    if (this.stream) this.stream.retry();
    else this.load();
  }

  listen(after) {
    this.stream?.close();
    this.stream = new Stream(after, {
      open: () => this.told.live(),
      lost: () => this.told.lost(),
      trouble: ({ told }) => this.told.trouble(told !== null),
      units: ({ units }) => {
        this.fleet.put(units);
        this.placeUnits();
      },
      change: (change) => this.change(change),
      reset: () => location.reload(),
    });
  }

  change({ findings = [], tracks = [], grades = [], photos = [] }) {
    this.drive(tracks);
    this.grade(grades);
    const wasEmpty = this.findings.all.size === 0;
    const fresh = findings.length ? this.findings.put(findings) : [];
    for (const { id, photo } of photos) {
      const finding = this.findings.picture(id, photo);
      if (finding && this.chosen?.id === id) this.choose(finding, { near: false, focus: false });
    }
    if (fresh.length) {
      this.list.fresh(fresh);
      this.town.layer.pulse(fresh.filter((each) => this.findings.passes(each)));
      this.told.herald(t("herald", { n: fresh.length, label: labelName(fresh[0].label) }));
    }
    if ((wasEmpty && fresh.length) || (tracks.length && !this.town.held)) this.town.fit();
    if (fresh.length || tracks.length || photos.length) this.draw();
  }

  drive(features) {
    for (const feature of features) this.tracks.set(feature.id, line(feature));
    if (!features.length) return;
    this.town.layer.set({ tracks: [...this.tracks.values()] });
    this.placeUnits();
  }

  grade(features) {
    for (const feature of features) {
      const { grade, low, high, coverage, reasons, from_m: from, to_m: to } = feature.properties;
      this.grades.set(feature.id, { ...line(feature), grade, low, high, coverage, reasons, isShort: to - from <= SHORT_M });
    }
    if (!features.length) return;
    this.town.layer.set({ grades: latest([...this.grades.values()]) });
    this.town.legend();
  }

  /** Each unit stands where its latest track ends. */
  placeUnits() {
    const latest = new Map();
    for (const track of this.tracks.values()) if (!(latest.get(track.unit)?.at > track.at)) latest.set(track.unit, track);
    this.places = [...latest].map(([unit, { end }]) => ({ unit, name: unit.split("/")[1], online: this.fleet.isOnline(unit), ...end }));
    this.town.layer.set({ units: this.places });
  }

  showUnit(unit) {
    const place = this.places?.find((each) => each.unit === unit);
    if (place) this.town.show(place);
  }

  bounds() {
    const points = this.findings.shown.map(({ latitude, longitude }) => [latitude, longitude]);
    for (const { corners } of this.tracks.values()) points.push(...corners);
    return points.length ? window.L.latLngBounds(points) : null;
  }

  draw() {
    const { shown, all, counts, filters } = this.findings;
    this.town.layer.round = filters.round;
    this.town.layer.setFindings(shown);
    $("count-findings").textContent = shown.length.toLocaleString(language);
    const driven = this.driven();
    $("totals").replaceChildren(
      make("span", { text: all.size ? t("shown_all", { n: all.size }) : "" }),
      make("span", { class: "length", text: driven ? `${all.size ? " · " : ""}${t("driven", { length: metres(driven) })}` : "" }),
    );
    this.told.empty({ all: all.size, shown: shown.length, driven, reset: () => this.filters.reset(), counts });
    this.moved();
  }

  driven() {
    return [...this.tracks.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** The list follows the map. */
  moved() {
    if (!this.list) return;
    const { shown, all } = this.findings;
    const here = this.here?.filter((each) => this.findings.passes(each));
    const found = here ?? shown.filter((each) => this.town.contains(each));
    const sum = shown.length < all.size ? t("shown_some", { n: shown.length, of: all.size }) : t("shown_all", { n: all.size });
    const said = here ? [t("shown_here", { n: here.length })] : found.length < shown.length ? [sum, t("shown_view", { n: found.length })] : [sum];
    if (this.from) said.push(t("cut", { day: shortDate(Date.parse(this.from)) }));
    $("leave").hidden = !here;
    this.list.show(found, said.join(" · "), shown.length ? t("none_in_view") : "");
  }

  showHere(points) {
    if (this.chosen) this.close(false);
    this.here = points;
    select($("tab-findings"));
    this.moved();
    if (points) $("findings").focus();
  }

  choose(finding, { near = true, focus = true } = {}) {
    this.chosen = finding;
    select($("tab-findings"));
    $("findings").hidden = true;
    $("finding").hidden = false;
    open(finding, {
      say: this.judges && ((judgement, by, note) => this.judge(finding, judgement, by, note)),
      back: () => this.close(),
      beside: (each, step) => this.list.beside(each, step),
      chosen: (other, word) => {
        this.choose(other, { focus: false });
        const button = document.querySelector(`#finding .${word}`);
        (button.disabled ? $("finding") : button).focus();
      },
    });
    this.town.layer.set({ chosen: finding });
    this.town.show(finding, near);
    if (focus) $("finding").focus({ preventScroll: true });
    $("panel").scrollTop = 0;
    if (finding.isThing) this.learn(finding);
  }

  /** What each round made of a thing, once it is open. */
  async learn(finding) {
    try {
      const { history } = (await thing(finding.id)).properties;
      Object.assign(finding, { history });
      finding.told.heading_deg ??= history.findLast((each) => each.heading_deg !== null)?.heading_deg;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      finding.history = [];
    }
    if (this.chosen !== finding) return;
    tell(finding);
    this.town.layer.redraw();
  }

  async judge(finding, judgement, by, note) {
    await judge(finding.id, judgement, by, note);
    this.findings.put([await thing(finding.id)]);
    this.choose(this.findings.all.get(finding.id), { near: false });
  }

  close(focus = true) {
    const finding = this.chosen;
    this.chosen = null;
    $("finding").hidden = true;
    $("findings").hidden = $("tab-findings").getAttribute("aria-selected") !== "true";
    this.town.layer.set({ chosen: null });
    if (focus) this.list.focus(finding);
  }
}

/** From when on the findings are loaded, so that they are not too many: whole rounds, the latest. Null is from the first on. */
function begin(latest) {
  let count = 0;
  for (const [n, round] of latest.entries()) {
    count += round.findings;
    if (count > MOST_FINDINGS) return latest[Math.max(n - 1, 0)].began_at;
  }
  return latest.length < MOST_ROUNDS ? null : latest.at(-1).began_at;
}

let app = null;

async function start() {
  await learn();
  const other = language === "en" ? "fr" : "en";
  const link = $("language");
  Object.assign(link, { href: `?lang=${other}`, hreflang: other, lang: other, textContent: t("other_language") });
  $("filters").open = matchMedia("(min-width: 60rem)").matches;
  for (;;) {
    try {
      const told = await about();
      name(told.labels);
      app = new App(told);
      return app.load();
    } catch (error) {
      const failed = new Told(() => location.reload());
      failed.failed(error instanceof Denied);
      await new Promise((resume) => setTimeout(resume, 5000));
    }
  }
}

start();
