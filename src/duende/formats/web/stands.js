// Where a figure's feet stand: each stand as a whole lies where the figure's own legs put it on average.
import { Pose } from "./pose.js";

// How far both feet stand from where the dance's do, in metres: x and z of the left foot and the right, for each frame.
// `offsets(pose, into)` writes these four numbers for one pose as the figure's legs have it by themselves.
export function standShifts(dance, offsets) {
  const { frames, fps, standing } = dance;
  const pose = new Pose(dance);
  const own = new Float32Array(frames * 4);
  for (let frame = 0; frame < frames; frame++) {
    pose.at(frame / fps);
    offsets(pose, own.subarray(frame * 4, frame * 4 + 4));
  }
  for (let foot = 0; foot < 2; foot++) {
    const stands = (frame) => standing[frame * 4 + foot * 2] || standing[frame * 4 + foot * 2 + 1];
    for (const axis of [foot * 2, foot * 2 + 1]) settle(own, axis, frames, stands);
  }
  return own;
}

// Means over the stands, and straight lines between one stand and the next.
function settle(values, axis, frames, stands) {
  let last = -1;
  for (let first = 0; first < frames; first++) {
    if (!stands(first)) continue;
    let end = first;
    let sum = 0;
    for (; end < frames && stands(end); end++) sum += values[end * 4 + axis];
    const mean = sum / (end - first);
    for (let frame = first; frame < end; frame++) values[frame * 4 + axis] = mean;
    const from = last < 0 ? mean : values[last * 4 + axis];
    for (let frame = last + 1; frame < first; frame++) {
      values[frame * 4 + axis] = from + ((mean - from) * (frame - last)) / (first - last);
    }
    last = end - 1;
    first = end;
  }
  for (let frame = last + 1; last >= 0 && frame < frames; frame++) values[frame * 4 + axis] = values[last * 4 + axis];
}
