// The dance as the page carries it, and the body that dances it.
import {
  Bone, BufferAttribute, BufferGeometry, Color, MeshStandardMaterial, Quaternion, Skeleton, SkinnedMesh, Vector3,
} from "three";

function bytes(text) {
  const raw = atob(text);
  const result = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) result[i] = raw.charCodeAt(i);
  return result;
}

export function readDance(data) {
  const root = new Float32Array(bytes(data.root).buffer);
  return {
    ...data,
    root,
    frames: root.length / 3,
    turns: new Uint16Array(bytes(data.turns).buffer),
    audio: data.audio ? bytes(data.audio) : null,
    loudness: data.loudness ? bytes(data.loudness) : null,
  };
}

// Three of a unit quaternion's four numbers in 15 bits each, the fourth and largest from its length; see page.py.
const STEP = 2 / (32767 * Math.SQRT2);
function unpack(words, at, into) {
  const largest = (words[at] >> 15) | ((words[at + 1] >> 15) << 1);
  const q = [0, 0, 0, 0];
  let rest = 1;
  for (let i = 0, word = 0; i < 4; i++) {
    if (i === largest) continue;
    q[i] = (words[at + word++] & 32767) * STEP - Math.SQRT1_2;
    rest -= q[i] * q[i];
  }
  q[largest] = Math.sqrt(Math.max(rest, 0));
  return into.set(q[0], q[1], q[2], q[3]);
}

export class Dancer {
  constructor(dance) {
    this.dance = dance;
    this.bones = dance.names.map((name, joint) => {
      const bone = new Bone();
      bone.name = name;
      bone.position.fromArray(dance.offsets[joint]);
      return bone;
    });
    dance.parents.forEach((parent, joint) => parent >= 0 && this.bones[parent].add(this.bones[joint]));
    this.bones[0].position.set(0, 0, 0);
    this.mesh = this.build(dance.body);
    this.next = new Quaternion();
    this.pose(0);
  }

  build(body) {
    const geometry = new BufferGeometry();
    const normals = new Int8Array(bytes(body.normals).buffer);
    geometry.setAttribute("position", new BufferAttribute(new Float32Array(bytes(body.vertices).buffer), 3));
    geometry.setAttribute("normal", new BufferAttribute(Float32Array.from(normals, (n) => n / 127), 3));
    geometry.setAttribute("skinIndex", new BufferAttribute(bytes(body.joints), 4));
    geometry.setAttribute("skinWeight", new BufferAttribute(Float32Array.from(bytes(body.weights), (w) => w / 255), 4));
    geometry.setAttribute("color", new BufferAttribute(linear(bytes(body.colours)), 3));
    geometry.setIndex(new BufferAttribute(new Uint16Array(bytes(body.triangles).buffer), 1));
    const material = new MeshStandardMaterial({ vertexColors: true, roughness: 0.62, metalness: 0 });
    const mesh = new SkinnedMesh(geometry, material);
    mesh.add(this.bones[0]);
    mesh.updateMatrixWorld(true);
    mesh.bind(new Skeleton(this.bones));
    mesh.frustumCulled = false;
    mesh.castShadow = mesh.receiveShadow = true;
    return mesh;
  }

  pose(time) {
    const { frames, fps, turns, root } = this.dance;
    const at = Math.min(Math.max(time * fps, 0), frames - 1);
    // A time that stands for a frame (k / fps) must show that frame, whatever its rounding.
    const near = Math.round(at);
    const place = Math.abs(at - near) < 1e-3 ? near : at;
    const before = Math.floor(place);
    const after = Math.min(before + 1, frames - 1);
    const share = place - before;
    const count = this.bones.length;
    for (let joint = 0; joint < count; joint++) {
      unpack(turns, (before * count + joint) * 3, this.bones[joint].quaternion);
      if (share > 0) this.bones[joint].quaternion.slerp(unpack(turns, (after * count + joint) * 3, this.next), share);
    }
    for (let axis = 0; axis < 3; axis++) {
      const value = root[before * 3 + axis] * (1 - share) + root[after * 3 + axis] * share;
      this.bones[0].position.setComponent(axis, value);
    }
    this.mesh.updateMatrixWorld(true);
  }

  state() {
    const joints = this.bones.map((bone) => bone.getWorldPosition(new Vector3()).toArray());
    return { root: joints[0], joints };
  }
}

function linear(colours) {
  const result = new Float32Array(colours.length);
  const colour = new Color();
  for (let i = 0; i < colours.length; i += 3) {
    colour.setRGB(colours[i] / 255, colours[i + 1] / 255, colours[i + 2] / 255, "srgb").toArray(result, i);
  }
  return result;
}
