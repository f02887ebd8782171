// Where the dance is seen: floor, light, shadow and camera.
import {
  CircleGeometry, DirectionalLight, HemisphereLight, Mesh, MeshStandardMaterial, NeutralToneMapping, PCFShadowMap,
  PerspectiveCamera, Scene, Vector2, Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const HEIGHT = 0.92; // metres over the floor of the point that the camera looks at
const SMOOTHING = 0.45; // seconds over which the followed path is smoothed
const LIGHT = new Vector3(1.9, 4.6, 2.5);
const FLOOR_RADIUS = 16;

export class Stage {
  constructor(canvas, dancer, dance) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true, powerPreference: "high-performance" });
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = PCFShadowMap;
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.toneMappingExposure = 1.0;
    this.dance = dance;
    this.path = smoothed(dance.root, dance.frames, SMOOTHING * dance.fps);
    this.middle = middle(dance.root, dance.frames);
    this.focus = new Vector3();
    this.follow = true;
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(32, 1, 0.1, 60);
    this.scene.add(dancer.mesh);
    this.light();
    this.ground(dance.floor);
    this.orbit = new OrbitControls(this.camera, canvas);
    Object.assign(this.orbit, {
      enableDamping: true, dampingFactor: 0.09, minDistance: 1.2, maxDistance: 14, maxPolarAngle: Math.PI / 2 - 0.02,
      zoomToCursor: false, screenSpacePanning: true,
    });
    this.stale = true;
    this.orbit.addEventListener("change", () => (this.stale = true));
    canvas.addEventListener("webglcontextrestored", () => (this.stale = true));
    window.addEventListener("resize", () => this.resize());
    this.resize();
    this.reset();
  }

  light() {
    this.scene.add(new HemisphereLight(0xf4f3ff, 0x9a8f8c, 2.0));
    const key = new DirectionalLight(0xfff6ea, 2.0);
    key.castShadow = true;
    key.shadow.mapSize.set(2048, 2048);
    key.shadow.radius = 5;
    key.shadow.bias = -0.0004;
    key.shadow.normalBias = 0.02;
    Object.assign(key.shadow.camera, { left: -1.9, right: 1.9, top: 1.9, bottom: -1.9, near: 1, far: 10 });
    const rim = new DirectionalLight(0xc9d4ff, 1.4);
    rim.position.set(-2.5, 3, -4);
    this.scene.add(key, key.target, rim, rim.target);
    this.key = key;
    this.rim = rim;
  }

  // An endless floor: fine lines drawn by the shader, fading into the backdrop around the dancer.
  ground(height) {
    const material = new MeshStandardMaterial({ color: 0x8a8590, roughness: 0.9, transparent: true });
    const centre = { value: new Vector2() };
    material.onBeforeCompile = (shader) => {
      shader.uniforms.centre = centre;
      shader.vertexShader = shader.vertexShader
        .replace("#include <common>", "#include <common>\nvarying vec2 vFloor;")
        .replace("#include <begin_vertex>", "#include <begin_vertex>\nvFloor = (modelMatrix * vec4(position, 1.0)).xz;");
      shader.fragmentShader = shader.fragmentShader
        .replace("#include <common>", `#include <common>
          varying vec2 vFloor;
          uniform vec2 centre;
          float lines(vec2 at, float width) {
            vec2 step = fwidth(at);
            vec2 off = abs(fract(at - 0.5) - 0.5);
            vec2 line = (1.0 - smoothstep(vec2(width), vec2(width) + step * 1.2, off)) * clamp(0.35 / step, 0.0, 1.0);
            return max(line.x, line.y);
          }`)
        .replace("#include <color_fragment>", `#include <color_fragment>
          float away = length(vFloor - centre);
          float line = max(lines(vFloor, 0.003) * 0.34, lines(vFloor * 2.0, 0.004) * 0.1);
          diffuseColor.rgb = mix(diffuseColor.rgb, vec3(0.92, 0.89, 0.86), line * (1.0 - smoothstep(2.0, 9.0, away)));
          diffuseColor.a = (1.0 - smoothstep(1.2, 8.5, away)) * 0.8;`);
    };
    const floor = new Mesh(new CircleGeometry(FLOOR_RADIUS, 64), material);
    floor.rotation.x = -Math.PI / 2;
    floor.position.y = height;
    floor.receiveShadow = true;
    this.scene.add(floor);
    this.floor = floor;
    this.centre = centre.value;
  }

  // Look at where the dancer is at `time`, or stay.
  look(time) {
    const frame = Math.min(this.dance.frames - 1, Math.round(time * this.dance.fps));
    const x = this.path[frame * 2];
    const z = this.path[frame * 2 + 1];
    this.key.target.position.set(x, this.dance.floor + 0.7, z);
    this.key.position.copy(this.key.target.position).add(LIGHT);
    this.rim.target.position.copy(this.key.target.position);
    this.rim.position.set(x - 2.5, 3, z - 4);
    this.floor.position.x = x;
    this.floor.position.z = z;
    this.centre.set(x, z);
    if (this.follow) this.carry(x, z);
  }

  carry(x, z) {
    const dx = x - this.focus.x;
    const dz = z - this.focus.z;
    this.focus.set(x, 0, z);
    for (const place of [this.camera.position, this.orbit.target]) {
      place.x += dx;
      place.z += dz;
    }
  }

  setFollow(follow, time) {
    this.follow = follow;
    // The dancer may have left the picture by now: begin to follow from where the camera looks best.
    if (follow) this.reset(time);
    this.stale = true;
  }

  reset(time = 0) {
    const frame = Math.min(this.dance.frames - 1, Math.round(time * this.dance.fps));
    const x = this.follow ? this.path[frame * 2] : this.middle.x;
    const z = this.follow ? this.path[frame * 2 + 1] : this.middle.z;
    const spread = this.follow ? 0 : this.middle.radius;
    this.focus.set(x, 0, z);
    const { bottom, height } = this.clear();
    // What must fit: a body with raised arms, between title and controls; its own width and, from afar, its path's.
    const half = Math.tan((this.camera.fov * Math.PI) / 360);
    const distance = Math.max(2.5 / (2 * half * height), (1.15 + spread) / (half * this.camera.aspect)) + spread * 0.4;
    const lift = (bottom - (1 - height) / 2) * 2 * half * distance;
    const y = this.dance.floor + HEIGHT - lift + 0.08;
    const turn = this.dance.facing;
    this.orbit.target.set(x, y, z);
    this.camera.position.set(x + Math.sin(turn) * distance, y + 0.13 * distance, z + Math.cos(turn) * distance);
    this.orbit.update();
    this.stale = true;
  }

  // The share of the picture that title and controls leave free, and where it begins from below.
  clear() {
    const controls = document.getElementById("controls").offsetHeight + 24;
    const title = 50;
    return { bottom: controls / window.innerHeight, height: Math.max(0.4, 1 - (controls + title) / window.innerHeight) };
  }

  resize() {
    this.renderer.setSize(window.innerWidth, window.innerHeight, false);
    this.camera.aspect = window.innerWidth / window.innerHeight;
    this.camera.updateProjectionMatrix();
    this.stale = true;
  }

  render(changed) {
    this.orbit.update();
    if (!changed && !this.stale) return;
    this.stale = false;
    this.renderer.render(this.scene, this.camera);
  }
}

