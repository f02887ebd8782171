/*! three.js (https://threejs.org)
The MIT License
Copyright © 2010-2026 three.js authors
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:
The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
// The page's entry: reads the dance that the page carries, and joins clock, stage and controls.
import { Clock } from "./clock.js";
import { Controls } from "./controls.js";
import { Dancer, readDance } from "./dancer.js";
import { Stage } from "./stage.js";

const NO_WEBGL =
  "This page shows a dance in 3D and needs WebGL, which this browser lacks or has switched off. " +
  "Open it in a current Chrome, Edge, Firefox or Safari, or turn hardware acceleration on.";

function notice(sentence, small = false) {
  const element = document.getElementById("notice");
  element.textContent = sentence;
  element.classList.toggle("small", small);
  element.hidden = false;
  if (small) setTimeout(() => (element.hidden = true), 6000);
}

function begin() {
  const dance = readDance(JSON.parse(document.getElementById("dance").textContent));
  const dancer = new Dancer(dance);
  let stage;
  try {
    stage = new Stage(document.getElementById("stage"), dancer, dance);
  } catch (error) {
    notice(NO_WEBGL);
    return;
  }
  const clock = new Clock(dance.duration, dance.audio, () =>
    notice("This browser cannot play the sound in this page; the dance goes on without it.", true),
  );
  const controls = new Controls(clock, stage, dance);
  let shown = -1;

  const show = () => {
    const changed = clock.time !== shown;
    if (changed) {
      shown = clock.time;
      dancer.pose(shown);
      stage.look(shown);
    }
    controls.update();
    stage.render(changed);
  };
  const tick = () => {
    requestAnimationFrame(tick);
    clock.advance();
    show();
  };
  window.duende = {
    seek(time) {
      clock.seek(time);
      show();
    },
    play: () => clock.play(),
    pause: () => clock.pause(),
    state: () => ({
      time: clock.time,
      duration: dance.duration,
      frame: Math.min(dance.frames - 1, Math.round(clock.time * dance.fps)),
      playing: clock.playing,
      speed: clock.speed,
      sound: clock.sound ? { time: clock.sound.currentTime, ready: clock.sound.readyState, muted: clock.sound.muted } : null,
      follow: stage.follow,
      loop: clock.loop,
      camera: stage.camera.position.toArray(),
      ...dancer.state(),
    }),
  };
  tick();
}

begin();
