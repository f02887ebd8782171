// The music: two players of the same sound, so that a loop goes on without waiting for a seek.

const ROLL = 0.3; // seconds that the second player runs silently before its turn comes
const LAG = 0.04; // seconds that a player takes to begin, until we have seen it do so
const READY = 1.2; // seconds before the turn at which it is put in place

export class Deck {
  constructor(bytes, { failed, stopped, started }) {
    const url = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
    this.sound = this.player(url, { failed, stopped, started });
    this.spare = this.player(url, { failed: () => (this.spare = null), stopped, started });
    this.muted = false;
    this.lag = LAG;
    this.silence();
  }

  player(url, { failed, stopped, started }) {
    const sound = new Audio();
    sound.preload = "auto";
    sound.src = url;
    sound.preservesPitch = sound.webkitPreservesPitch = sound.mozPreservesPitch = true;
    sound.addEventListener("error", failed);
    sound.addEventListener("pause", () => {
      if (sound === this.sound && sound.paused && !sound.ended) stopped();
    });
    sound.addEventListener("play", () => {
      if (sound === this.sound) started();
    });
    return sound;
  }

  silence() {
    this.sound.muted = this.muted;
    if (this.spare) this.spare.muted = true;
  }

  setMuted(muted) {
    this.muted = muted;
    this.silence();
  }

  setSpeed(speed) {
    this.sound.playbackRate = speed;
    this.disarm();
  }

  play(speed, refused) {
    this.sound.playbackRate = speed;
    this.sound.play().catch((error) => {
      if (error.name === "NotAllowedError") refused();
    });
  }

  pause() {
    this.sound.pause();
    this.disarm();
  }

  seek(time, playing) {
    this.sound.currentTime = time;
    this.disarm();
    // A sound that ran out stops by itself; sought back, it must be started again.
    if (playing && this.sound.paused) this.sound.play().catch(() => {});
  }

  disarm() {
    clearTimeout(this.timer);
    this.armed = null;
    this.spare?.pause();
  }

  // Before the end of a loop, put the second player in its place, and start it so early that it reaches `begin` as the
  // first reaches `end`.
  prepare(time, begin, end, speed) {
    const left = (end - time) / speed;
    if (!this.spare || this.armed || left > READY || left < 0.05) return;
    const roll = Math.min(ROLL, begin / speed, Math.max(0, left - 0.05));
    this.armed = { begin, end, speed };
    this.spare.playbackRate = speed;
    this.spare.currentTime = begin - roll * speed;
    const heard = (end - this.sound.currentTime) / speed;
    this.timer = setTimeout(() => this.start(), Math.max(0, heard - roll - this.lag) * 1000);
  }

  start() {
    this.spare?.play().catch(() => (this.armed = null));
  }

  // Let the second player be heard instead of the first; returns its time, or nothing where it is not in place.
  exchange(begin) {
    const { spare, armed } = this;
    this.armed = null;
    clearTimeout(this.timer);
    const fits = spare && armed?.begin === begin && !spare.seeking && spare.readyState >= 3;
    if (!fits) return undefined;
    const before = this.sound;
    if (!spare.paused && !before.ended) {
      const late = (before.currentTime - armed.end - (spare.currentTime - begin)) / armed.speed;
      this.lag = Math.min(Math.max(this.lag + late, 0), 0.2);
    }
    this.sound = spare;
    this.spare = before;
    if (spare.paused) spare.play().catch(() => {});
    this.silence();
    before.pause();
    return Math.max(begin, spare.currentTime);
  }
}
