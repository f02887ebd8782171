// The body that the page brings along; all dancers share its shape.
import { Bone, BufferAttribute, BufferGeometry, Color, MeshStandardMaterial, Skeleton, SkinnedMesh } from "three";

export function bodyShape(body) {
  const geometry = new BufferGeometry();
  const normals = new Int8Array(body.normals.buffer);
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(body.vertices.buffer), 3));
  geometry.setAttribute("normal", new BufferAttribute(Float32Array.from(normals, (n) => n / 127), 3));
  geometry.setAttribute("skinIndex", new BufferAttribute(body.joints, 4));
  geometry.setAttribute("skinWeight", new BufferAttribute(Float32Array.from(body.weights, (w) => w / 255), 4));
  geometry.setAttribute("color", new BufferAttribute(linear(body.colours), 3));
  geometry.setIndex(new BufferAttribute(new Uint16Array(body.triangles.buffer), 1));
  return { geometry, material: new MeshStandardMaterial({ vertexColors: true, roughness: 0.62, metalness: 0 }) };
}

function linear(colours) {
  const result = new Float32Array(colours.length);
  const colour = new Color();
  for (let i = 0; i < colours.length; i += 3) {
    colour.setRGB(colours[i] / 255, colours[i + 1] / 255, colours[i + 2] / 255, "srgb").toArray(result, i);
  }
  return result;
}

// What figures have in common: `object` in the scene, `show(pose, time)`, and for the overlays `points` in the dance's
// own space, `bones` as pairs of points, `feet` (left ankle, left toes, right ankle, right toes), and `scale`, how far
// its path reaches compared to the dance's.
export class Mannequin {
  constructor({ names, parents, offsets }, shape) {
    this.scale = 1;
    this.joints = names.map((name, joint) => {
      const bone = new Bone();
      bone.name = name;
      bone.position.fromArray(offsets[joint]);
      return bone;
    });
    this.bones = [];
    parents.forEach((parent, joint) => {
      if (parent < 0) return;
      this.joints[parent].add(this.joints[joint]);
      this.bones.push([parent, joint]);
    });
    this.feet = ["left_ankle", "left_foot", "right_ankle", "right_foot"].map((name) => names.indexOf(name));
    this.joints[0].position.set(0, 0, 0);
    this.object = new SkinnedMesh(shape.geometry, shape.material);
    this.object.add(this.joints[0]);
    this.object.updateMatrixWorld(true);
    this.object.bind(new Skeleton(this.joints));
    this.object.frustumCulled = false;
    this.object.castShadow = this.object.receiveShadow = true;
    this.points = new Float32Array(names.length * 3);
  }

  show(pose) {
    for (let joint = 0; joint < this.joints.length; joint++) this.joints[joint].quaternion.copy(pose.local[joint]);
    this.joints[0].position.fromArray(pose.points);
    this.points.set(pose.points);
  }
}
