// A leg of two bones bent so that its ankle reaches a place.
import { Quaternion, Vector3 } from "three";

const STRAIGHT = 0.9995; // share of its length to which a leg stretches
const thigh = new Vector3();
const shin = new Vector3();
const axis = new Vector3();
const reach = new Vector3();
const turn = new Quaternion();

// Turn `upper` and `lower` (each `place` and `world` orientation) so that the ankle at `ankle` comes to `target`. A
// straight knee bends forwards as `hip`, the thigh's turn from its rest, has it. Changes `target`.
export function bend(upper, lower, ankle, target, hip) {
  thigh.copy(lower.place).sub(upper.place);
  shin.copy(ankle).sub(lower.place);
  reach.copy(target).sub(upper.place);
  const a = thigh.length();
  const b = shin.length();
  const wanted = Math.min(Math.max(reach.length(), Math.abs(a - b) + 1e-6), STRAIGHT * (a + b));
  axis.copy(thigh).cross(shin);
  const angle = Math.atan2(axis.length(), thigh.dot(shin));
  if (axis.length() < 0.02 * a * b) axis.set(1, 0, 0).applyQuaternion(hip);
  axis.normalize();
  const cosine = (wanted * wanted - a * a - b * b) / (2 * a * b);
  turn.setFromAxisAngle(axis, Math.acos(Math.min(Math.max(cosine, -1), 1)) - angle);
  lower.world.premultiply(turn);
  shin.applyQuaternion(turn).add(thigh).normalize();
  turn.setFromUnitVectors(shin, reach.normalize());
  upper.world.premultiply(turn);
  lower.world.premultiply(turn);
}
