// Tracks and graded stretches as the page uses them.

import { project } from "./cluster.js";

/** A LineString: its points as shares of the world, and where they lie. */
export function line({ geometry, properties }) {
  const { coordinates } = geometry;
  const points = coordinates.map(([longitude, latitude]) => project(latitude, longitude));
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [longitudes, latitudes] = [coordinates.map(([each]) => each), coordinates.map(([, each]) => each)];
  const [longitude, latitude] = coordinates.at(-1);
  return {
    points,
    west: Math.min(...xs),
    east: Math.max(...xs),
    north: Math.min(...ys),
    south: Math.max(...ys),
    corners: [
      [Math.min(...latitudes), Math.min(...longitudes)],
      [Math.max(...latitudes), Math.max(...longitudes)],
    ],
    end: { latitude, longitude },
    length: properties.length_m ?? 0,
    unit: properties.unit,
    round: `${properties.unit}/${properties.round_id}`,
    at: properties.to ?? properties.time,
  };
}

const CELL = 2.5e-7; // of the world: 7 m in Europe
const OLD = 0.5;

/**
 * The stretches without those that a later round has graded again: of the same kind, at the same place, the same way. `stretches`
 * come in the order in which they were told.
 */
export function latest(stretches) {
  const taken = new Map();
  const kept = [];
  for (const stretch of [...stretches].reverse()) {
    const [from, to] = [stretch.points[0], stretch.points.at(-1)];
    const way = [to[0] - from[0], to[1] - from[1]];
    const cells = cellsOf(stretch);
    const again = cells.filter((cell) => taken.get(cell)?.some((each) => each.round !== stretch.round && each.way[0] * way[0] + each.way[1] * way[1] > 0));
    if (again.length > OLD * cells.length) continue;
    kept.push(stretch);
    for (const cell of cells.flatMap(around)) taken.set(cell, [...(taken.get(cell) ?? []), { round: stretch.round, way }]);
  }
  return kept.reverse();
}

function cellsOf({ points, isShort }) {
  const cells = new Set();
  for (const [n, [x, y]] of points.entries()) {
    const [fromX, fromY] = points[Math.max(n - 1, 0)];
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / CELL));
    for (let step = 1; step <= steps; step++) {
      const share = step / steps;
      cells.add(name(Math.floor((fromX + (x - fromX) * share) / CELL), Math.floor((fromY + (y - fromY) * share) / CELL), isShort));
    }
  }
  return [...cells];
}

const name = (column, row, isShort) => `${column},${row},${isShort ? 1 : 0}`;

function around(cell) {
  const [column, row, isShort] = cell.split(",").map(Number);
  return [-1, 0, 1].flatMap((right) => [-1, 0, 1].map((down) => name(column + right, row + down, isShort)));
}
