// The map itself: Leaflet with one canvas, a scale, north, and buttons.

import { Layer } from "./layer.js";
import { known, labelName, number, percent, t } from "./words.js";

/* global L */

const EVERYWHERE = [46.5, 3];
const FARTHEST = 21;
const NEAR = 18;
const SURE_M = 8;
const GRADES = [1, 2, 3, 4, 5];

export class Town {
  #held = false;

  constructor(tiles, heard) {
    this.map = L.map("map", {
      zoomControl: false,
      attributionControl: Boolean(tiles?.credit),
      zoomSnap: tiles ? 1 : 0.5,
      zoomDelta: 1,
      minZoom: 3,
      maxZoom: FARTHEST,
      worldCopyJump: false,
    }).setView(EVERYWHERE, 6);
    if (tiles) L.tileLayer(tiles.url, { maxZoom: FARTHEST, maxNativeZoom: 19, attribution: escaped(tiles.credit) }).addTo(this.map);
    this.map.attributionControl?.setPrefix(false);
    this.layer = new Layer(Boolean(tiles)).addTo(this.map);
    L.control.zoom({ position: "topleft", zoomInTitle: t("zoom_in"), zoomOutTitle: t("zoom_out") }).addTo(this.map);
    L.control.scale({ imperial: false, maxWidth: 130, position: "bottomleft" }).addTo(this.map);
    this.#buttons();
    this.#pointer(heard);
    this.map.on("dragstart zoomstart", () => (this.#held = this.#moving ? this.#held : true));
    this.map.on("moveend", heard.moved);
  }

  #moving = false;
  #legend = null;
  #everything = () => null;

  /** Somebody has moved the map, so it is not moved under their hands. */
  get held() {
    return this.#held;
  }

  /** Shows all of `bounds`; what gives them is asked again when the button is pressed. */
  showing(bounds) {
    this.#everything = bounds;
  }

  fit() {
    const bounds = this.#everything();
    if (!bounds) return;
    this.#bySelf(() => this.map.fitBounds(bounds, { paddingTopLeft: [60, 48], paddingBottomRight: [36, 64], maxZoom: NEAR, animate: false }));
  }

  /** Brings a finding into the middle, near enough to stand alone. */
  show({ latitude, longitude, told }, near = true) {
    const closest = told?.uncertainty_m < SURE_M ? NEAR + 1 : NEAR;
    const place = [latitude, longitude];
    this.#bySelf(() => {
      if (near && this.map.getZoom() < closest) this.map.setView(place, closest, { animate: false });
      else this.map.panInside(place, { padding: [60, 60], animate: false });
    });
    this.#held = true;
  }

  /** What the colours of streets mean, from the first graded one on. */
  legend() {
    if (this.#legend) return;
    const swatch = (name) => element("i", { class: `grade-${name}` });
    const box = element("div", { class: "legend" }, [
      element("b", {}, [t("grades")]),
      element("span", { class: "scale" }, [
        element("span", {}, [known("grade", 1)]),
        ...GRADES.map(swatch),
        element("span", {}, [known("grade", 5)]),
      ]),
      element("span", { class: "scale ungraded" }, [swatch("none"), element("span", {}, [known("grade", "none")])]),
    ]);
    const Legend = L.Control.extend({ onAdd: () => box });
    this.#legend = new Legend({ position: "bottomright" }).addTo(this.map);
  }

  contains({ latitude, longitude }) {
    return this.map.getBounds().contains([latitude, longitude]);
  }

  #bySelf(move) {
    this.#moving = true;
    move();
    this.#moving = false;
  }

  #buttons() {
    const Corner = L.Control.extend({
      onAdd: () => {
        const bar = L.DomUtil.create("div", "leaflet-bar");
        const fit = L.DomUtil.create("a", "fit", bar);
        Object.assign(fit, { href: "#", title: t("fit"), role: "button" });
        fit.setAttribute("aria-label", t("fit"));
        fit.append(drawing("M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"));
        L.DomEvent.disableClickPropagation(bar);
        L.DomEvent.on(fit, "click", (event) => {
          L.DomEvent.preventDefault(event);
          this.fit();
        });
        return bar;
      },
    });
    new Corner({ position: "topleft" }).addTo(this.map);
    const North = L.Control.extend({
      onAdd: () => {
        const arrow = L.DomUtil.create("div", "north");
        arrow.setAttribute("role", "img");
        arrow.setAttribute("aria-label", t("north"));
        arrow.append(drawing("M12 3 6 20l6-4 6 4z"), "N");
        return arrow;
      },
    });
    new North({ position: "topright" }).addTo(this.map);
  }

  #pointer(heard) {
    const box = this.map.getContainer();
    const tip = L.DomUtil.create("div", "tip", box);
    tip.hidden = true;
    this.map.on("mousemove", ({ containerPoint }) => {
      const item = this.layer.at(containerPoint, 4);
      const stretch = item ? undefined : this.layer.stretchAt(containerPoint);
      box.classList.toggle("over", Boolean(item));
      tip.hidden = !item && !stretch;
      if (tip.hidden) return;
      tip.textContent = item ? told(item.points) : graded(stretch);
      tip.style.left = `${Math.min(containerPoint.x + 14, box.clientWidth - tip.offsetWidth - 6)}px`;
      tip.style.top = `${Math.max(containerPoint.y - 34, 4)}px`;
    });
    this.map.on("mouseout dragstart zoomstart", () => (tip.hidden = true));
    this.map.on("click", ({ containerPoint, originalEvent }) => {
      const item = this.layer.at(containerPoint, originalEvent.pointerType === "touch" ? 16 : 6);
      if (!item) heard.nothing();
      else if (item.points.length === 1) heard.chosen(item.points[0]);
      else this.#open(item.points, heard);
    });
  }

  /** Goes nearer to several; where they cannot be told apart they are listed. */
  #open(points, heard) {
    const bounds = L.latLngBounds(points.map(({ latitude, longitude }) => [latitude, longitude]));
    const zoom = Math.min(this.map.getBoundsZoom(bounds, false, L.point(60, 60)), FARTHEST);
    const here = this.map.getZoom();
    const spread = this.map.project(bounds.getNorthEast(), FARTHEST).distanceTo(this.map.project(bounds.getSouthWest(), FARTHEST));
    if (spread < 24 || here >= FARTHEST) heard.several(points);
    else this.map.setView(bounds.getCenter(), Math.max(zoom, Math.min(here + 1, FARTHEST)));
  }
}

function told(points) {
  if (points.length > 1) return t("cluster", { n: points.length });
  const [{ label, told: properties }] = points;
  return properties.score === null ? labelName(label) : `${labelName(label)} · ${percent(properties.score)}`;
}

function graded({ grade, low, high, coverage, reasons }) {
  const digit = (value) => number(value, 1);
  const share = coverage === null ? "" : t("coverage", { share: percent(coverage) });
  const word = grade === null ? known("grade", "none") : t("grade_told", { grade: digit(grade), low: digit(low), high: digit(high) });
  const why = grade === null ? reasons[0] : undefined;
  return [`${t("grades")}: ${word}`, why && known("reason", why), share].filter(Boolean).join(" · ");
}

function element(tag, attributes, inside = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

function drawing(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function escaped(text) {
  const element = document.createElement("span");
  element.textContent = text;
  return element.innerHTML;
}
