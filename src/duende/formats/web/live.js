/*! three.js (https://threejs.org), copyright © 2010-2026 three.js authors
@pixiv/three-vrm (https://github.com/pixiv/three-vrm), copyright (c) 2019-2026 pixiv Inc.
Both under the MIT License:
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:
The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
// The live page's entry: joins connection, sound, dancer, stage and buttons.
import { dispose } from "./character.js";
import { readPage } from "./data.js";
import { onDrop } from "./files.js";
import { LiveDancer } from "./live/dancer.js";
import { FrameStore } from "./live/frames.js";
import { Link, seconds } from "./live/link.js";
import { Player } from "./live/player.js";
import { NO_WEBGL, castFrom, notice } from "./notice.js";
import { Stage } from "./stage.js";

const REPORT = 1000; // milliseconds between two reports to the server

const element = (name) => document.getElementById(name);

class LivePage {
  constructor(page) {
    this.page = page;
    this.store = new FrameStore(page.names.length);
    this.dancer = new LiveDancer(page, this.store);
    this.stage = new Stage(element("stage"), this.dancer);
    this.stage.reset();
    this.said = {};
    this.connected = false;
    this.link = new Link({
      hello: (hello) => this.begin(hello),
      frames: (buffer) => this.store.add(buffer),
      status: (status) => (this.said = status),
      end: ({ last }) => (this.player.end = last),
      lost: () => this.lose(),
    });
    this.player = new Player(this.link, this.store);
    this.buttons();
    onDrop((file) => this.open(file));
    setInterval(() => this.tell(), REPORT);
    this.shown = -1;
    this.last = seconds();
  }

  begin(hello) {
    this.connected = true;
    element("title").textContent = hello.title;
    document.title = `${hello.title} · duende`;
    const { sound } = this.player.begin(hello) ? this.player : {};
    element("mute").hidden = !hello.sound;
    if (!hello.sound) this.link.say({ ready: true });
    else if (sound) this.unlock(sound);
    else if (this.player.sound.running) this.link.say({ ready: true });
  }

  // Browsers let a page make sound once it was clicked; some let this one at once.
  unlock(sound) {
    element("start").hidden = sound.running;
    sound.unlock().then(() => {
      if (sound !== this.player.sound) return;
      element("start").hidden = true;
      this.link.say({ ready: true });
    });
  }

  lose() {
    this.connected = false;
    if (this.player.over) return;
    element("status").textContent = "the server does not answer; trying again …";
  }

  buttons() {
    const actions = {
      start: () => this.unlock(this.player.sound),
      mute: () => this.mute(),
      figure: () => this.wear(this.dancer.figure === this.dancer.mannequin),
      character: () => element("file").click(),
      follow: () => this.follow(),
      reset: () => this.stage.reset(),
    };
    const keys = { m: actions.mute, v: actions.figure, o: actions.character, f: actions.follow, r: actions.reset };
    for (const [name, action] of Object.entries(actions)) {
      element(name).addEventListener("click", (event) => {
        action();
        if (event.detail > 0) event.currentTarget.blur();
      });
    }
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      keys[event.key.toLowerCase()]?.();
    });
    element("file").addEventListener("change", ({ target }) => {
      if (target.files[0]) this.open(target.files[0]);
      target.value = "";
    });
  }

  mute() {
    const { sound } = this.player;
    if (!sound) return;
    sound.setMuted(!sound.muted);
    document.body.classList.toggle("muted", sound.muted);
    element("mute").setAttribute("aria-pressed", sound.muted);
  }

  follow() {
    this.stage.setFollow(!this.stage.follow);
    element("follow").setAttribute("aria-pressed", this.stage.follow);
  }

  wear(wearing) {
    this.dancer.wear(wearing);
    element("figure").hidden = !this.dancer.character;
    element("figure").setAttribute("aria-pressed", this.dancer.figure !== this.dancer.mannequin);
    this.shown = -1;
  }

  open(file) {
    return castFrom(file, { skeleton: this.dancer.dance.skeleton, sole: this.page.sole }, (character) => {
      const before = this.dancer.cast(character);
      if (before) dispose(before);
      this.wear(true);
    });
  }

  tick() {
    requestAnimationFrame(() => this.tick());
    const now = seconds();
    const passed = Math.min(now - this.last, 0.5);
    this.last = now;
    const going = this.player.advance();
    const moved = going && this.player.time !== this.shown;
    if (moved) {
      this.shown = this.player.time;
      this.dancer.show(this.shown);
      this.dancer.follow(passed);
      this.stage.look(this.shown);
    }
    this.stage.render(moved || this.shown < 0);
  }

  // Tell the server and the user how it goes.
  tell() {
    const { player, link, said } = this;
    const on = this.connected && player.time > 0 && !player.over && this.store.newest >= 0;
    element("live").classList.toggle("on", on);
    element("tempo").textContent = said.tempo ? `${Math.round(said.tempo)} bpm · ` : "";
    if (player.over) element("status").textContent = "the end";
    if (!this.connected || player.over) return;
    const state = player.state();
    link.say({ report: { underruns: state.underruns, shown: state.shown, buffer: state.buffer, apart: state.apart } });
    element("status").textContent = this.line(state);
    const time = Math.max(0, Math.floor(player.time));
    element("now").textContent = `${Math.floor(time / 60)}:${String(time % 60).padStart(2, "0")}`;
  }

  line({ trip, buffer, underruns, late }) {
    if (this.store.newest < 0) return this.said.waiting ?? "waiting for the first sound …";
    const parts = [`latency ${Math.round((1000 * (trip ?? 0)) / 2)} ms`, `buffer ${buffer.toFixed(2)} s`];
    if (late > 0) parts.push(`${Math.round(1000 * late)} ms late`);
    parts.push(underruns === 1 ? "1 underrun" : `${underruns} underruns`);
    return parts.join(" · ");
  }
}

async function begin() {
  const page = await readPage(await (await fetch("figure.json")).json());
  let live;
  try {
    live = new LivePage(page);
  } catch (error) {
    if (error.message?.includes("WebGL")) return notice(NO_WEBGL);
    throw error;
  }
  window.duende = {
    open: (file) => live.open(file),
    state: () => ({
      ...live.player.state(), connected: live.connected, hello: live.player.hello, said: live.said,
      joints: live.dancer.joints(), wearing: live.dancer.figure !== live.dancer.mannequin,
    }),
  };
  live.tick();
}

begin();
