// The creator's own character: a GLB or VRM file read in the page, or the animated one that the page carries.
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";
import { humanoidByNames, humanoidOfVrm } from "./bones.js";
import { Clip } from "./clip.js";
import { Rig } from "./rig.js";

const MOST_BYTES = 256 * 2 ** 20;
const COMPRESSED = {
  KHR_draco_mesh_compression: "Draco",
  EXT_meshopt_compression: "meshopt",
  KHR_meshopt_compression: "meshopt",
  KHR_texture_basisu: "KTX2 texture",
};
const JUMP = 0.25; // seconds between two poses after which hair and cloth start from rest

// What is wrong with a file, as a sentence for the user.
export class CharacterError extends Error {}

function described(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 20 || view.getUint32(0, true) !== 0x46546c67) {
    throw new CharacterError("is not a binary glTF file; export the character as .glb or .vrm.");
  }
  if (view.getUint32(4, true) !== 2) throw new CharacterError("is an old kind of glTF; export it as glTF 2.0 Binary (.glb).");
  let json;
  try {
    json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, view.getUint32(12, true))));
  } catch {
    throw new CharacterError("is damaged or cut short; copy or export it again.");
  }
  return json;
}

function check(buffer) {
  const json = described(buffer);
  const compressed = Object.keys(COMPRESSED).find((name) => json.extensionsRequired?.includes(name));
  if (compressed) {
    throw new CharacterError(`uses ${COMPRESSED[compressed]} compression, which this page cannot read; export it without compression.`);
  }
  const parts = [...(json.buffers ?? []), ...(json.images ?? [])];
  if (parts.some(({ uri }) => uri !== undefined && !uri.startsWith("data:"))) {
    throw new CharacterError("keeps its data or textures in other files; export it as one glTF Binary (.glb).");
  }
  if (!json.skins?.length) throw new CharacterError("has no skin, so nothing would move; export the character with its rig.");
}

async function parsed(buffer) {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  let gltf;
  try {
    gltf = await loader.parseAsync(buffer, "");
  } catch (error) {
    throw new CharacterError(`cannot be read (${error.message}); export it again.`);
  }
  gltf.scene.traverse((node) => {
    if (!node.isMesh) return;
    node.frustumCulled = false;
    node.castShadow = true;
  });
  return gltf;
}

// A file that the user gave, made a figure that dances.
export async function openCharacter(file, dance) {
  if (file.size > MOST_BYTES) {
    throw new CharacterError(`has ${Math.ceil(file.size / 2 ** 20)} MB, and at most ${MOST_BYTES / 2 ** 20} are read; export it with smaller textures.`);
  }
  const buffer = await file.arrayBuffer();
  check(buffer);
  const gltf = await parsed(buffer);
  const { vrm } = gltf.userData;
  const human = vrm?.humanoid ? humanoidOfVrm(vrm) : humanoidByNames(gltf.scene);
  if (!human) {
    throw new CharacterError("has no legs that this page knows by their names; name them as Mixamo, Unreal, VRM or Rigify do.");
  }
  if (!vrm) return new Rig(gltf.scene, human, dance);
  VRMUtils.combineSkeletons(gltf.scene);
  return new Rig(gltf.scene, human, dance, living(vrm));
}

// A VRM's hair and cloth swing by the computer's time, whatever the clock does.
function living(vrm) {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const passed = (now - last) / 1000;
    last = now;
    if (passed > JUMP) vrm.springBoneManager?.reset();
    vrm.update(Math.min(passed, 1 / 20));
  };
}

// The animated character inside the page.
export async function carriedCharacter({ file, dance }, { skeleton }) {
  const gltf = await parsed(file.buffer);
  if (!gltf.animations.length) throw new CharacterError("holds no animation.");
  const { vrm } = gltf.userData;
  // The file's own bones are animated, not the normalised ones that would be copied onto them.
  if (vrm?.humanoid) vrm.humanoid.autoUpdateHumanBones = false;
  const human = vrm?.humanoid ? humanoidOfVrm(vrm, true) : humanoidByNames(gltf.scene);
  const figure = new Clip(gltf.scene, gltf.animations[0], human, skeleton, vrm && living(vrm));
  return Object.assign(figure, { dance });
}

export function dispose(figure) {
  VRMUtils.deepDispose(figure.object);
}
