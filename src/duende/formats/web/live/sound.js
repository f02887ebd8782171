// The song, fetched in blocks and laid end to end on the sound card's own clock, in step with the server's.
import { seconds } from "./link.js";

const AHEAD = 3.5; // seconds for which sound lies ready: browsers wake a hidden page once a second only
const SOON = 0.15; // seconds from now at which sound begins
const BEND = 0.003; // share by which a block is played faster or slower to get back in step: a twentieth of a semitone
const JUMP = 0.25; // seconds out of step from which it begins anew

export class Sound {
  // `about`: rate, seconds of a block and of all; `target(at)`: where the song should be at `at` on our clock.
  constructor(about, target) {
    Object.assign(this, { about, target, parts: [], busy: false, muted: false, failed: false });
    const Context = window.AudioContext ?? window.webkitAudioContext;
    this.context = opened(Context, about.rate);
    this.volume = this.context.createGain();
    this.volume.connect(this.context.destination);
    this.timer = setInterval(() => this.fill(), 250);
  }

  get running() {
    return this.context.state === "running";
  }

  // Let the browser play; it may wait for a click of the user's.
  async unlock() {
    await this.context.resume();
    this.fill();
  }

  setMuted(muted) {
    this.muted = muted;
    this.volume.gain.value = muted ? 0 : 1;
  }

  // Where on the context's time we hear it now.
  now() {
    const stamp = this.context.getOutputTimestamp?.();
    if (stamp?.contextTime > 0) {
      const passed = performance.now() - stamp.performanceTime;
      if (passed >= 0 && passed < 1000) return stamp.contextTime + passed / 1000;
    }
    return this.context.currentTime - (this.context.outputLatency || this.context.baseLatency || 0);
  }

  // Where the song should be when `when` of the context's time is heard.
  wanted(when) {
    return this.target(seconds() + when - this.now());
  }

  // The second of the song that is heard now; null in silence.
  heard() {
    if (!this.running) return null;
    const now = this.now();
    const part = this.parts.find(({ when, end }) => when <= now && now < end);
    return part ? part.position + (now - part.when) * part.rate : null;
  }

  async fill() {
    if (!this.running || this.busy || this.failed) return;
    this.busy = true;
    try {
      await this.lay();
    } catch {
      // The server is away for a moment: the next turn tries again.
    }
    this.busy = false;
  }

  async lay() {
    const { context, parts, about } = this;
    while (parts.length && parts[0].end < context.currentTime - 1) parts.shift();
    let last = parts.at(-1);
    if (last && last.end < context.currentTime + 0.02) last = this.silence();
    if (last && Math.abs(this.wanted(last.end) - last.next) > JUMP) last = this.silence();
    while (!last || last.end < context.currentTime + AHEAD) {
      const from = last ? last.next : this.wanted(context.currentTime + SOON);
      if (!Number.isFinite(from) || (about.length !== null && from >= about.length - 1e-3)) return;
      const number = Math.floor(Math.max(0, from) / about.block + 1e-6);
      const buffer = await this.block(number);
      if (!buffer) return;
      last = last ? this.follow(last, buffer) : this.begin(number, buffer);
      if (!last) return;
    }
  }

  async block(number) {
    const answer = await fetch(`sound/${number}`);
    if (!answer.ok) return null;
    const words = new DataView(await answer.arrayBuffer());
    const buffer = this.context.createBuffer(1, words.byteLength / 2, this.about.rate);
    const samples = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] = words.getInt16(i * 2, true) / 32767;
    return buffer;
  }

  // Begin within a block, where the song should be by now.
  begin(number, buffer) {
    const { block, rate } = this.about;
    let when = this.context.currentTime + SOON;
    let offset = this.wanted(when) - number * block;
    if (offset < 0) {
      when -= offset;
      offset = 0;
    }
    if (offset >= buffer.duration - 0.05) return null;
    offset = Math.round(offset * rate) / rate;
    return this.play(buffer, when, offset, number * block, 1);
  }

  follow(last, buffer) {
    const behind = this.wanted(last.end) - last.next;
    const bend = Math.min(Math.max(behind / buffer.duration, -BEND), BEND);
    return this.play(buffer, last.end, 0, last.next, Math.abs(bend) < 2e-4 ? 1 : 1 + bend);
  }

  play(buffer, when, offset, start, rate) {
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.playbackRate.value = rate;
    source.connect(this.volume);
    source.start(when, offset);
    const part = {
      source, when, rate, position: start + offset, next: start + buffer.duration, end: when + (buffer.duration - offset) / rate,
    };
    this.parts.push(part);
    return part;
  }

  // Drop what lies ready.
  silence() {
    for (const { source } of this.parts) source.stop();
    this.parts = [];
    return undefined;
  }

  close() {
    clearInterval(this.timer);
    this.silence();
    this.context.close();
  }
}

function opened(Context, sampleRate) {
  try {
    return new Context({ sampleRate, latencyHint: "interactive" });
  } catch {
    // A rate that the sound card's mixer does not take: blocks are converted one by one then.
    return new Context({ latencyHint: "interactive" });
  }
}
