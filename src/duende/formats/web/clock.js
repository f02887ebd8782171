// The time of the dance. The music's own clock is the master; without music it is the computer's.
import { Deck } from "./deck.js";

const LEAN = 8; // share a second by which we make up what lies between the music and us
const FAR = 0.15; // seconds between the music and us at which we jump instead of drifting
const NEAR = 0.015; // seconds that we are from the music at most: less than a frame

export class Clock {
  constructor(duration, bytes, failed) {
    this.duration = duration;
    this.time = 0;
    this.playing = false;
    this.speed = 1;
    this.loop = false;
    this.region = null;
    this.wraps = 0;
    this.last = performance.now();
    this.deck = bytes ? this.open(bytes, failed) : null;
  }

  open(bytes, failed) {
    return new Deck(bytes, {
      failed: () => {
        this.deck = null;
        failed();
      },
      // Headphones unplugged, a call, the system's media keys: the browser stops the sound, and the dance with it.
      stopped: () => (this.playing = false),
      started: () => this.playing || this.play(),
    });
  }

  get sound() {
    return this.deck?.sound ?? null;
  }

  // What is repeated: a region, or all of it.
  get begin() {
    return this.region?.begin ?? 0;
  }

  get end() {
    return this.region?.end ?? this.duration;
  }

  setRegion(begin, end) {
    this.region = { begin, end };
    this.deck?.disarm();
  }

  clearRegion() {
    this.region = null;
    this.deck?.disarm();
  }

  play() {
    if (this.loop && this.time >= this.end - 1e-3) this.seek(this.begin);
    else if (this.time >= this.duration - 1e-3) this.seek(0);
    this.playing = true;
    this.last = performance.now();
    this.deck?.play(this.speed, () => (this.playing = false));
  }

  pause() {
    this.playing = false;
    this.deck?.pause();
  }

  toggle() {
    this.playing ? this.pause() : this.play();
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.duration);
    this.last = performance.now();
    this.deck?.seek(this.time, this.playing && this.time < this.duration);
  }

  setSpeed(speed) {
    this.speed = speed;
    this.deck?.setSpeed(speed);
  }

  advance() {
    const now = performance.now();
    const wall = Math.min(now - this.last, 500) / 1000;
    this.last = now;
    if (!this.playing) return;
    if (!this.sound) this.time += wall * this.speed;
    else if (!this.sound.ended) this.lean(wall);
    if (this.loop) this.deck?.prepare(this.time, this.begin, this.end, this.speed);
    if (this.time >= (this.loop ? this.end : this.duration) || this.sound?.ended) this.finish();
  }

  // Browsers report the sound's time in steps: we run on evenly and lean towards it.
  lean(wall) {
    const passed = wall * this.speed;
    const heard = this.sound.currentTime;
    if (this.sound.seeking || this.sound.readyState < 3) return;
    const apart = heard - (this.time + passed);
    if (Math.abs(apart) > FAR) this.time = heard;
    else {
      const even = this.time + passed + (1 - Math.exp(-LEAN * wall)) * apart;
      this.time = Math.max(this.time, Math.min(Math.max(even, heard - NEAR), heard + NEAR));
    }
  }

  finish() {
    if (!this.loop) {
      this.pause();
      this.time = this.duration;
      return;
    }
    this.wraps += 1;
    const heard = this.deck?.exchange(this.begin);
    if (heard === undefined) this.seek(this.begin);
    else this.time = heard;
  }
}
