// An endless floor: fine lines drawn by the shader, fading into the backdrop around the dancers.
import { CircleGeometry, Mesh, MeshStandardMaterial, Vector2 } from "three";

const RADIUS = 24;

export function ground() {
  const material = new MeshStandardMaterial({ color: 0x8a8590, roughness: 0.9, transparent: true });
  const centre = { value: new Vector2() };
  const reach = { value: 1 };
  material.onBeforeCompile = (shader) => {
    Object.assign(shader.uniforms, { centre, reach });
    shader.vertexShader = shader.vertexShader
      .replace("#include <common>", "#include <common>\nvarying vec2 vFloor;")
      .replace("#include <begin_vertex>", "#include <begin_vertex>\nvFloor = (modelMatrix * vec4(position, 1.0)).xz;");
    shader.fragmentShader = shader.fragmentShader
      .replace("#include <common>", `#include <common>
        varying vec2 vFloor;
        uniform vec2 centre;
        uniform float reach;
        float lines(vec2 at, float width) {
          vec2 step = fwidth(at);
          vec2 off = abs(fract(at - 0.5) - 0.5);
          vec2 line = (1.0 - smoothstep(vec2(width), vec2(width) + step * 1.2, off)) * clamp(0.35 / step, 0.0, 1.0);
          return max(line.x, line.y);
        }`)
      .replace("#include <color_fragment>", `#include <color_fragment>
        float away = length(vFloor - centre) / reach;
        float line = max(lines(vFloor, 0.003) * 0.34, lines(vFloor * 2.0, 0.004) * 0.1);
        diffuseColor.rgb = mix(diffuseColor.rgb, vec3(0.92, 0.89, 0.86), line * (1.0 - smoothstep(2.0, 9.0, away)));
        diffuseColor.a = (1.0 - smoothstep(1.2, 8.5, away)) * 0.8;`);
  };
  const floor = new Mesh(new CircleGeometry(RADIUS, 64), material);
  floor.rotation.x = -Math.PI / 2;
  floor.receiveShadow = true;
  // `reach`: how far the floor is seen, in times of what one dancer needs.
  return {
    floor,
    move(x, z, times) {
      floor.position.set(x, 0, z);
      centre.value.set(x, z);
      reach.value = times;
    },
  };
}
