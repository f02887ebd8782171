// A stranger's rig that dances: SMPL's turns laid on its own bones, its feet where the dance stands.
import { Group, Matrix4, Quaternion, Vector3 } from "three";
import { bend } from "./leg.js";
import { standShifts } from "./stands.js";
import { measured, placed, soleOf, stand } from "./stand.js";

const LEFT_HIP = 1;
const RIGHT_HIP = 2;
const TOWARDS = { 1: 4, 2: 5, 4: 7, 5: 8, 7: 10, 8: 11, 16: 18, 17: 19, 18: 20, 19: 21, 20: 22, 21: 23 };
const LEVEL = new Vector3(1, 0, 1);

export class Rig {
  // `scene`: what the file shows, at rest; `human`: its bones, see bones.js; `after`: called once it is posed.
  constructor(scene, human, { skeleton, sole }, after = () => {}) {
    this.object = new Group();
    this.object.add(scene);
    this.after = after;
    this.smpl = measured(skeleton, sole);
    this.scale = stand(scene, human, skeleton);
    this.build(human);
    this.measure(human, scene);
    this.bones = this.joints.map((joint, i) => [joint.parent, i]).filter(([parent]) => parent >= 0);
    this.feet = this.legs.flatMap(({ foot, toes }) => [foot, toes < 0 ? foot : toes]);
    this.points = new Float32Array(this.joints.length * 3);
    this.middle = new Vector3();
    this.scratch = new Vector3();
    this.turn = new Quaternion();
    this.shifts = new Map();
  }

  // The bones that matter, parents first: those that a joint turns, and those between them.
  build({ hips, pairs }) {
    const parts = new Map(pairs.map((pair) => [pair.node, pair]));
    const wanted = new Set();
    for (const { node } of pairs) {
      const chain = [];
      for (let each = node; each && each !== hips; each = each.parent) chain.push(each);
      if (chain.at(-1)?.parent === hips) chain.forEach((each) => wanted.add(each));
    }
    this.joints = [];
    this.numbers = new Map();
    const visit = (node, parent) => {
      this.numbers.set(node, this.joints.length);
      this.joints.push(this.joint(node, parent, parts.get(node)));
      const number = this.joints.length - 1;
      node.children.filter((child) => wanted.has(child)).forEach((child) => visit(child, number));
    };
    visit(hips, -1);
    this.above = hips.parent.matrixWorld.clone().invert();
    this.aboveTurn = new Quaternion().setFromRotationMatrix(new Matrix4().extractRotation(hips.parent.matrixWorld));
    this.joints.forEach((joint) => this.lay(joint));
  }

  joint(node, parent, part) {
    const rest = new Quaternion();
    const place = new Vector3();
    const scale = new Vector3();
    node.matrixWorld.decompose(place, rest, scale);
    return {
      node, parent, part, rest, place,
      reach: node.position.clone().multiplyScalar(new Vector3().setFromMatrixScale(node.parent.matrixWorld).x),
      turn: node.quaternion.clone(),
      base: rest.clone(),
      world: rest.clone(),
      height: 0,
    };
  }

  // Lay a limb's bone at rest along SMPL's, by the least rotation, and a foot's by a turn about the vertical: soles lie
  // on the floor in both. The trunk stays as the model has it.
  lay(joint) {
    const { part, rest, parent } = joint;
    if (!part?.limb) return;
    const dance = this.smpl.points;
    joint.least = new Quaternion();
    if (part.aim) {
      const own = placed(part.aim).sub(joint.place);
      const along = dance[TOWARDS[part.joint]].clone().sub(dance[part.joint]);
      if (part.level) [own, along].forEach((direction) => direction.multiply(LEVEL));
      joint.least.setFromUnitVectors(own.normalize(), along.normalize());
    } else if (this.joints[parent]?.least) joint.least.copy(this.joints[parent].least);
    joint.base.copy(joint.least).multiply(rest);
  }

  measure({ legs }, scene) {
    const number = (node) => this.numbers.get(node) ?? -1;
    this.legs = legs.map((leg) => ({
      upper: number(leg.upperLeg), lower: number(leg.lowerLeg), foot: number(leg.foot), toes: number(leg.toes),
      joints: leg.joints,
    }));
    const sole = soleOf(scene, { legs }, this.scale);
    for (const joint of this.joints) joint.height = joint.place.y - sole;
    const [left, right] = this.legs.map(({ upper }) => this.joints[upper].place);
    const middle = left.clone().add(right).multiplyScalar(0.5);
    this.middleHeight = middle.y - sole;
    this.fork = middle.sub(this.joints[0].place).applyQuaternion(this.joints[0].rest.clone().invert());
  }

