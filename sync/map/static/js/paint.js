// How things are drawn. `view` says where a place lies on the canvas; colours come from map.css.

import { colorOf, sprite } from "./shapes.js";
import { number } from "./words.js";

const FINDING_PX = 18;
const STREET_M = 7;
const FEWEST_GRID_PX = 70;
const FADED = new Set(["repaired", "gone", "rejected", "out_of_view"]);
const FINE_ZOOM = 17;
const BEST = 1;
const WORST = 5;

let inks = {};

/** Colours follow the browser's light or dark scheme, so they are read anew at each drawing. */
function ink(name) {
  return (inks[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
}

export function clear(pen, view) {
  inks = {};
  pen.clearRect(0, 0, view.width, view.height);
}

/** A quiet grid of round metres: 1, 2, 5, 10, 20 and so on, so that an empty ground can be measured by eye. */
export function grid(pen, view) {
  let step = 1;
  for (let n = 0; step * view.metre < FEWEST_GRID_PX; n++) step = [1, 2, 5][n % 3] * 10 ** Math.floor(n / 3);
  const pixels = step * view.metre;
  pen.strokeStyle = ink("grid");
  pen.lineWidth = 1;
  pen.beginPath();
  for (let x = -(view.origin[0] % pixels); x < view.width; x += pixels) {
    pen.moveTo(Math.round(x) + 0.5, 0);
    pen.lineTo(Math.round(x) + 0.5, view.height);
  }
  for (let y = -(view.origin[1] % pixels); y < view.height; y += pixels) {
    pen.moveTo(0, Math.round(y) + 0.5);
    pen.lineTo(view.width, Math.round(y) + 0.5);
  }
  pen.stroke();
}

/** The tracks as streets: rims first, then surfaces, so that crossings join. Those of other rounds stand back. */
export function streets(pen, view, tracks, round, onTiles) {
  const seen = tracks.filter((track) => isSeen(view, track));
  const width = Math.max(STREET_M * view.metre, 4);
  const layers = onTiles
    ? [["driven", 4]]
    : [
        ["rim", width + 3],
        ["street", width],
      ];
  pen.lineCap = pen.lineJoin = "round";
  for (const [name, thick] of layers) {
    pen.strokeStyle = ink(name);
    pen.lineWidth = thick;
    trace(pen, view, seen);
  }
  if (round === null || onTiles) return;
  pen.strokeStyle = ink("driven");
  pen.lineWidth = Math.max(width / 3, 2);
  trace(pen, view, seen.filter((track) => track.round === round));
}

/**
 * Stretches of road in the colour of their grade, 1 (very good) to 5 (very bad); dashed where there is none. From near they are
 * the short ones. Gives those that were drawn.
 */
export function graded(pen, view, grades) {
  const fine = view.zoom >= FINE_ZOOM;
  const some = grades.some((each) => each.isShort === fine) ? grades.filter((each) => each.isShort === fine) : grades;
  const seen = some.filter((each) => isSeen(view, each));
  pen.lineCap = "butt";
  pen.lineWidth = gradedWidth(view);
  for (const stretch of seen) {
    pen.strokeStyle = ink(stretch.grade === null ? "grade-none" : `grade-${Math.min(Math.max(Math.round(stretch.grade), BEST), WORST)}`);
    pen.setLineDash(stretch.grade === null ? [6, 6] : []);
    trace(pen, view, [stretch]);
  }
  pen.setLineDash([]);
  return seen;
}

export const gradedWidth = (view) => Math.max((STREET_M / 2) * view.metre, 4);

function isSeen(view, line) {
  const [left, top] = view.place(line.west, line.north);
  const [right, bottom] = view.place(line.east, line.south);
  return right > -20 && bottom > -20 && left < view.width + 20 && top < view.height + 20;
}

function trace(pen, view, lines) {
  pen.beginPath();
  for (const { points } of lines) {
    let [lastX, lastY] = [Infinity, Infinity];
    points.forEach(([px, py], index) => {
      const [x, y] = view.place(px, py);
      if (index === 0) pen.moveTo(x, y);
      else if (Math.abs(x - lastX) + Math.abs(y - lastY) < 1.5 && index < points.length - 1) return;
      else pen.lineTo(x, y);
      [lastX, lastY] = [x, y];
    });
  }
  pen.stroke();
}

/** Draws one finding and tells its radius. */
export function finding(pen, view, { label, state }, x, y, size = FINDING_PX) {
  const picture = sprite(label, size, view.ratio, FADED.has(state));
  const side = picture.width / view.ratio;
  const whole = (value) => Math.round(value * view.ratio) / view.ratio; // on the screen's own dots it stays sharp
  pen.drawImage(picture, whole(x - side / 2), whole(y - side / 2), side, side);
  return size / 2;
}

/** Draws several as a disc with their number, and a rim with the share of each class. */
export function group(pen, view, points, x, y) {
  const radius = 13 + 4 * Math.log10(points.length);
  const counts = new Map();
  for (const { label } of points) counts.set(colorOf(label), (counts.get(colorOf(label)) ?? 0) + 1);
  pen.fillStyle = "#fff";
  disc(pen, x, y, radius + 1.5);
  pen.lineWidth = 1;
  pen.strokeStyle = "rgba(20, 30, 40, 0.45)";
  pen.stroke();
  let from = -Math.PI / 2;
  for (const [color, count] of [...counts].sort((one, other) => other[1] - one[1])) {
    const to = from + (2 * Math.PI * count) / points.length;
    pen.fillStyle = color;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.arc(x, y, radius, from, to);
    pen.closePath();
    pen.fill();
    from = to;
  }
  pen.fillStyle = ink("panel");
  disc(pen, x, y, radius - 4.5);
  pen.fillStyle = ink("text");
  pen.font = `600 ${points.length < 1000 ? 12 : 10}px ${ink("font")}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(points.length < 10000 ? String(points.length) : `${number(points.length / 1000)}k`, x, y + 0.5);
  return radius;
}

/** The place that holds it with 95 %. */
export function circle(pen, view, { latitude, longitude, told }) {
  if (!told.uncertainty_m) return;
  const [x, y] = view.spot(latitude, longitude);
  disc(pen, x, y, told.uncertainty_m * view.metre, ink("halo"));
  pen.strokeStyle = ink("accent");
  pen.lineWidth = 1.5;
  pen.setLineDash([5, 4]);
  pen.stroke();
  pen.setLineDash([]);
}

/** The finding that is open: large, in a ring, above all others, and the way the camera looked. */
export function chosen(pen, view, each) {
  const [x, y] = view.spot(each.latitude, each.longitude);
  if (each.told.heading_deg !== null && each.told.heading_deg !== undefined) {
    const turn = (each.told.heading_deg * Math.PI) / 180;
    pen.save();
    pen.translate(x, y);
    pen.rotate(turn);
    pen.fillStyle = ink("accent");
    pen.beginPath();
    pen.moveTo(0, -30);
    pen.lineTo(6, -20);
    pen.lineTo(-6, -20);
    pen.closePath();
    pen.fill();
    pen.restore();
  }
  pen.fillStyle = ink("panel");
  disc(pen, x, y, 18);
  pen.strokeStyle = ink("accent");
  pen.lineWidth = 3;
  pen.stroke();
  finding(pen, view, { ...each, state: "seen" }, x, y, 20);
}

/** Where each unit was last, with its name. */
export function units(pen, view, places) {
  pen.font = `600 11px ${ink("font")}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const { name, latitude, longitude, online } of places) {
    const [x, y] = view.spot(latitude, longitude);
    const width = pen.measureText(name).width;
    pen.fillStyle = online ? ink("accent") : ink("faint");
    pen.strokeStyle = ink("panel");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x - 5, y - 8);
    pen.roundRect(x - 10, y - 26, width + 20, 19, 9.5);
    pen.moveTo(x, y);
    pen.lineTo(x + 6, y - 8);
    pen.lineTo(x - 4, y - 8);
    pen.closePath();
    pen.stroke();
    pen.fill();
    pen.fillStyle = ink("on-accent");
    pen.fillText(name, x, y - 16);
  }
}

export function pulse(pen, view, { latitude, longitude }, share) {
  const [x, y] = view.spot(latitude, longitude);
  const wave = (share * 2) % 1;
  pen.globalAlpha = 1 - wave;
  pen.strokeStyle = ink("accent");
  pen.lineWidth = 3;
  pen.beginPath();
  pen.arc(x, y, 10 + 26 * wave, 0, 2 * Math.PI);
  pen.stroke();
  pen.globalAlpha = 1;
}

function disc(pen, x, y, radius, fill) {
  if (fill) pen.fillStyle = fill;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
