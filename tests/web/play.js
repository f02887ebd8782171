// Plays what the test asks for in three.js and reports where everything is.
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";
import { VRMAnimationLoaderPlugin, createVRMAnimationClip } from "@pixiv/three-vrm-animation";

const complaints = [];
for (const kind of ["warn", "error"]) {
  const say = console[kind];
  console[kind] = (...what) => { complaints.push(what.join(" ")); say(...what); };
}
window.addEventListener("error", (event) => complaints.push(event.message));

const load = (name) => {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  loader.register((parser) => new VRMAnimationLoaderPlugin(parser));
  return loader.loadAsync(`files/${name}`);
};

const place = (node) => node.getWorldPosition(new THREE.Vector3()).toArray();

function player(root, clip) {
  const mixer = new THREE.AnimationMixer(root);
  const action = mixer.clipAction(clip);
  action.setLoop(THREE.LoopOnce);
  action.clampWhenFinished = true;
  action.play();
  return mixer;
}

async function figure(job) {
  const gltf = await load(job.model);
  const mixer = player(gltf.scene, gltf.animations[0]);
  const meshes = [];
  gltf.scene.traverse((node) => { if (node.isSkinnedMesh) meshes.push(node); });
  const points = () => meshes.flatMap((mesh) => {
    const count = mesh.geometry.attributes.position.count;
    return Array.from({ length: Math.ceil(count / job.stride) }, (_, k) =>
      mesh.getVertexPosition(k * job.stride, new THREE.Vector3()).applyMatrix4(mesh.matrixWorld).toArray());
  });
  const pose = (time) => { mixer.setTime(time); gltf.scene.updateMatrixWorld(true); };
  const read = () => ({
    joints: job.bones.map((name) => place(gltf.scene.getObjectByName(name))),
    points: job.stride ? points() : [],
  });
  return { scene: gltf.scene, pose, read, duration: gltf.animations[0].duration };
}

async function avatar(job) {
  const vrm = (await load(job.model)).userData.vrm;
  const vrma = (await load(job.animation)).userData.vrmAnimations[0];
  VRMUtils.rotateVRM0(vrm);
  const clip = createVRMAnimationClip(vrma, vrm);
  const mixer = player(vrm.scene, clip);
  const pose = (time) => { mixer.setTime(time); vrm.update(0); vrm.scene.updateMatrixWorld(true); };
  const raw = (name) => vrm.humanoid.getRawBoneNode(name);
  const rest = job.bones.map((name) => (raw(name) ? place(raw(name)) : null));
  const read = () => ({ joints: job.bones.map((name) => (raw(name) ? place(raw(name)) : null)) });
  return { scene: vrm.scene, pose, read, rest, duration: clip.duration };
}

function stage(subject, floor) {
  const scene = new THREE.Scene();
  scene.background = new THREE.Color(0xd4dae2);
  const sun = new THREE.DirectionalLight(0xffffff, 2.4);
  sun.castShadow = true;
  sun.shadow.mapSize.set(1024, 1024);
  Object.assign(sun.shadow.camera, { left: -2.5, right: 2.5, top: 2.5, bottom: -2.5 });
  const ground = new THREE.Mesh(new THREE.PlaneGeometry(60, 60), new THREE.MeshStandardMaterial({ color: 0xc2cad4 }));
  ground.rotation.x = -Math.PI / 2;
  ground.position.y = floor;
  ground.receiveShadow = true;
  scene.add(subject, ground, sun, sun.target, new THREE.HemisphereLight(0xffffff, 0x8890a0, 1.6));
  subject.traverse((node) => Object.assign(node, { frustumCulled: false, castShadow: true }));
  return { scene, sun };
}

// One picture for each time, side by side, each looking at its own place (metres on the floor).
function draw(subject, pose, picture, times) {
  const { scene, sun } = stage(subject, picture.floor);
  const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
  const { width, height } = picture;
  renderer.shadowMap.enabled = true;
  renderer.setSize(width * times.length, height, false);
  renderer.setScissorTest(true);
  const camera = new THREE.PerspectiveCamera(28, width / height, 0.1, 50);
  times.forEach((time, number) => {
    pose(time);
    const [x, z] = picture.places[number];
    camera.position.set(x + 0.6, 1.5, z + 4.4);
    camera.lookAt(x, 0.86, z);
    sun.position.set(x - 2, 4, z + 3);
    sun.target.position.set(x, 0, z);
    renderer.setViewport(number * width, 0, width, height);
    renderer.setScissor(number * width, 0, width, height);
    renderer.render(scene, camera);
  });
  return renderer.domElement.toDataURL("image/png");
}

async function main() {
  const job = await (await fetch("job")).json();
  const subject = await (job.animation ? avatar(job) : figure(job));
  const frames = job.times.map((time) => { subject.pose(time); return subject.read(); });
  const picture = job.picture ? draw(subject.scene, subject.pose, job.picture, job.times) : null;
  return { frames, picture, rest: subject.rest, duration: subject.duration };
}

main()
  .catch((error) => ({ failed: `${error.message}\n${error.stack}` }))
  .then((report) => fetch("report", { method: "POST", body: JSON.stringify({ ...report, complaints }) }));
