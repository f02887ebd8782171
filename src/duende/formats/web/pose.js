// One dance at one time: rotations and positions of SMPL's joints, without an allocation for a frame.
import { Quaternion } from "three";

const STEP = 2 / (32767 * Math.SQRT2);

// Three of a unit quaternion's four numbers in 15 bits each, the fourth and largest from its length; see page_data.py.
function unpack(words, at, into) {
  const largest = (words[at] >> 15) | ((words[at + 1] >> 15) << 1);
  const a = (words[at] & 32767) * STEP - Math.SQRT1_2;
  const b = (words[at + 1] & 32767) * STEP - Math.SQRT1_2;
  const c = (words[at + 2] & 32767) * STEP - Math.SQRT1_2;
  const d = Math.sqrt(Math.max(1 - a * a - b * b - c * c, 0));
  if (largest === 0) return into.set(d, a, b, c);
  if (largest === 1) return into.set(a, d, b, c);
  if (largest === 2) return into.set(a, b, d, c);
  return into.set(a, b, c, d);
}

// The joints at rest, the root at the origin.
export function restPoints({ parents, offsets }) {
  const points = [];
  parents.forEach((parent, joint) =>
    points.push(parent < 0 ? [0, 0, 0] : offsets[joint].map((value, axis) => value + points[parent][axis])),
  );
  return points;
}

export class Pose {
  constructor(dance) {
    const { skeleton } = dance;
    Object.assign(this, { skeleton, dance });
    this.local = skeleton.names.map(() => new Quaternion());
    this.world = skeleton.names.map(() => new Quaternion());
    this.points = new Float32Array(skeleton.names.length * 3);
    this.holds = [0, 0];
    this.next = new Quaternion();
    this.offsets = new Float32Array(skeleton.offsets.flat());
    this.at(0);
  }

  at(time) {
    const { frames, fps, turns, root, holds } = this.dance;
    const { local, points, next } = this;
    const at = Math.min(Math.max(time * fps, 0), frames - 1);
    // A time that stands for a frame (k / fps) must show that frame, whatever its rounding.
    const near = Math.round(at);
    const place = Math.abs(at - near) < 1e-3 ? near : at;
    const before = Math.floor(place);
    const after = Math.min(before + 1, frames - 1);
    const share = place - before;
    this.before = before;
    this.after = after;
    this.share = share;
    for (let joint = 0; joint < local.length; joint++) {
      unpack(turns, (before * local.length + joint) * 3, local[joint]);
      if (share > 0) local[joint].slerp(unpack(turns, (after * local.length + joint) * 3, next), share);
    }
    for (let axis = 0; axis < 3; axis++) points[axis] = this.between(root, 3, axis);
    for (let foot = 0; foot < 2; foot++) this.holds[foot] = this.between(holds, 2, foot);
    this.place();
  }

  // What `values`, `width` numbers a frame, are at this time.
  between(values, width, number) {
    return values[this.before * width + number] * (1 - this.share) + values[this.after * width + number] * this.share;
  }

  place() {
    const { local, world, points, offsets } = this;
    const { parents } = this.skeleton;
    world[0].copy(local[0]);
    for (let joint = 1; joint < local.length; joint++) {
      const parent = parents[joint];
      world[joint].multiplyQuaternions(world[parent], local[joint]);
      turned(world[parent], offsets, joint * 3, points, joint * 3);
      for (let axis = 0; axis < 3; axis++) points[joint * 3 + axis] += points[parent * 3 + axis];
    }
  }
}

// The vector at `from` turned by a quaternion, written at `to`.
function turned(q, vectors, from, into, to) {
  const x = vectors[from];
  const y = vectors[from + 1];
  const z = vectors[from + 2];
  const tx = 2 * (q.y * z - q.z * y);
  const ty = 2 * (q.z * x - q.x * z);
  const tz = 2 * (q.x * y - q.y * x);
  into[to] = x + q.w * tx + q.y * tz - q.z * ty;
  into[to + 1] = y + q.w * ty + q.z * tx - q.x * tz;
  into[to + 2] = z + q.w * tz + q.x * ty - q.y * tx;
}