// The path on the floor, x and z by turns, after three passes of a moving mean (nearly a Gaussian).
function smoothed(root, frames, width) {
  let path = new Float64Array(frames * 2);
  for (let frame = 0; frame < frames; frame++) {
    path[frame * 2] = root[frame * 3];
    path[frame * 2 + 1] = root[frame * 3 + 2];
  }
  const half = Math.max(1, Math.round(width));
  for (let pass = 0; pass < 3; pass++) {
    const sums = new Float64Array((frames + 1) * 2);
    for (let i = 0; i < frames * 2; i++) sums[i + 2] = sums[i] + path[i];
    const next = new Float64Array(frames * 2);
    for (let frame = 0; frame < frames; frame++) {
      // The window shrinks evenly at both ends, so that the path keeps its ends.
      const reach = Math.min(half, frame, frames - 1 - frame);
      for (let axis = 0; axis < 2; axis++) {
        const sum = sums[(frame + reach + 1) * 2 + axis] - sums[(frame - reach) * 2 + axis];
        next[frame * 2 + axis] = sum / (2 * reach + 1);
      }
    }
    path = next;
  }
  return path;
}

function middle(root, frames) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (let frame = 0; frame < frames; frame++) {
    [root[frame * 3], root[frame * 3 + 2]].forEach((value, axis) => {
      low[axis] = Math.min(low[axis], value);
      high[axis] = Math.max(high[axis], value);
    });
  }
  const radius = Math.hypot(high[0] - low[0], high[1] - low[1]) / 2;
  return { x: (low[0] + high[0]) / 2, z: (low[1] + high[1]) / 2, radius };
}
