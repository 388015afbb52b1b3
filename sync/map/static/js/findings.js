// All findings that were loaded, and those that the filters let through.

import { project } from "./cluster.js";

const DAY_MS = 86400000;

/** The key under which the rounds of all units are known. */
export const roundKey = (unit, round) => `${unit}/${round}`;

/**
 * A GeoJSON feature as the page uses it: a thing that rounds share, or a finding of a round that is not joined to them yet.
 * `history` has an entry for each time that it was looked at; that of a thing is asked for when it is opened.
 */
export function read(feature) {
  const told = feature.properties;
  const [longitude, latitude] = feature.geometry.coordinates;
  const [x, y] = project(latitude, longitude);
  const place = { id: feature.id, label: told.label, latitude, longitude, x, y, told };
  if (told.number !== undefined) {
    const state = told.judgement === "rejected" ? "rejected" : told.state;
    return { ...place, isThing: true, round: null, at: Date.parse(told.last_seen_at), order: told.number, state, history: null };
  }
  const at = Date.parse(told.seen_at ?? told.time);
  const history = [{ at: told.seen_at ?? told.time, state: "seen", score: told.score, unit: told.unit, round_id: told.round_id }];
  return { ...place, isThing: false, round: roundKey(told.unit, told.round_id), at, order: told.seq, state: "seen", history };
}

export class Findings extends EventTarget {
  constructor() {
    super();
    this.all = new Map();
    this.shown = [];
    this.counts = new Map();
    this.filters = { off: new Set(), days: null, round: null, things: null, state: null };
    this.known = [];
    this.newest = new Map();
    /** Another number where other findings are there. */
    this.edition = 0;
  }

  /** Takes features in; gives back those that were not there before. */
  put(features) {
    const fresh = [];
    this.edition += 1;
    for (const feature of features) {
      const finding = read(feature);
      if (!this.all.has(finding.id)) fresh.push(finding);
      this.all.set(finding.id, finding);
      if (finding.isThing) this.newest.set(`${finding.told.unit}/${finding.told.finding_id}`, finding.id);
    }
    this.refresh();
    return fresh;
  }

  /** Lets go of findings that are joined by now: their things stand for them. What a driver marks stays what it is. */
  joined(rounds) {
    const upTo = new Map(rounds.map((each) => [roundKey(each.unit, each.round_id), each.joined_seq]));
    const gone = [...this.all.values()].filter((each) => {
      const told = each.told;
      return !each.isThing && told.label !== "hazard" && told.seq <= (upTo.get(each.round) ?? 0);
    });
    for (const { id } of gone) this.all.delete(id);
    if (!gone.length) return gone;
    this.edition += 1;
    this.refresh();
    return gone;
  }

  /** The thing whose latest finding this is. */
  thingOf({ id }) {
    return this.all.get(this.newest.get(id));
  }

  /** A picture of a finding has come. */
  picture(id, photo) {
    const finding = this.all.get(id) ?? this.thingOf({ id });
    if (finding) finding.told.photo = photo;
    return finding;
  }

  clear() {
    this.all.clear();
    this.edition += 1;
    this.refresh();
  }

  filter(changes) {
    Object.assign(this.filters, changes);
    this.refresh();
  }

  reset() {
    this.filter({ off: new Set(), days: null, round: null, things: null, state: null });
  }

  /** How many filters are set. */
  get active() {
    const { off, days, round, state } = this.filters;
    return (off.size > 0) + (days !== null) + (round !== null) + (state !== null);
  }

  passes(finding, now = Date.now()) {
    return this.#passesOthers(finding, now) && !this.filters.off.has(finding.label);
  }

  #passesOthers(finding, now) {
    const { days, round, things, state } = this.filters;
    return (
      (days === null || finding.at >= now - days * DAY_MS) &&
      (round === null || finding.round === round || Boolean(things?.has(finding.id))) &&
      (state === null || finding.state === state)
    );
  }

  /** Finds anew what is shown, and how many of each class the other filters let through. */
  refresh() {
    const now = Date.now();
    this.shown = [];
    this.counts = new Map();
    for (const finding of this.all.values()) {
      if (!this.#passesOthers(finding, now)) {
        if (!this.counts.has(finding.label)) this.counts.set(finding.label, 0);
        continue;
      }
      this.counts.set(finding.label, (this.counts.get(finding.label) ?? 0) + 1);
      if (!this.filters.off.has(finding.label)) this.shown.push(finding);
    }
    this.dispatchEvent(new Event("change"));
  }

  /** The rounds, the latest first: when each began, and its findings. `known` are those that the server has told. */
  rounds() {
    const rounds = new Map();
    for (const { unit, round_id: id, began_at: at, findings: n } of this.known) {
      if (n) rounds.set(roundKey(unit, id), { round: roundKey(unit, id), id, unit, at: Date.parse(at), n });
    }
    const told = new Set(rounds.keys());
    for (const { round, at, told: finding } of this.all.values()) {
      if (round === null || told.has(round)) continue;
      const known = rounds.get(round) ?? { round, id: finding.round_id, unit: finding.unit, at, n: 0 };
      known.at = Math.min(known.at, at);
      known.n += 1;
      rounds.set(round, known);
    }
    return [...rounds.values()].sort((one, other) => other.at - one.at);
  }

  states() {
    return [...new Set([...this.all.values()].map((finding) => finding.state))];
  }
}
