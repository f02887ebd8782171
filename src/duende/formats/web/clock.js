// The time of the dance. The music's own clock is the master; without music it is the computer's.

const LEAN = 8; // share a second by which we make up what lies between the music and us
const FAR = 0.15; // seconds between the music and us at which we jump instead of drifting

export class Clock {
  constructor(duration, bytes, failed) {
    this.duration = duration;
    this.time = 0;
    this.playing = false;
    this.speed = 1;
    this.loop = false;
    this.last = performance.now();
    this.sound = bytes ? this.open(bytes, failed) : null;
  }

  open(bytes, failed) {
    const sound = new Audio();
    sound.preload = "auto";
    sound.src = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
    sound.preservesPitch = sound.webkitPreservesPitch = sound.mozPreservesPitch = true;
    sound.addEventListener("error", () => {
      this.sound = null;
      failed();
    });
    // Headphones unplugged, a call, the system's media keys: the browser stops the sound, and the dance with it.
    sound.addEventListener("pause", () => {
      if (this.playing && sound.paused && !sound.ended && this.sound === sound) this.playing = false;
    });
    sound.addEventListener("play", () => {
      if (!this.playing) this.play();
    });
    return sound;
  }

  play() {
    if (this.time >= this.duration - 1e-3) this.seek(0);
    this.playing = true;
    this.last = performance.now();
    if (!this.sound) return;
    this.sound.playbackRate = this.speed;
    this.sound.play().catch((error) => {
      if (error.name === "NotAllowedError") this.playing = false;
    });
  }

  pause() {
    this.playing = false;
    if (this.sound) this.sound.pause();
  }

  toggle() {
    this.playing ? this.pause() : this.play();
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.duration);
    this.last = performance.now();
    if (!this.sound) return;
    this.sound.currentTime = this.time;
    // A sound that ran out stops by itself; sought back, it must be started again.
    if (this.playing && this.sound.paused && this.time < this.duration) this.sound.play().catch(() => {});
  }

  setSpeed(speed) {
    this.speed = speed;
    if (this.sound) this.sound.playbackRate = speed;
  }

  advance() {
    const now = performance.now();
    const wall = Math.min(now - this.last, 500) / 1000;
    this.last = now;
    if (!this.playing) return;
    if (!this.sound) this.time += wall * this.speed;
    else if (!this.sound.ended) this.follow(wall);
    if (this.time >= this.duration || this.sound?.ended) this.finish();
  }

  // Browsers report the sound's time in steps: we run on evenly and lean towards it.
  follow(wall) {
    const passed = wall * this.speed;
    const heard = this.sound.currentTime;
    if (this.sound.seeking || this.sound.readyState < 3) return;
    const apart = heard - (this.time + passed);
    this.time = Math.abs(apart) > FAR ? heard : Math.max(this.time, this.time + passed + (1 - Math.exp(-LEAN * wall)) * apart);
  }

  finish() {
    if (this.loop) return this.seek(0);
    this.pause();
    this.time = this.duration;
  }
}