  show(pose) {
    const shift = this.shift(pose.dance);
    this.free(pose);
    for (let side = 0; side < 2; side++) if (pose.holds[side] > 0) this.plant(pose, side, shift);
    this.write();
    this.after();
  }

  // As the dance turns its bones, before the feet are held.
  free(pose) {
    for (const joint of this.joints) {
      if (joint.part) joint.world.multiplyQuaternions(pose.world[joint.part.joint], joint.base);
    }
    this.hang(pose);
    this.follow(0, this.joints.length);
    this.land(pose);
  }

  // The hips where the dance's are, on a path as much longer as the legs are.
  hang(pose) {
    const { points, dance } = pose;
    const at = (axis) => (points[LEFT_HIP * 3 + axis] + points[RIGHT_HIP * 3 + axis]) / 2;
    const rest = (this.smpl.heights[LEFT_HIP] + this.smpl.heights[RIGHT_HIP]) / 2;
    const height = dance.floor + this.middleHeight + this.scale * (at(1) - dance.floor - rest);
    this.middle.set(this.scale * at(0), height, this.scale * at(2));
    const hips = this.joints[0];
    hips.place.copy(this.fork).applyQuaternion(hips.world).multiplyScalar(-1).add(this.middle);
  }

  // Places, and turns of bones that no joint turns, from joint `first` on.
  follow(first, last) {
    for (let i = Math.max(first, 1); i < last; i++) {
      const joint = this.joints[i];
      const parent = this.joints[joint.parent];
      joint.place.copy(joint.reach).applyQuaternion(parent.world).add(parent.place);
      if (!joint.part) joint.world.multiplyQuaternions(parent.world, joint.turn);
    }
  }

  // Over the floor by how much the dance is: feet of other lengths neither sink nor hover.
  land(pose) {
    let own = Infinity;
    let dance = Infinity;
    for (const { foot, toes, joints } of this.legs) {
      own = Math.min(own, this.clear(foot, pose), toes < 0 ? Infinity : this.clear(toes, pose));
      dance = Math.min(dance, this.danced(joints.foot, pose), this.danced(joints.toes, pose));
    }
    const lift = dance * this.scale - own;
    for (const joint of this.joints) joint.place.y += lift;
  }

  clear(number, pose) {
    return this.joints[number].place.y - pose.dance.floor - this.joints[number].height;
  }

  danced(joint, pose) {
    return pose.points[joint * 3 + 1] - pose.dance.floor - this.smpl.heights[joint];
  }

  // While a foot stands, its toes stay as the dance's do, and the leg bends to reach there.
  plant(pose, side, shift) {
    const { upper, lower, foot, toes, joints } = this.legs[side];
    const { points, dance } = pose;
    const anchor = this.anchor(side);
    const from = toes < 0 ? joints.foot : joints.toes;
    const target = this.scratch.set(points[from * 3], 0, points[from * 3 + 2]).multiplyScalar(this.scale);
    target.x += pose.between(shift, 4, side * 2);
    target.z += pose.between(shift, 4, side * 2 + 1);
    target.y = dance.floor + anchor.height + this.scale * this.danced(from, pose);
    const ankle = this.joints[foot].place;
    target.sub(anchor.place).multiplyScalar(pose.holds[side]).add(ankle);
    bend(this.joints[upper], this.joints[lower], ankle, target, pose.world[joints.upperLeg]);
    this.follow(upper + 1, this.joints.length);
  }

  // What of a foot is held: its toes, or the foot where there are none.
  anchor(side) {
    const { foot, toes } = this.legs[side];
    return this.joints[toes < 0 ? foot : toes];
  }

  // How far from the dance's the feet stand, worked out once for each dance.
  shift(dance) {
    if (!this.shifts.has(dance)) this.shifts.set(dance, standShifts(dance, (pose, into) => this.offsets(pose, into)));
    return this.shifts.get(dance);
  }

  offsets(pose, into) {
    this.free(pose);
    this.legs.forEach(({ toes, joints }, side) => {
      const { place } = this.anchor(side);
      const from = toes < 0 ? joints.foot : joints.toes;
      into[side * 2] = place.x - this.scale * pose.points[from * 3];
      into[side * 2 + 1] = place.z - this.scale * pose.points[from * 3 + 2];
    });
  }

  write() {
    const { joints, turn, points } = this;
    for (let i = 0; i < joints.length; i++) {
      const { node, part, parent, world, place } = joints[i];
      if (part) {
        turn.copy(parent < 0 ? this.aboveTurn : joints[parent].world).invert();
        node.quaternion.multiplyQuaternions(turn, world);
      }
      place.toArray(points, i * 3);
    }
    joints[0].node.position.copy(joints[0].place).applyMatrix4(this.above);
  }
}
