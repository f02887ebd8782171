/*! three.js (https://threejs.org), copyright © 2010-2026 three.js authors
@pixiv/three-vrm (https://github.com/pixiv/three-vrm), copyright (c) 2019-2026 pixiv Inc.
Both under the MIT License:
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:
The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
// The page's entry: reads what the page carries, and joins clock, dancers, stage and controls.
import { Clock } from "./clock.js";
import { Controls } from "./controls.js";
import { readPage } from "./data.js";
import { onDrop, onTap } from "./files.js";
import { Meter } from "./meter.js";
import { NO_WEBGL, notice } from "./notice.js";
import { Stage } from "./stage.js";
import { Troupe } from "./troupe.js";
import { View } from "./view.js";

const NO_SOUND = "This browser cannot play the sound in this page; the dance goes on without it.";
const TOO_OLD = "This browser is too old for this page; open it in a current Chrome, Edge, Firefox or Safari.";

function stateOf({ clock, page, view, meter }) {
  const { troupe, stage } = view;
  const { sound } = clock;
  const dancers = troupe.state();
  const { joints } = dancers[troupe.lead];
  return {
    time: clock.time,
    duration: page.duration,
    frame: Math.min(page.frames - 1, Math.round(clock.time * page.fps)),
    playing: clock.playing,
    speed: clock.speed,
    sound: sound ? { time: sound.currentTime, ready: sound.readyState, muted: clock.deck.muted } : null,
    follow: stage.follow,
    loop: clock.loop,
    region: clock.region,
    wraps: clock.wraps,
    camera: stage.camera.position.toArray(),
    chosen: troupe.chosen,
    wearing: troupe.wearing,
    overlays: { ...troupe.shown },
    holds: [...troupe.dancers[troupe.lead].pose.holds],
    frames: meter.state(),
    root: joints[0],
    joints,
    dancers,
  };
}

async function begin() {
  if (typeof DecompressionStream === "undefined") return notice(TOO_OLD);
  const page = await readPage(JSON.parse(document.getElementById("dance").textContent));
  const canvas = document.getElementById("stage");
  const troupe = new Troupe(page);
  let stage;
  try {
    stage = new Stage(canvas, troupe);
  } catch {
    return notice(NO_WEBGL);
  }
  const clock = new Clock(page.duration, page.audio, () => notice(NO_SOUND, true));
  const view = new View(page, clock, troupe, stage);
  const controls = new Controls(clock, page, view);
  view.controls = controls;
  view.choose(null);
  await view.carried();
  onDrop((file) => view.open(file));
  onTap(canvas, (x, y) => {
    const dancer = troupe.alone ? null : stage.pick(x, y, clock.time);
    if (dancer) view.choose(dancer.index);
  });
  const meter = new Meter();

  const show = (began = performance.now(), drawn = true) => {
    const moved = view.update();
    controls.update();
    const posed = performance.now();
    if (drawn) view.draw(moved);
    else stage.unlit ||= moved;
    meter.add(began, posed, performance.now());
  };
  const tick = () => {
    requestAnimationFrame(tick);
    const began = performance.now();
    clock.advance();
    show(began);
  };
  window.duende = {
    // Not drawing spares programs that only want to know the state.
    seek(time, drawn = true) {
      clock.seek(time);
      show(performance.now(), drawn);
    },
    play: () => clock.play(),
    pause: () => clock.pause(),
    setLoop: (loop) => controls.setLoop(loop),
    setRegion: (from, to) => controls.scrubbing.setRegion(from, to, true),
    choose: (index) => view.choose(index),
    open: (file) => view.open(file),
    measure: () => meter.reset(),
    state: () => stateOf({ clock, page, view, meter }),
  };
  tick();
}

begin();
