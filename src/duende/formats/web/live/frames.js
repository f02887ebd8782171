// Frames that have come and wait for their moments; see frames.py, which wrote them.
import { Pose } from "../pose.js";

const KEPT = 1024; // frames: seventeen seconds at sixty a second
const FAR = 60; // frames over which a gap is bridged
const UNIT = 32767;

export class FrameStore {
  constructor(joints) {
    this.joints = joints;
    this.record = 16 + joints * 8;
    this.turns = new Int16Array(KEPT * joints * 4);
    this.roots = new Float32Array(KEPT * 3);
    this.numbers = new Int32Array(KEPT);
    this.clear();
  }

  clear() {
    this.numbers.fill(-1);
    this.newest = -1;
    this.oldest = -1;
  }

  add(buffer) {
    const view = new DataView(buffer);
    for (let at = 0; at + this.record <= buffer.byteLength; at += this.record) this.read(view, at);
  }

  read(view, at) {
    const number = view.getUint32(at, true);
    const place = number % KEPT;
    this.numbers[place] = number;
    for (let axis = 0; axis < 3; axis++) this.roots[place * 3 + axis] = view.getFloat32(at + 4 + axis * 4, true);
    const first = place * this.joints * 4;
    for (let i = 0; i < this.joints * 4; i++) this.turns[first + i] = view.getInt16(at + 16 + i * 2, true);
    this.newest = Math.max(this.newest, number);
    this.oldest = this.oldest < 0 ? number : this.oldest;
  }

  has(number) {
    return number >= 0 && this.numbers[number % KEPT] === number;
  }

  // The nearest frame that has come, from `number` on by steps of `step`; -1 where there is none.
  near(number, step) {
    for (let far = 0; far <= FAR; far++) if (this.has(number + far * step)) return number + far * step;
    return -1;
  }
}

// A pose out of the store: between two frames, over a gap, or still, where nothing has come yet.
export class LivePose extends Pose {
  at(time) {
    const { store, fps } = this.dance;
    if (!store || store.newest < 0) return this.rest();
    const at = Math.max(0, time * fps);
    const near = Math.round(at);
    const place = Math.abs(at - near) < 1e-3 ? near : at;
    let before = store.near(Math.floor(place), -1);
    let after = store.near(Math.ceil(place), 1);
    if (before < 0 && after < 0) before = after = place > store.newest ? store.newest : store.oldest;
    if (before < 0) before = after;
    if (after < 0) after = before;
    if (!store.has(before)) return undefined;
    return this.mix(before, after, after > before ? (place - before) / (after - before) : 0);
  }

  rest() {
    for (const turn of this.local) turn.identity();
    this.points.set(this.dance.root.subarray(0, 3));
    this.place();
  }

  mix(before, after, share) {
    const { store } = this.dance;
    for (let joint = 0; joint < this.local.length; joint++) {
      this.turn(before, joint, this.local[joint]);
      if (share > 0) this.local[joint].slerp(this.turn(after, joint, this.next), share);
    }
    for (let axis = 0; axis < 3; axis++) {
      const [from, to] = [before, after].map((number) => store.roots[(number % KEPT) * 3 + axis]);
      this.points[axis] = from * (1 - share) + to * share;
    }
    this.place();
  }

  turn(number, joint, into) {
    const { turns, joints } = this.dance.store;
    const first = ((number % KEPT) * joints + joint) * 4;
    into.set(turns[first] / UNIT, turns[first + 1] / UNIT, turns[first + 2] / UNIT, turns[first + 3] / UNIT);
    return into.normalize();
  }
}

// Counts frames whose moment came before they did, each once.
export class Underruns {
  constructor() {
    this.clear();
  }

  clear() {
    this.count = 0;
    this.shown = 0;
    this.last = null;
  }

  // At a frame (a fraction of one) that is shown now. After a pause of the page nothing is counted, nor after the end.
  see(at, store, end) {
    const due = Math.min(Math.floor(at), end);
    const missed = this.last !== null && due - this.last < FAR;
    for (let number = missed ? this.last + 1 : due; number <= due; number++) {
      if (store.has(number)) this.shown += 1;
      else if (store.oldest >= 0 && number >= store.oldest) this.count += 1;
    }
    this.last = Math.max(due, this.last ?? due);
  }
}
