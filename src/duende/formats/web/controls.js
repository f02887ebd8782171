// Buttons, keys and the timeline with its beats.

const INK = "rgba(244,239,233,";
const ACCENT = "#ff7a59";
const element = (name) => document.getElementById(name);

function spoken(seconds) {
  const whole = Math.floor(seconds + 1e-3);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export class Controls {
  constructor(clock, stage, dance) {
    Object.assign(this, { clock, stage, dance });
    this.timeline = element("timeline");
    this.marks = element("marks");
    element("controls").hidden = false;
    element("start").hidden = false;
    this.length = spoken(Math.max(1, Math.round(dance.duration)));
    element("length").textContent = this.length;
    element("mute").hidden = !clock.sound;
    if (dance.tempo) element("byline").textContent = `${Math.round(dance.tempo)} bpm · made with duende`;
    this.timeline.setAttribute("aria-valuemax", dance.duration.toFixed(2));
    this.buttons();
    this.scrubbing();
    document.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => (this.painted = null)).observe(this.timeline);
    stage.reset();
  }

  buttons() {
    const { clock } = this;
    const on = (name, action) =>
      element(name).addEventListener("click", (event) => {
        action();
        // A button clicked with the mouse gives the keyboard back, so that space goes on to mean play and pause.
        if (event.detail > 0) event.currentTarget.blur();
      });
    on("play", () => clock.toggle());
    on("start", () => clock.play());
    on("back", () => this.step(-1));
    on("on", () => this.step(1));
    on("loop", () => this.toggleLoop());
    on("follow", () => this.toggleFollow());
    on("reset", () => this.stage.reset(clock.time));
    on("mute", () => this.toggleMute());
    element("speed").addEventListener("change", (event) => {
      clock.setSpeed(Number(event.target.value));
      event.target.blur();
    });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    const { clock } = this;
    const actions = {
      " ": () => clock.toggle(),
      ArrowLeft: () => clock.seek(clock.time - 1),
      ArrowRight: () => clock.seek(clock.time + 1),
      Home: () => clock.seek(0),
      End: () => clock.seek(clock.duration),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      f: () => this.toggleFollow(),
      l: () => this.toggleLoop(),
      m: () => this.toggleMute(),
      r: () => this.stage.reset(clock.time),
    };
    const action = actions[event.key];
    // Space on a focused button presses that button: the browser sees to it.
    if (!action || (event.key === " " && event.target.tagName === "BUTTON" && event.target.id !== "start")) return;
    event.preventDefault();
    action();
  }

  step(frames) {
    const { clock, dance } = this;
    clock.pause();
    clock.seek(Math.min(dance.frames - 1, Math.round(clock.time * dance.fps) + frames) / dance.fps);
  }

  toggleLoop() {
    this.clock.loop = !this.clock.loop;
    element("loop").setAttribute("aria-pressed", this.clock.loop);
  }

  toggleFollow() {
    this.stage.setFollow(!this.stage.follow, this.clock.time);
    element("follow").setAttribute("aria-pressed", this.stage.follow);
  }

  toggleMute() {
    const { sound } = this.clock;
    if (!sound) return;
    sound.muted = !sound.muted;
    element("mute").setAttribute("aria-pressed", sound.muted);
    document.body.classList.toggle("muted", sound.muted);
  }

  scrubbing() {
    const { timeline, clock, dance } = this;
    const hover = element("hover");
    const time = (event) => {
      const box = timeline.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * dance.duration;
    };
    let held = false;
    let resume = false;
    timeline.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      timeline.setPointerCapture(event.pointerId);
      held = true;
      resume = clock.playing;
      clock.pause();
      clock.seek(time(event));
    });
    timeline.addEventListener("pointermove", (event) => {
      hover.hidden = false;
      hover.textContent = spoken(time(event));
      hover.style.left = `${(time(event) / dance.duration) * 100}%`;
      if (held) clock.seek(time(event));
    });
    const release = () => {
      if (held && resume) clock.play();
      held = false;
    };
    timeline.addEventListener("pointerup", release);
    timeline.addEventListener("pointercancel", release);
    timeline.addEventListener("pointerleave", () => (hover.hidden = true));
  }

  update() {
    const { clock, dance } = this;
    if (this.playing !== clock.playing) {
      this.playing = clock.playing;
      document.body.classList.toggle("playing", clock.playing);
      element("play").setAttribute("aria-label", clock.playing ? "Pause" : "Play");
    }
    if (clock.playing || clock.time > 0) element("start").hidden = true;
    const share = clock.time / dance.duration;
    const width = this.timeline.clientWidth * (window.devicePixelRatio || 1);
    const key = `${Math.round(share * width)}/${width}`;
    if (this.painted === key) return;
    this.painted = key;
    element("now").textContent = clock.time < dance.duration - 1e-3 ? spoken(clock.time) : this.length;
    element("playhead").style.left = `${share * 100}%`;
    this.timeline.setAttribute("aria-valuenow", clock.time.toFixed(2));
    this.timeline.setAttribute("aria-valuetext", `${spoken(clock.time)} of ${this.length}`);
    this.paint(share);
  }

  paint(share) {
    const { marks, dance } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(marks.clientWidth * ratio);
    const height = Math.round(marks.clientHeight * ratio);
    if (!width || !height) return;
    if (marks.width !== width || marks.height !== height) Object.assign(marks, { width, height });
    const draw = marks.getContext("2d");
    draw.clearRect(0, 0, width, height);
    const beatsHeight = dance.beats.length ? Math.round(12 * ratio) : 0;
    this.paintLoudness(draw, width, height - beatsHeight, share, ratio);
    this.paintBeats(draw, width, height, share, ratio);
  }

  paintLoudness(draw, width, height, share, ratio) {
    const { loudness } = this.dance;
    const bar = Math.max(2, Math.round(2 * ratio));
    const pitch = bar + Math.max(1, Math.round(ratio));
    const middle = height / 2;
    for (let x = 0; x + bar <= width; x += pitch) {
      let level = 0.045;
      if (loudness) {
        const first = Math.floor((x / width) * loudness.length);
        const last = Math.max(first + 1, Math.floor(((x + pitch) / width) * loudness.length));
        for (let i = first; i < Math.min(last, loudness.length); i++) level = Math.max(level, loudness[i] / 255);
      }
      const half = Math.max(ratio, level * (middle - ratio));
      draw.fillStyle = (x + bar / 2) / width <= share ? ACCENT : `${INK}.34)`;
      draw.beginPath();
      draw.roundRect(x, middle - half, bar, 2 * half, bar / 2);
      draw.fill();
    }
  }

  paintBeats(draw, width, height, share, ratio) {
    const { beats, downbeats, duration } = this.dance;
    // On a small screen beats would run together: then only bars are marked.
    const room = (width / ratio) * (beats.length > 1 ? (beats[beats.length - 1] - beats[0]) / (beats.length - 1) / duration : 1);
    const strong = new Set(downbeats);
    for (const time of room >= 3.5 || !downbeats.length ? beats : downbeats) {
      const long = strong.has(time);
      const x = (time / duration) * width;
      const tall = (long ? 10 : 5) * ratio;
      draw.fillStyle = time / duration <= share ? (long ? ACCENT : "rgba(255,122,89,.65)") : `${INK}${long ? ".85)" : ".38)"}`;
      const thick = (long && room >= 3.5 ? 2 : 1) * ratio;
      draw.fillRect(Math.round(x - thick / 2), height - tall, Math.max(1, Math.round(thick)), tall);
    }
  }
}
