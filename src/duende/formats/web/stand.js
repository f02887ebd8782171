// How a stranger's figure stands at rest: which way it looks, how large it is, where its soles are.
import { Box3, Matrix4, Quaternion, Vector3 } from "three";
import { restPoints } from "./pose.js";

const NEARLY = Math.PI / 12; // radians by which what nearly looks along an axis looks along it
const SIZES = [0.2, 4]; // leg lengths, as shares of a human's, of models that keep their size

export const placed = (node) => new Vector3().setFromMatrixPosition(node.matrixWorld);

const length = (points) => points.slice(1).reduce((sum, point, i) => sum + point.distanceTo(points[i]), 0);

// The dance's own joints at rest: places, the root at the origin, and heights over the floor.
export function measured(skeleton, sole) {
  const points = restPoints(skeleton);
  const lowest = Math.min(...points.map((point) => point[1]));
  return {
    points: points.map((point) => new Vector3(...point)),
    heights: points.map((point) => point[1] - lowest + sole),
  };
}

// How long a humanoid's legs are compared to the dance's.
export function legRatio({ legs }, skeleton) {
  const rest = measured(skeleton, 0).points;
  const own = legs.map(({ upperLeg, lowerLeg, foot }) => length([upperLeg, lowerLeg, foot].map(placed)));
  const dance = legs.map(({ joints }) => length([joints.upperLeg, joints.lowerLeg, joints.foot].map((j) => rest[j])));
  return (own[0] + own[1]) / (dance[0] + dance[1]);
}

// The axis that a direction is nearest to.
function axis(direction) {
  const sizes = direction.toArray().map(Math.abs);
  const number = sizes.indexOf(Math.max(...sizes));
  return new Vector3().setComponent(number, Math.sign(direction.getComponent(number)));
}

// The turn from a file's axes to ours: Y up, looking along +Z, the left side at +X. VRM 0 looks along -Z, some files
// have Z up.
function facing({ legs, head, pairs }) {
  const [left, right] = legs.map(({ upperLeg }) => placed(upperLeg));
  const up = head ? axis(placed(head).sub(left.clone().lerp(right, 0.5))) : new Vector3(0, 1, 0);
  const across = left.sub(right);
  const [one, other] = [16, 17].map((joint) => pairs.find((pair) => pair.joint === joint));
  if (one && other) across.add(placed(one.node)).sub(placed(other.node));
  across.projectOnPlane(up).normalize();
  const straight = axis(across);
  const side = across.angleTo(straight) < NEARLY ? straight : across;
  const frame = new Matrix4().makeBasis(side, up, side.clone().cross(up));
  return new Quaternion().setFromRotationMatrix(frame).invert();
}

// Turn a scene so that its figure looks as ours do, and bring it to a human's size where its unit is not the metre;
// returns how long its legs are compared to the dance's.
export function stand(scene, human, skeleton) {
  scene.updateWorldMatrix(true, true);
  const turn = facing(human);
  scene.position.applyQuaternion(turn);
  scene.quaternion.premultiply(turn);
  const ratio = legRatio(human, skeleton);
  if (!(ratio > SIZES[0] && ratio < SIZES[1])) scene.scale.multiplyScalar(1 / ratio);
  scene.updateWorldMatrix(true, true);
  return legRatio(human, skeleton);
}

// The height of the soles: the lowest of the mesh, but not where a train or long hair reaches far lower than the feet.
export function soleOf(scene, { legs }, size) {
  const feet = legs.flatMap(({ foot, toes }) => [foot, toes ?? foot]);
  const lowest = Math.min(...feet.map((node) => placed(node).y));
  const bottom = new Box3().setFromObject(scene, true).min.y;
  return lowest - bottom < 0.2 * size && bottom <= lowest ? bottom : lowest - 0.02 * size;
}
