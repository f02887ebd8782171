// The one dancer of a live page, as the stage wants its troupe.
import { Group, Vector3 } from "three";
import { Mannequin, bodyShape } from "../mannequin.js";
import { LivePose } from "./frames.js";

const CALM = 2.2; // share a second by which the camera's goal follows the dancer
const LEAP = 2; // metres from which it is there at once
const ROOM = 0.6; // metres around the middle that a camera which stays looks at

export class LiveDancer {
  constructor(page, store) {
    // The floor is at height 0: soles are where frames have them.
    this.dance = { ...page.dances[0], floor: 0, facing: 0, store };
    this.mannequin = new Mannequin(this.dance.skeleton, bodyShape(page.body));
    this.figure = this.mannequin;
    this.character = null;
    this.object = new Group();
    this.object.add(this.mannequin.object);
    this.pose = new LivePose(this.dance);
    this.spot = new Vector3();
    this.alone = true;
    this.row = 0;
    this.visible = [this];
    this.seen = null;
    this.show(0);
  }

  get middle() {
    return { x: this.spot.x, z: this.spot.z, radius: ROOM };
  }

  show(time) {
    this.pose.at(time);
    this.figure.show(this.pose, time);
  }

  // Let the camera's goal come after the dancer.
  follow(passed) {
    const x = this.pose.points[0] * this.figure.scale;
    const z = this.pose.points[2] * this.figure.scale;
    const share = Math.hypot(x - this.spot.x, z - this.spot.z) > LEAP ? 1 : 1 - Math.exp(-CALM * passed);
    this.spot.x += (x - this.spot.x) * share;
    this.spot.z += (z - this.spot.z) * share;
  }

  centre(time, into) {
    return into.copy(this.spot);
  }

  // Give it a character; the one before is returned.
  cast(character) {
    const before = this.character;
    before?.object.removeFromParent();
    this.character = character;
    this.object.add(character.object);
    this.wear(true);
    return before;
  }

  wear(wearing) {
    const worn = wearing && this.character !== null;
    this.figure = worn ? this.character : this.mannequin;
    this.mannequin.object.visible = !worn;
    if (this.character) this.character.object.visible = worn;
  }

  joints() {
    return this.mannequin.joints.map((joint) => joint.getWorldPosition(new Vector3()).toArray());
  }
}
