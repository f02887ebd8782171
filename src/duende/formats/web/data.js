// What the page carries, unpacked: see page_data.py, which packed it.

export function bytes(text) {
  const raw = atob(text);
  const result = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) result[i] = raw.charCodeAt(i);
  return result;
}

async function inflated(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Undo page_data.packed(moving=True): planes of bytes, zigzag, second differences; channels by turns again.
function moving(raw, frames, channels, result) {
  const size = raw.length / (frames * channels);
  const plane = frames * channels;
  for (let channel = 0; channel < channels; channel++) {
    let value = 0;
    let step = 0;
    for (let frame = 0; frame < frames; frame++) {
      const at = channel * frames + frame;
      let word = 0;
      for (let byte = 0; byte < size; byte++) word = (word << 8) | raw[byte * plane + at];
      step += (word >>> 1) ^ -(word & 1);
      value = (value + step) | 0;
      step |= 0;
      result[frame * channels + channel] = value;
    }
  }
  return result;
}

const ROOT_STEP = 1e-4; // metres
const FEET = 4; // left ankle, left toes, right ankle, right toes
const RAMP = 0.12; // seconds in which a foot's hold on the floor comes and goes

async function readDance(packed, index, { fps, frames, names, parents }) {
  const channels = names.length * 3;
  const [turns, root, contacts] = await Promise.all([packed.turns, packed.root, packed.contacts].map(inflated));
  const path = moving(root, frames, 3, new Float32Array(frames * 3));
  for (let i = 0; i < path.length; i++) path[i] *= ROOT_STEP;
  const standing = new Uint8Array(frames * FEET);
  for (let i = 0; i < standing.length; i++) standing[i] = (contacts[i >> 3] >> (7 - (i & 7))) & 1;
  return {
    index, fps, frames, standing,
    name: packed.name,
    skeleton: { names, parents, offsets: packed.offsets },
    floor: packed.floor,
    facing: packed.facing,
    turns: moving(turns, frames, channels, new Uint16Array(frames * channels)),
    root: path,
    holds: holds(standing, frames, Math.max(1, Math.round(RAMP * fps))),
  };
}

// How firmly each foot (left, right) stands, 0 to 1: 1 through a stand, with ramps before and after it.
function holds(standing, frames, ramp) {
  const result = new Float32Array(frames * 2);
  for (let foot = 0; foot < 2; foot++) {
    const stands = (frame) => standing[frame * FEET + foot * 2] || standing[frame * FEET + foot * 2 + 1];
    let hold = 0;
    for (let frame = 0; frame < frames; frame++) {
      hold = stands(frame) ? 1 : Math.max(0, hold - 1 / ramp);
      result[frame * 2 + foot] = hold;
    }
    hold = 0;
    for (let frame = frames - 1; frame >= 0; frame--) {
      hold = stands(frame) ? 1 : Math.max(0, hold - 1 / ramp);
      result[frame * 2 + foot] = Math.max(result[frame * 2 + foot], hold);
    }
  }
  return result;
}

async function readBody(packed) {
  const names = Object.keys(packed);
  const arrays = await Promise.all(names.map((name) => inflated(packed[name])));
  return Object.fromEntries(names.map((name, i) => [name, arrays[i]]));
}

export async function readPage(data) {
  return {
    ...data,
    body: await readBody(data.body),
    dances: await Promise.all(data.dances.map((dance, index) => readDance(dance, index, data))),
    audio: data.audio ? bytes(data.audio) : null,
    loudness: data.loudness ? await inflated(data.loudness) : null,
    character: data.character ? { ...data.character, file: await inflated(data.character.file) } : null,
  };
}
