// An animated character that duende wrote: its own nodes dance, at the clock's time.
import { AnimationMixer, Group } from "three";
import { stand } from "./stand.js";

export class Clip {
  // `scene` and `animation`: of the file; `human`: its bones, where they are known; `after`: called once it is posed.
  constructor(scene, animation, human, skeleton, after = () => {}) {
    this.object = new Group();
    this.object.add(scene);
    this.after = after;
    // It dances in its file's axes and units.
    this.scale = human ? stand(scene, human, skeleton) : 1;
    this.nodes = human ? human.pairs.map(({ node }) => node) : [];
    const number = (node) => this.nodes.indexOf(node);
    this.feet = human ? human.legs.flatMap(({ foot, toes }) => [number(foot), number(toes ?? foot)]) : [];
    this.bones = this.nodes.map((node, i) => [this.above(node), i]).filter(([parent]) => parent >= 0);
    this.points = new Float32Array(this.nodes.length * 3);
    this.mixer = new AnimationMixer(scene);
    this.action = this.mixer.clipAction(animation);
    this.action.play();
    this.length = animation.duration;
  }

  above(node) {
    for (let each = node.parent; each; each = each.parent) if (this.nodes.includes(each)) return this.nodes.indexOf(each);
    return -1;
  }

  show(pose, time) {
    // Its file has the floor at 0, the dance where it stands.
    this.object.position.y = pose.dance.floor;
    // An update by nothing shows the action's time as it is, also at its very end, where one by `time` would begin anew.
    this.action.time = Math.min(time, this.length);
    this.mixer.update(0);
    this.after();
    this.object.updateWorldMatrix(true, true);
    const place = this.object.parent.matrixWorld.elements;
    for (let i = 0; i < this.nodes.length; i++) {
      const { elements } = this.nodes[i].matrixWorld;
      for (let axis = 0; axis < 3; axis++) this.points[i * 3 + axis] = elements[12 + axis] - place[12 + axis];
    }
  }
}
