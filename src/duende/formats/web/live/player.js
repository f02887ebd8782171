// What is shown when: the sound's clock leads where there is sound, else the server's.
import { Underruns } from "./frames.js";
import { seconds } from "./link.js";
import { Sound } from "./sound.js";

const LEAN = 6; // share a second by which we make up what lies between the leading clock and us
const FAR = 0.15; // seconds from it at which we jump
const PATIENT = 0.3; // seconds that frames from a microphone may be shown late at the most
const STEP = 1 / 60;

export class Player {
  constructor(link, store) {
    Object.assign(this, { link, store, sound: null, hello: null, end: Infinity, time: 0, late: 0, apart: 0 });
    this.underruns = new Underruns();
    this.last = seconds();
  }

  // A show begins, or goes on after a break of the connection.
  begin(hello) {
    const another = this.hello?.run !== hello.run;
    this.hello = hello;
    this.end = hello.last ?? Infinity;
    if (!another) return false;
    this.store.clear();
    this.underruns.clear();
    this.time = 0;
    this.late = 0;
    this.sound?.close();
    this.sound = hello.sound ? new Sound(hello.sound, (at) => this.wanted(at)) : null;
    return true;
  }

  // The second of the show at `at` on our clock, as the server has it.
  wanted(at) {
    const { time } = this.link;
    return time.known ? time.moment(at) - this.hello.delay - this.late : NaN;
  }

  get over() {
    return this.hello && this.time * this.hello.fps >= this.end;
  }

  get buffer() {
    return this.hello && this.store.newest >= 0 ? this.store.newest / this.hello.fps - this.time : 0;
  }

  // Go on to now; false where there is nothing to show yet.
  advance() {
    const now = seconds();
    const passed = Math.min(now - this.last, 0.5);
    this.last = now;
    if (!this.hello) return false;
    const heard = this.sound?.heard() ?? null;
    const leading = heard ?? this.wanted(now);
    if (!Number.isFinite(leading)) return false;
    this.lean(leading, passed);
    this.count();
    return true;
  }

  lean(leading, passed) {
    const even = this.time + passed;
    const apart = leading - even;
    this.time = Math.abs(apart) > FAR ? leading : even + (1 - Math.exp(-LEAN * passed)) * apart;
    this.time = Math.min(this.time, (this.end + 1) / this.hello.fps);
    this.apart = this.time - leading;
  }

  count() {
    const { underruns, store, hello } = this;
    const before = underruns.count;
    if (this.time >= 0) underruns.see(this.time * hello.fps, store, Math.min(this.end, this.time * hello.fps));
    // Without sound nobody can tell that the dance is a little late, but everybody sees it stumble.
    if (!this.sound && underruns.count > before) this.late = Math.min(this.late + STEP, PATIENT);
  }

  state() {
    const { underruns, store, sound } = this;
    return {
      time: this.time, late: this.late, buffer: this.buffer, apart: this.apart, over: Boolean(this.over),
      underruns: underruns.count, shown: underruns.shown, newest: store.newest,
      sound: sound ? { running: sound.running, heard: sound.heard(), muted: sound.muted, parts: sound.parts.length } : null,
      moment: this.link.time.known ? this.link.time.moment() : null,
      trip: this.link.time.best?.trip ?? null,
    };
  }
}
