// Where dances go on the floor.

// The path on the floor, x and z by turns, after three passes of a moving mean (nearly a Gaussian).
export function smoothed(root, frames, width) {
  let path = new Float64Array(frames * 2);
  for (let frame = 0; frame < frames; frame++) {
    path[frame * 2] = root[frame * 3];
    path[frame * 2 + 1] = root[frame * 3 + 2];
  }
  const half = Math.max(1, Math.round(width));
  for (let pass = 0; pass < 3; pass++) {
    const sums = new Float64Array((frames + 1) * 2);
    for (let i = 0; i < frames * 2; i++) sums[i + 2] = sums[i] + path[i];
    const next = new Float64Array(frames * 2);
    for (let frame = 0; frame < frames; frame++) {
      // The window shrinks evenly at both ends, so that the path keeps its ends.
      const reach = Math.min(half, frame, frames - 1 - frame);
      for (let axis = 0; axis < 2; axis++) {
        const sum = sums[(frame + reach + 1) * 2 + axis] - sums[(frame - reach) * 2 + axis];
        next[frame * 2 + axis] = sum / (2 * reach + 1);
      }
    }
    path = next;
  }
  return path;
}

// The middle of the floor that dancers use, and how far they go from there.
export function middle(dancers) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const { dance, place } of dancers) {
    for (let frame = 0; frame < dance.frames; frame++) {
      [dance.root[frame * 3] + place.position.x, dance.root[frame * 3 + 2] + place.position.z].forEach((value, axis) => {
        low[axis] = Math.min(low[axis], value);
        high[axis] = Math.max(high[axis], value);
      });
    }
  }
  const radius = Math.hypot(high[0] - low[0], high[1] - low[1]) / 2;
  return { x: (low[0] + high[0]) / 2, z: (low[1] + high[1]) / 2, radius };
}
