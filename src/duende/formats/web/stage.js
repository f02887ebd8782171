// Where the dance is seen: floor, light, shadow and camera.
import {
  DirectionalLight, HemisphereLight, NeutralToneMapping, PCFShadowMap, PerspectiveCamera, Raycaster, Scene, Vector2, Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { ground } from "./ground.js";

const HEIGHT = 0.92; // metres over the floor of the point that the camera looks at
const LIGHT = new Vector3(1.9, 4.6, 2.5);
const MOST_PIXELS = 4.2e6; // what an ordinary machine draws in a sixtieth of a second
const SHADOW = 1.9; // metres around a dancer in which there is shadow
const MARGIN = 1.15; // metres that a dancer needs to either side

export class Stage {
  constructor(canvas, troupe) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true, powerPreference: "high-performance" });
    Object.assign(this.renderer.shadowMap, { enabled: true, type: PCFShadowMap, autoUpdate: false });
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.toneMappingExposure = 1.0;
    this.troupe = troupe;
    this.focus = new Vector3();
    this.spot = new Vector3();
    this.follow = true;
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(32, 1, 0.1, 80);
    this.scene.add(troupe.object);
    this.light();
    this.ground = ground();
    this.scene.add(this.ground.floor);
    this.orbit = new OrbitControls(this.camera, canvas);
    Object.assign(this.orbit, {
      enableDamping: true, dampingFactor: 0.09, minDistance: 1.2, maxDistance: 14, maxPolarAngle: Math.PI / 2 - 0.02,
      zoomToCursor: false, screenSpacePanning: true,
    });
    this.stale = true; // the picture is old
    this.unlit = true; // so is the shadow
    this.orbit.addEventListener("change", () => (this.stale = true));
    canvas.addEventListener("webglcontextrestored", () => (this.unlit = true));
    window.addEventListener("resize", () => this.resize());
    this.resize();
  }

  light() {
    this.scene.add(new HemisphereLight(0xf4f3ff, 0x9a8f8c, 2.0));
    const key = new DirectionalLight(0xfff6ea, 2.0);
    key.castShadow = true;
    key.shadow.mapSize.set(2048, 2048);
    key.shadow.radius = 5;
    key.shadow.bias = -0.0004;
    key.shadow.normalBias = 0.02;
    const rim = new DirectionalLight(0xc9d4ff, 1.4);
    rim.position.set(-2.5, 3, -4);
    this.scene.add(key, key.target, rim, rim.target);
    this.key = key;
    this.rim = rim;
  }

  // Light and floor for as many dancers as are shown.
  widen() {
    const { row } = this.troupe;
    const reach = SHADOW + row;
    Object.assign(this.key.shadow.camera, { left: -reach, right: reach, top: SHADOW, bottom: -SHADOW, near: 1, far: 10 + row });
    // The light falls from the side: a row of dancers also needs depth along the way of its light.
    if (row) Object.assign(this.key.shadow.camera, { top: SHADOW + row * 0.5, bottom: -SHADOW - row * 0.5, near: -row });
    this.key.shadow.camera.updateProjectionMatrix();
    this.unlit = true;
    this.orbit.maxDistance = 14 + 4 * row;
  }

  // Look at where the dancers are at `time`, or stay.
  look(time) {
    const { x, z } = this.troupe.centre(time, this.spot);
    this.key.target.position.set(x, 0.7, z);
    this.key.position.copy(this.key.target.position).add(LIGHT);
    this.rim.target.position.copy(this.key.target.position);
    this.rim.position.set(x - 2.5, 3, z - 4);
    this.ground.move(x, z, 1 + this.troupe.row / 3);
    if (this.follow) this.carry(x, z);
  }

  carry(x, z) {
    const dx = x - this.focus.x;
    const dz = z - this.focus.z;
    this.focus.set(x, 0, z);
    this.camera.position.x += dx;
    this.camera.position.z += dz;
    this.orbit.target.x += dx;
    this.orbit.target.z += dz;
  }

  setFollow(follow, time) {
    this.follow = follow;
    // The dancer may have left the picture by now: begin to follow from where the camera looks best.
    if (follow) this.reset(time);
    this.stale = true;
  }

  reset(time = 0) {
    const { troupe } = this;
    const { middle } = troupe;
    this.widen();
    const at = troupe.centre(time, this.spot);
    const x = this.follow ? at.x : middle.x;
    const z = this.follow ? at.z : middle.z;
    this.focus.set(x, 0, z);
    // What must fit: a body with raised arms, between title and controls; its own width and, from afar, its path's.
    const spread = this.follow ? troupe.row : Math.max(middle.radius, troupe.row);
    const { bottom, height } = this.clear();
    const half = Math.tan((this.camera.fov * Math.PI) / 360);
    const far = this.follow ? 0 : middle.radius * 0.4;
    const distance = Math.max(2.5 / (2 * half * height), (MARGIN + spread) / (half * this.camera.aspect)) + far;
    const lift = (bottom - (1 - height) / 2) * 2 * half * distance;
    const y = HEIGHT - lift + 0.08;
    const turn = troupe.alone ? troupe.visible[0].dance.facing : 0;
    this.orbit.target.set(x, y, z);
    this.camera.position.set(x + Math.sin(turn) * distance, y + 0.13 * distance, z + Math.cos(turn) * distance);
    this.orbit.update();
    this.look(time);
    this.stale = true;
  }

  // The share of the picture that title and controls leave free, and where it begins from below.
  clear() {
    const controls = document.getElementById("controls").offsetHeight + (this.troupe.alone ? 24 : 54);
    const title = document.querySelector("header").offsetHeight;
    return { bottom: controls / window.innerHeight, height: Math.max(0.4, 1 - (controls + title) / window.innerHeight) };
  }

  resize() {
    const { innerWidth: width, innerHeight: height } = window;
    const budget = Math.sqrt(MOST_PIXELS / Math.max(1, width * height));
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2, Math.max(budget, 1)));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.stale = true;
  }

  // The dancer at a place of the picture, in pixels.
  pick(x, y, time) {
    const caster = new Raycaster();
    caster.setFromCamera(new Vector2((x / window.innerWidth) * 2 - 1, 1 - (y / window.innerHeight) * 2), this.camera);
    return this.troupe.hit(caster.ray, time);
  }

  // Draw where something changed; the shadow only where a dancer moved.
  render(moved) {
    this.orbit.update();
    if (!moved && !this.stale && !this.unlit) return false;
    this.renderer.shadowMap.needsUpdate = moved || this.unlit;
    this.stale = this.unlit = false;
    this.renderer.render(this.scene, this.camera);
    return true;
  }
}
