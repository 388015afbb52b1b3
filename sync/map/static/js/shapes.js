// How each class looks: a colour that people who see few colours tell apart (Okabe and Ito), and a shape of its own.
// Paths are drawn in a box of 24 by 24; "evenodd" makes the holes.

const ORANGE = "#e69f00";
const SKY = "#56b4e9";
const GREEN = "#009e73";
const YELLOW = "#f0e442";
const BLUE = "#0072b2";
const VERMILLION = "#d55e00";
const PURPLE = "#cc79a7";
const SLATE = "#3d4b57";

const disc = (r, x = 12, y = 12) => `M${x - r} ${y}a${r} ${r} 0 1 1 ${2 * r} 0a${r} ${r} 0 1 1 ${-2 * r} 0z`;
const box = (x, y, w, h) => `M${x} ${y}h${w}v${h}h${-w}z`;

export const SHAPES = {
  crack_longitudinal: { color: ORANGE, path: "M10 2.5h5.5l-2 6 2.5 4.5-3 8.5H7.5l2.5-8-2.5-4.5z" },
  crack_transverse: { color: ORANGE, path: "M2.5 10v5.5l6-2 4.5 2.5 8.5-3V7.5l-8 2.5-4.5-2.5z" },
  crack_alligator: { color: ORANGE, path: box(3, 3, 8, 8) + box(13, 3, 8, 8) + box(3, 13, 8, 8) + box(13, 13, 8, 8) },
  pothole: { color: VERMILLION, path: disc(8.5) },
  patch: { color: PURPLE, path: box(4, 4, 16, 16) },
  manhole: { color: BLUE, path: disc(9) + disc(4) },
  manhole_open: { color: VERMILLION, path: disc(9.5) + disc(6) + disc(2.8) },
  drain: { color: SKY, path: box(2, 5, 20, 14) + box(6, 8, 2.4, 8) + box(10.8, 8, 2.4, 8) + box(15.6, 8, 2.4, 8) },
  sign_danger: { color: YELLOW, path: "M12 2.5 22 20.5H2z" },
  sign_prohibition: { color: GREEN, path: disc(9) + box(6.5, 10.2, 11, 3.6) },
  sign_mandatory: { color: GREEN, path: `${disc(9)}M12 5.5l5 5.5h-3.2v7h-3.6v-7H7z` },
  sign_yield: { color: YELLOW, path: "M12 21.5 2 3.5h20z" },
  sign_stop: { color: GREEN, path: "M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z" },
  traffic_light: { color: SLATE, path: `${box(7, 1.5, 10, 21)}${disc(2.1, 12, 5.8)}${disc(2.1)}${disc(2.1, 12, 18.2)}` },
  fire: { color: VERMILLION, path: "M12.5 1.5c1 4.5 6.5 7 6.5 13a7 7 0 0 1-14 0c0-3 1.8-4.5 2.5-7 1.5 1 2.2 2 2.5 3.5 1.8-2.5 2.5-5.5 2.5-9.5z" },
  hazard: { color: VERMILLION, path: `M12 1.5 22.5 12 12 22.5 1.5 12z${box(10.9, 6, 2.2, 7.5)}${box(10.9, 15.2, 2.2, 2.4)}` },
  smoke: { color: SLATE, path: "M7 19.5a5 5 0 0 1-.6-9.96A6 6 0 0 1 17.8 8.6 5.5 5.5 0 0 1 17 19.5z" },
};

const UNKNOWN = { color: SLATE, path: "M9.5 3h5v6.5H21v5h-6.5V21h-5v-6.5H3v-5h6.5z" };

export const shapeOf = (label) => SHAPES[label] ?? UNKNOWN;
export const colorOf = (label) => shapeOf(label).color;

const SVG = "http://www.w3.org/2000/svg";

/** The shape as a drawing for a page: told to nobody who cannot see it, since its name stands beside it. */
export function icon(label, size = 18) {
  const svg = document.createElementNS(SVG, "svg");
  const shape = shapeOf(label);
  for (const [name, value] of Object.entries({ viewBox: "-1 -1 26 26", width: size, height: size, class: "icon", "aria-hidden": "true" })) {
    svg.setAttribute(name, value);
  }
  svg.append(drawnPath({ d: shape.path, class: "rim" }), drawnPath({ d: shape.path, fill: shape.color, "fill-rule": "evenodd" }));
  return svg;
}

function drawnPath(attributes) {
  const path = document.createElementNS(SVG, "path");
  for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
  return path;
}

const sprites = new Map();

/** The shape drawn once, with a light rim that keeps it apart from any ground; `size` in CSS pixels. */
export function sprite(label, size, ratio, faded = false) {
  const key = `${label} ${size} ${ratio} ${faded}`;
  if (!sprites.has(key)) sprites.set(key, drawn(shapeOf(label), size, ratio, faded));
  return sprites.get(key);
}

function drawn(shape, size, ratio, faded) {
  const canvas = document.createElement("canvas");
  const margin = 4;
  canvas.width = canvas.height = Math.ceil((size + 2 * margin) * ratio);
  const pen = canvas.getContext("2d");
  pen.scale((size * ratio) / 24, (size * ratio) / 24);
  pen.translate((margin * 24) / size, (margin * 24) / size);
  const path = new Path2D(shape.path);
  pen.lineJoin = "round";
  pen.strokeStyle = "rgba(20, 30, 40, 0.55)";
  pen.lineWidth = 5.4;
  pen.stroke(path);
  pen.strokeStyle = pen.fillStyle = "#fff";
  pen.lineWidth = 3.6;
  pen.stroke(path);
  pen.fill(path, "nonzero");
  pen.fillStyle = shape.color;
  pen.globalAlpha = faded ? 0.35 : 1;
  pen.fill(path, "evenodd");
  return canvas;
}
