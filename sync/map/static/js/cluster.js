// Which findings are drawn together where they would lie on one another. Pure: numbers in, numbers out.

/** Web Mercator as a share of the world, 0 to 1 from the north-west corner. */
export function project(latitude, longitude) {
  const sine = Math.min(Math.max(Math.sin((latitude * Math.PI) / 180), -0.99999), 0.99999);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

/** Metres on the ground of one share of the world at this latitude. */
export const metresOfWorld = (latitude) => 40075016.686 * Math.cos((latitude * Math.PI) / 180);

/**
 * Joins points that are nearer than `radius` (a share of the world) to the first of them, then groups that are still as near.
 * `points` have x and y; a group has x, y (the mean) and its points.
 */
export function cluster(points, radius) {
  const single = points.map((point) => ({ x: point.x, y: point.y, points: [point] }));
  return joined(joined(single, radius), radius);
}

function joined(points, radius) {
  const cells = new Map();
  const cellOf = (point) => [Math.floor(point.x / radius), Math.floor(point.y / radius)];
  const key = (column, row) => column * 67108864 + row;
  points.forEach((point, index) => {
    const place = key(...cellOf(point));
    const cell = cells.get(place);
    if (cell) cell.push(index);
    else cells.set(place, [index]);
  });
  const taken = new Uint8Array(points.length);
  const clusters = [];
  points.forEach((point, index) => {
    if (taken[index]) return;
    const all = [];
    let [x, y] = [0, 0];
    const [column, row] = cellOf(point);
    for (let right = -1; right <= 1; right++) {
      for (let down = -1; down <= 1; down++) {
        for (const other of cells.get(key(column + right, row + down)) ?? []) {
          const near = points[other];
          if (taken[other] || (near.x - point.x) ** 2 + (near.y - point.y) ** 2 > radius * radius) continue;
          taken[other] = 1;
          all.push(...near.points);
          x += near.x * near.points.length;
          y += near.y * near.points.length;
        }
      }
    }
    clusters.push({ x: x / all.length, y: y / all.length, points: all });
  });
  return clusters;
}
