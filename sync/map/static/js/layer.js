// One canvas over the map: the ground, the streets, the findings. Redrawn whole at each move, which takes milliseconds.

import { cluster, metresOfWorld, project } from "./cluster.js";
import * as paint from "./paint.js";

/* global L */

const MARGIN = 0.15;
const NEAR_ZOOM = 16;
const JOIN_PX = 26;
const JOIN_MORE_PX = 4;
const JOIN_NEAR_PX = 24;
const PULSE_MS = 2600;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export const Layer = L.Layer.extend({
  initialize(onTiles) {
    this.findings = [];
    this.tracks = [];
    this.grades = [];
    this.units = [];
    this.round = null;
    this.chosen = null;
    this.pulses = [];
    this.items = [];
    this._clusters = new Map();
    this._onTiles = onTiles;
  },

  onAdd(map) {
    this._map = map;
    this._canvas = L.DomUtil.create("canvas", "leaflet-zoom-animated");
    this._canvas.setAttribute("aria-hidden", "true");
    map.getPanes().overlayPane.append(this._canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    this._draw();
  },

  getEvents() {
    return { viewreset: this.redraw, move: this.redraw, moveend: this.redraw, zoomend: this.redraw, resize: this.redraw, zoomanim: this._follow };
  },

  setFindings(findings) {
    this.findings = findings;
    this._clusters.clear();
    this.redraw();
  },

  set(changes) {
    Object.assign(this, changes);
    this.redraw();
  },

  /** A ring that widens where something has just come. */
  pulse(findings) {
    if (calm.matches) return;
    const start = performance.now();
    this.pulses.push(...findings.slice(0, 50).map((finding) => ({ finding, start })));
    this.redraw();
  },

  redraw() {
    if (this._map && !this._due) this._due = requestAnimationFrame(() => this._draw());
  },

  /** What is drawn at a point of the map's box, nearest first; `reach` in pixels. */
  at(point, reach) {
    let [best, distance] = [null, Infinity];
    for (const item of this.items) {
      const away = Math.hypot(item.x - point.x, item.y - point.y) - item.radius;
      if (away < reach && away < distance) [best, distance] = [item, away];
    }
    return best;
  },

  /** The stretch of graded road under a point of the map's box, the one that was drawn last. */
  stretchAt({ x, y }) {
    if (!this._graded) return undefined;
    const { view, stretches } = this._graded;
    const reach = paint.gradedWidth(view) / 2 + 2;
    return stretches.findLast(({ points }) => {
      const places = points.map(([px, py]) => view.place(px, py));
      return places.some((place, n) => n > 0 && apart([x + view.left, y + view.top], places[n - 1], place) < reach);
    });
  },

  _follow(event) {
    // The canvas is stretched while the map zooms, and drawn anew at the end.
    const scale = this._map.getZoomScale(event.zoom, this._zoom);
    const corner = this._map._latLngToNewLayerPoint(this._corner, event.zoom, event.center);
    L.DomUtil.setTransform(this._canvas, corner, scale);
  },

  _draw() {
    this._due = null;
    const map = this._map;
    const view = this._view();
    const pen = this._fitted(view);
    paint.clear(pen, view);
    if (!this._onTiles) paint.grid(pen, view);
    paint.streets(pen, view, this.tracks, this.round, this._onTiles);
    this._graded = { view, stretches: paint.graded(pen, view, this.grades) };
    if (this.chosen) paint.circle(pen, view, this.chosen);
    this.items = [];
    for (const each of this._joined(view.zoom)) {
      const [x, y] = view.place(each.x, each.y);
      if (x < -40 || y < -40 || x > view.width + 40 || y > view.height + 40) continue;
      const single = each.points.length === 1 ? each.points[0] : null;
      const radius = single ? paint.finding(pen, view, single, x, y) : paint.group(pen, view, each.points, x, y);
      this.items.push({ x: x - view.left, y: y - view.top, radius, points: each.points });
    }
    paint.units(pen, view, this.units);
    if (this.chosen) paint.chosen(pen, view, this.chosen);
    const now = performance.now();
    this.pulses = this.pulses.filter((pulse) => now - pulse.start < PULSE_MS);
    for (const { finding, start } of this.pulses) paint.pulse(pen, view, finding, (now - start) / PULSE_MS);
    if (this.pulses.length) this.redraw();
    map.fire("drawn");
  },

  _view() {
    const map = this._map;
    const size = map.getSize();
    const [left, top] = [Math.round(size.x * MARGIN), Math.round(size.y * MARGIN)];
    const zoom = map.getZoom();
    const world = 256 * 2 ** zoom;
    const origin = map.getPixelBounds().min;
    const centre = map.getCenter();
    return {
      zoom,
      left,
      top,
      width: size.x + 2 * left,
      height: size.y + 2 * top,
      ratio: Math.min(window.devicePixelRatio || 1, 2),
      metre: world / metresOfWorld(centre.lat),
      place: (x, y) => [x * world - origin.x + left, y * world - origin.y + top],
      spot: (latitude, longitude) => {
        const [x, y] = project(latitude, longitude);
        return [x * world - origin.x + left, y * world - origin.y + top];
      },
      origin: [origin.x - left, origin.y - top],
    };
  },

  _fitted(view) {
    const canvas = this._canvas;
    const [width, height] = [Math.round(view.width * view.ratio), Math.round(view.height * view.ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
      canvas.style.width = `${view.width}px`;
      canvas.style.height = `${view.height}px`;
    }
    const corner = this._map.containerPointToLayerPoint([-view.left, -view.top]);
    L.DomUtil.setTransform(canvas, corner, 1);
    this._corner = this._map.layerPointToLatLng(corner);
    this._zoom = view.zoom;
    const pen = canvas.getContext("2d");
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    return pen;
  },

  _joined(zoom) {
    const step = Math.round(zoom * 2) / 2;
    if (!this._clusters.has(step)) {
      // Discs are larger where more are joined.
      const pixels = step < NEAR_ZOOM ? JOIN_PX + JOIN_MORE_PX * Math.log10(this.findings.length + 1) : JOIN_NEAR_PX;
      this._clusters.set(step, cluster(this.findings, pixels / (256 * 2 ** step)));
    }
    return this._clusters.get(step);
  },
});

/** How far a point is from a piece of line, in pixels. */
function apart([x, y], [fromX, fromY], [toX, toY]) {
  const [dx, dy] = [toX - fromX, toY - fromY];
  const share = Math.min(Math.max(((x - fromX) * dx + (y - fromY) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  return Math.hypot(x - fromX - share * dx, y - fromY - share * dy);
}
