// Which bones of a stranger's rig are a human's: by their names for limbs, by the tree for the trunk.

// SMPL's joints by number, as the page's dances have them.
const PELVIS = 0;
const SPINE = [3, 6, 9];
const NECK = 12;
const HEAD = 15;
const SIDES = {
  left: { upperLeg: 1, lowerLeg: 4, foot: 7, toes: 10, collar: 13, upperArm: 16, lowerArm: 18, hand: 20 },
  right: { upperLeg: 2, lowerLeg: 5, foot: 8, toes: 11, collar: 14, upperArm: 17, lowerArm: 19, hand: 21 },
};

// What Mixamo, Unreal, VRoid, ReadyPlayerMe, Rigify, Character Creator, Daz, 3ds Max and others call a limb's parts,
// surest names first. A name serves one part: where there is a shin, "leg" is the thigh.
const NAMES = {
  lowerLeg: ["lowerleg", "calf", "shin", "shank", "knee", "leg"],
  upperLeg: ["upleg", "upperleg", "thigh", "thighbend", "leg", "hip"],
  foot: ["ankle", "foot"],
  toes: ["toe", "toes", "ball", "foot"],
  lowerArm: ["forearm", "lowerarm", "forearmbend", "loarm", "elbow"],
  upperArm: ["upperarm", "uparm", "shldr", "shldrbend", "arm", "shoulder"],
  collar: ["clavicle", "collar", "collarbone", "shoulder"],
  hand: ["wrist", "hand"],
  middle: ["middle", "handmiddle", "mid", "fmiddle", "middleproximal", "hand"],
};
const PREFIXES = /^(mixamorig\d*|j|c|bip\d*|cc|base|def|org|armature|rig|skel|bone|bn|b|jnt|joint|valvebiped|valve|biped)$/;
const TRUNKS = { 1: [SPINE[2]], 2: [SPINE[0], SPINE[2]], 3: SPINE };

// "mixamorig:LeftUpLeg", "thigh_l", "DEF-thigh.L", "CC_Base_L_Thigh", "lThighBend" as side and part.
export function partOf(name) {
  const words = name
    .replace(/^.*[:|]/, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word && !PREFIXES.test(word) && !/^\d+$/.test(word));
  const side = words.find((word) => /^(l|r|left|right)$/.test(word));
  const part = words.filter((word) => word !== side).join("").replace(/\d+$/, "");
  if (side) return { side: side[0] === "l" ? "left" : "right", part };
  const inside = ["left", "right"].find((name) => part.startsWith(name) || part.endsWith(name)) ?? "";
  return { side: inside, part: part.replace(inside, "") };
}

// Bones by side and part, the one nearest the root where several have the name.
function named(scene) {
  const found = new Map();
  const visit = (node, depth) => {
    if (node.isBone) {
      const { side, part } = partOf(node.userData.name ?? node.name);
      const key = `${side} ${part}`;
      if (!found.has(key) || found.get(key).depth > depth) found.set(key, { node, depth });
    }
    for (const child of node.children) visit(child, depth + 1);
  };
  visit(scene, 0);
  return (side, part) => found.get(`${side} ${part}`)?.node ?? null;
}

const ancestors = (node) => (node ? [node, ...ancestors(node.parent)] : []);
const under = (node, above) => ancestors(node).includes(above);

function meeting(nodes) {
  const [first, ...others] = nodes;
  return ancestors(first).find((node) => others.every((other) => under(other, node))) ?? null;
}

// From below `above` down to `node`, both of one chain.
function between(node, above) {
  const chain = ancestors(node);
  return chain.slice(0, chain.indexOf(above)).reverse();
}

function limbs(find, side) {
  const taken = new Set();
  const found = {};
  for (const [part, names] of Object.entries(NAMES)) {
    const name = names.find((each) => find(side, each) && !taken.has(find(side, each)));
    found[part] = name ? find(side, name) : null;
    taken.add(found[part]);
  }
  return found;
}

// Which joint a bone of the trunk turns with, by its place from below; the topmost is the chest.
const spineJoint = (place, count) =>
  TRUNKS[count]?.[place] ?? SPINE[Math.max(0, Math.round(((place + 1) / count) * SPINE.length) - 1)];

// Humanoid bones of a scene by their names: `pairs` of a bone with the joint that turns it (and, for a limb, the bone
// that it points to), the hips, and both legs. Null where there are no legs.
export function humanoidByNames(scene) {
  const find = named(scene);
  const sides = { left: limbs(find, "left"), right: limbs(find, "right") };
  const legs = Object.values(sides);
  if (!legs.every(({ upperLeg, lowerLeg, foot }) => upperLeg && under(lowerLeg, upperLeg) && under(foot, lowerLeg))) return null;
  const head = find("", "head");
  const arms = legs.map(({ upperArm }) => upperArm).filter(Boolean);
  const tops = [head, ...arms].filter(Boolean);
  const hips = meeting([...legs.map(({ upperLeg }) => upperLeg), ...tops]);
  if (!hips || hips === scene || legs.some(({ upperLeg }) => upperLeg === hips)) return null;
  const chest = tops.length > 1 ? meeting(tops) : null;
  const spine = chest ? between(chest, hips) : [];
  const neck = chest && head ? between(head, chest).slice(0, -1) : [];
  return humanoid({ hips, spine, neck, head, sides });
}

// The same from a VRM, which says itself which bone is which: its normalised bones, which stand in a T-pose without
// rotation, or the file's own (`raw`).
export function humanoidOfVrm(vrm, raw = false) {
  const bone = (name) => (raw ? vrm.humanoid.getRawBoneNode(name) : vrm.humanoid.getNormalizedBoneNode(name));
  const side = (name) => ({
    upperLeg: bone(`${name}UpperLeg`), lowerLeg: bone(`${name}LowerLeg`), foot: bone(`${name}Foot`),
    toes: bone(`${name}Toes`), collar: bone(`${name}Shoulder`), upperArm: bone(`${name}UpperArm`),
    lowerArm: bone(`${name}LowerArm`), hand: bone(`${name}Hand`), middle: bone(`${name}MiddleProximal`),
  });
  return humanoid({
    hips: bone("hips"),
    spine: ["spine", "chest", "upperChest"].map(bone).filter(Boolean),
    neck: [bone("neck")].filter(Boolean),
    head: bone("head"),
    sides: { left: side("left"), right: side("right") },
  });
}

function humanoid({ hips, spine, neck, head, sides }) {
  const pairs = [{ node: hips, joint: PELVIS }];
  spine.forEach((node, place) => pairs.push({ node, joint: spineJoint(place, spine.length) }));
  neck.forEach((node) => pairs.push({ node, joint: NECK }));
  if (head) pairs.push({ node: head, joint: HEAD });
  const aims = {
    upperLeg: "lowerLeg", lowerLeg: "foot", foot: "toes", toes: null,
    upperArm: "lowerArm", lowerArm: "hand", hand: "middle",
  };
  for (const [side, joints] of Object.entries(SIDES)) {
    for (const [part, joint] of Object.entries(joints)) {
      const node = sides[side][part];
      if (node) pairs.push({ node, joint, limb: part in aims, level: part === "foot", aim: sides[side][aims[part]] ?? null });
    }
  }
  const legs = ["left", "right"].map((side) => ({ ...sides[side], joints: SIDES[side] }));
  return { hips, head, pairs, legs };
}
