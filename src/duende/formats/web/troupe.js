// All dancers of the page: side by side or one alone, each as mannequin or as the creator's character.
import { Group, Vector3 } from "three";
import { Mannequin, bodyShape } from "./mannequin.js";
import { Overlays } from "./overlays.js";
import { middle, smoothed } from "./paths.js";
import { Pose } from "./pose.js";

const APART = 1.9; // metres between neighbours
const SMOOTHING = 0.45; // seconds over which a path is smoothed for the camera
const TALL = 1.1; // metres over the floor of the middle of what a click can hit, and its reach
const WIDE = 0.45;

export class Troupe {
  constructor(page) {
    const shape = bodyShape(page.body);
    this.object = new Group();
    this.shown = { contacts: false, path: false, bones: false };
    this.dancers = page.dances.map((dance, index) => this.dancer(page, dance, index, shape));
    this.character = null;
    this.wearing = false;
    this.lead = 0;
    this.choose(null);
  }

  dancer(page, dance, index, shape) {
    const place = new Group();
    const mannequin = new Mannequin(dance.skeleton, shape);
    const overlays = new Overlays(dance, this.shown);
    const path = smoothed(dance.root, dance.frames, SMOOTHING * dance.fps);
    place.add(mannequin.object, overlays.object, overlays.lines);
    this.object.add(place);
    // Side by side, each around its own column; every dance's floor is the one that is seen.
    const own = middle([{ dance, place }]);
    const column = new Vector3((index - (page.dances.length - 1) / 2) * APART - own.x, -dance.floor, -own.z);
    return { index, dance, place, column, reach: own.radius, mannequin, overlays, path, pose: new Pose(dance), figure: mannequin };
  }

  get alone() {
    return this.chosen !== null || this.dancers.length === 1;
  }

  // Show one dancer by its number, or all by null.
  choose(index) {
    this.chosen = index === null || this.dancers.length === 1 ? null : index;
    this.lead = this.chosen ?? this.lead;
    for (const dancer of this.dancers) {
      dancer.place.visible = this.chosen === null || this.chosen === dancer.index;
      if (this.alone) dancer.place.position.set(0, dancer.column.y, 0);
      else dancer.place.position.copy(dancer.column);
    }
    this.visible = this.dancers.filter((dancer) => dancer.place.visible);
    this.middle = middle(this.visible);
    // How far the row reaches to either side, with some room for those who leave their column.
    const reach = Math.min(0.7, Math.max(...this.visible.map((dancer) => dancer.reach)));
    this.row = this.alone ? 0 : ((this.dancers.length - 1) * APART) / 2 + reach;
    this.dress();
  }

  // Give the lead a character, or take it away by null; the one before is returned.
  cast(character) {
    const before = this.character;
    before?.object.removeFromParent();
    this.character = character;
    this.wear(character !== null);
    return before;
  }

  wear(wearing) {
    this.wearing = wearing && this.character !== null;
    this.dress();
  }

  // A character that carries its own dance dances that one only; any other dances what the lead does.
  dress() {
    const role = this.character?.dance ?? this.lead;
    for (const dancer of this.dancers) {
      const worn = this.wearing && dancer.index === role;
      dancer.figure = worn ? this.character : dancer.mannequin;
      dancer.mannequin.object.visible = !worn;
      if (dancer.index === role && this.character) dancer.place.add(this.character.object);
    }
    if (this.character) this.character.object.visible = this.wearing;
  }

  show(time) {
    for (const { figure, pose, overlays } of this.visible) {
      pose.at(time);
      figure.show(pose, time);
      overlays.update(figure, pose, time);
    }
  }

  // Where the shown dancers are on the floor, on the whole.
  centre(time, into) {
    into.set(0, 0, 0);
    for (const dancer of this.visible) this.ground(dancer, time, into);
    return into.divideScalar(this.visible.length);
  }

  // Add a dancer's place on the floor to `into`.
  ground({ dance, path, place, figure }, time, into) {
    const frame = Math.min(dance.frames - 1, Math.round(time * dance.fps));
    into.x += place.position.x + path[frame * 2] * figure.scale;
    into.z += place.position.z + path[frame * 2 + 1] * figure.scale;
    return into;
  }

  // The dancer that a ray from the camera meets first, if any.
  hit(ray, time) {
    const at = new Vector3();
    let nearest = null;
    for (const dancer of this.visible) {
      this.ground(dancer, time, at.set(0, 0, 0)).setY(TALL);
      const far = ray.direction.dot(at.sub(ray.origin));
      const off = at.sub(ray.direction.clone().multiplyScalar(far));
      const inside = Math.hypot(off.x, off.z) < WIDE && Math.abs(off.y) < TALL;
      if (inside && far > 0 && (!nearest || far < nearest.far)) nearest = { dancer, far };
    }
    return nearest?.dancer ?? null;
  }

  state() {
    return this.dancers.map(({ index, dance, place, mannequin, figure }) => ({
      name: dance.name,
      shown: place.visible,
      place: place.position.toArray(),
      joints: mannequin.joints.map((joint) => place.worldToLocal(joint.getWorldPosition(new Vector3())).toArray()),
      character: figure === mannequin ? null : bonePlaces(figure, place),
      lead: index === this.lead,
    }));
  }
}

// World places of a character's bones in the dance's own space, by the names that its file has.
function bonePlaces(figure, place) {
  const places = {};
  figure.object.updateMatrixWorld(true);
  figure.object.traverse((node) => {
    if (node.isBone) places[node.userData.name ?? node.name] = place.worldToLocal(node.getWorldPosition(new Vector3())).toArray();
  });
  return places;
}
