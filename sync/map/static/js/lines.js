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
