// What can be drawn over a dancer: which feet stand, the pelvis's way over the floor, the bones.
import {
  BufferAttribute, BufferGeometry, Color, DoubleSide, DynamicDrawUsage, Group, LineBasicMaterial, LineSegments, Mesh,
  MeshBasicMaterial, RingGeometry, ShaderMaterial,
} from "three";
import { smoothed } from "./paths.js";

export const ACCENT = 0xff7a59;
const INK = 0xf4efe9;
const OVER_FLOOR = 0.004; // metres
const DISC = { radius: 0.2, strengths: [0.95, 0.95, 0.7, 0.25, 0] }; // metres, and opacity from the middle to the rim
const WAY = { width: 0.03, step: 0.02, smoothing: 0.1 }; // metres, and seconds

const onFloor = { transparent: true, depthWrite: false, toneMapped: false, side: DoubleSide };

function softDisc() {
  const rings = DISC.strengths.length - 1;
  const geometry = new RingGeometry(0, DISC.radius, 32, rings).rotateX(-Math.PI / 2);
  const { count } = geometry.attributes.position;
  const colours = new Float32Array(count * 4).fill(1);
  for (let i = 0; i < count; i++) colours[i * 4 + 3] = DISC.strengths[Math.floor((i * (rings + 1)) / count)];
  geometry.setAttribute("color", new BufferAttribute(colours, 4));
  return geometry;
}

// A ribbon along the path over the floor, each of its points knowing its time.
function ribbon({ root, frames, fps }) {
  const path = smoothed(root, frames, WAY.smoothing * fps);
  const kept = [0];
  const x = (frame) => path[frame * 2];
  const z = (frame) => path[frame * 2 + 1];
  for (let frame = 1; frame < frames; frame++) {
    const last = kept[kept.length - 1];
    if (Math.hypot(x(frame) - x(last), z(frame) - z(last)) > WAY.step) kept.push(frame);
  }
  const places = [];
  kept.forEach((frame, i) => {
    const [before, after] = [kept[Math.max(i - 1, 0)], kept[Math.min(i + 1, kept.length - 1)]];
    const along = [x(after) - x(before), z(after) - z(before)];
    const half = WAY.width / 2 / (Math.hypot(...along) || 1);
    const across = [-along[1] * half, along[0] * half];
    places.push(x(frame) + across[0], 0, z(frame) + across[1], x(frame) - across[0], 0, z(frame) - across[1]);
  });
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(places), 3));
  geometry.setAttribute("time", new BufferAttribute(Float32Array.from(kept.flatMap((frame) => [frame / fps, frame / fps])), 1));
  const index = [];
  for (let i = 0; i + 3 < kept.length * 2; i += 2) index.push(i, i + 1, i + 2, i + 1, i + 3, i + 2);
  geometry.setIndex(index);
  return geometry;
}

// Bright where the dancer has been lately, faint where it goes next and where it was long ago.
function wayMaterial() {
  return new ShaderMaterial({
    ...onFloor,
    uniforms: { now: { value: 0 }, past: { value: new Color(ACCENT) }, future: { value: new Color(INK) } },
    vertexShader: `
      attribute float time;
      varying float vTime;
      void main() {
        vTime = time;
        gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
      }`,
    fragmentShader: `
      uniform float now;
      uniform vec3 past;
      uniform vec3 future;
      varying float vTime;
      void main() {
        float since = now - vTime;
        float alpha = since >= 0.0 ? 0.12 + 0.83 * exp(-since / 6.0) : 0.06 + 0.3 * exp(since / 3.0);
        gl_FragColor = vec4(since >= 0.0 ? past : future, alpha);
        #include <colorspace_fragment>
      }`,
  });
}

export class Overlays {
  constructor(dance, shown) {
    this.shown = shown;
    this.object = new Group();
    this.object.position.y = dance.floor + OVER_FLOOR;
    const disc = softDisc();
    this.discs = [0, 1].map(() => new Mesh(disc, new MeshBasicMaterial({ ...onFloor, color: ACCENT, vertexColors: true })));
    this.way = new Mesh(ribbon(dance), wayMaterial());
    this.object.add(this.way, ...this.discs);
    for (const mesh of [this.way, ...this.discs]) Object.assign(mesh, { frustumCulled: false, renderOrder: 1 });
    this.lines = new LineSegments(
      new BufferGeometry(),
      new LineBasicMaterial({ color: INK, depthTest: false, transparent: true, toneMapped: false }),
    );
    Object.assign(this.lines, { frustumCulled: false, renderOrder: 2 });
  }

  update(figure, pose, time) {
    const { shown, discs, way, lines } = this;
    way.visible = shown.path;
    if (shown.path) {
      way.material.uniforms.now.value = time;
      way.scale.set(figure.scale, 1, figure.scale);
    }
    for (let side = 0; side < 2; side++) {
      discs[side].visible = shown.contacts && figure.feet.length > 0 && pose.holds[side] > 0.01;
      if (discs[side].visible) this.place(discs[side], figure, side, pose.holds[side]);
    }
    lines.visible = shown.bones && figure.bones.length > 0;
    if (lines.visible) this.draw(figure);
  }

  place(disc, { points, feet }, side, hold) {
    const ankle = feet[side * 2] * 3;
    const toes = feet[side * 2 + 1] * 3;
    disc.position.set((points[ankle] + points[toes]) / 2, 0, (points[ankle + 2] + points[toes + 2]) / 2);
    disc.material.opacity = hold;
  }

  draw({ points, bones }) {
    const { geometry } = this.lines;
    if (geometry.attributes.position?.count !== bones.length * 2) {
      geometry.setAttribute("position", new BufferAttribute(new Float32Array(bones.length * 6), 3).setUsage(DynamicDrawUsage));
    }
    const { array } = geometry.attributes.position;
    for (let i = 0; i < bones.length; i++) {
      for (let end = 0; end < 2; end++) {
        for (let axis = 0; axis < 3; axis++) array[i * 6 + end * 3 + axis] = points[bones[i][end] * 3 + axis];
      }
    }
    geometry.attributes.position.needsUpdate = true;
  }
}
