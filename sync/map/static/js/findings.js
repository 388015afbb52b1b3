// All findings that were loaded, and those that the filters let through.

import { project } from "./cluster.js";

const DAY_MS = 86400000;

/** A GeoJSON feature as the page uses it; `history` has one entry for each time the thing was looked at. */
export function read(feature) {
  const told = feature.properties;
  const [longitude, latitude] = feature.geometry.coordinates;
  const [x, y] = project(latitude, longitude);
  const at = Date.parse(told.seen_at ?? told.time);
  const history = told.history ?? [{ round: told.round_id, at: told.seen_at ?? told.time, state: told.state ?? "seen", score: told.score }];
  const state = told.state ?? history.at(-1)?.state ?? "seen";
  return { id: feature.id, label: told.label, round: `${told.unit}/${told.round_id}`, latitude, longitude, x, y, at, state, history, told };
}

export class Findings extends EventTarget {
  constructor() {
    super();
    this.all = new Map();
    this.shown = [];
    this.counts = new Map();
    this.filters = { off: new Set(), days: null, round: null, state: null };
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
    }
    this.refresh();
    return fresh;
  }

  /** A picture has come. */
  picture(id, photo) {
    const finding = this.all.get(id);
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
    this.filter({ off: new Set(), days: null, round: null, state: null });
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
    const { days, round, state } = this.filters;
    return (
      (days === null || finding.at >= now - days * DAY_MS) &&
      (round === null || finding.round === round) &&
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

  /** The rounds, the latest first: when each was first seen, and its findings. */
  rounds() {
    const rounds = new Map();
    for (const { round, at, told } of this.all.values()) {
      const known = rounds.get(round) ?? { round, unit: told.unit, at, n: 0 };
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
