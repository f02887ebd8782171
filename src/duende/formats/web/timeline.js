// The song from left to right: loudness, beats, bars, standing feet, the loop, and where we are.

const INK = "rgba(244,239,233,";
const ACCENT = "rgba(255,122,89,";
const CLOSEST = 4; // seconds shown at the nearest
const TICKS = 11; // pixels for beats
const NUMBERS = 12; // for bar numbers
const FEET = 17; // for the bars of standing feet
const element = (name) => document.getElementById(name);

export function spoken(seconds) {
  const whole = Math.floor(seconds + 1e-3);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export class Timeline {
  constructor(page, clock) {
    Object.assign(this, { page, clock });
    this.box = element("timeline");
    this.track = element("track");
    this.layers = [element("marks"), element("played")];
    this.from = 0;
    this.to = page.duration;
    this.feet = null;
    this.length = spoken(Math.max(1, Math.round(page.duration)));
    element("length").textContent = this.length;
    this.box.setAttribute("aria-valuemax", page.duration.toFixed(2));
    new ResizeObserver(() => this.resize()).observe(this.box);
    this.resize();
  }

  // Show when the feet of a dance stand; null hides them.
  showFeet(dance) {
    this.feet = dance;
    this.track.classList.toggle("with-feet", dance !== null);
    this.resize();
  }

  resize() {
    this.width = this.box.clientWidth;
    this.height = this.box.clientHeight;
    this.stale = true;
  }

  // --- places and times

  place(time) {
    return ((time - this.from) / (this.to - this.from)) * this.width;
  }

  time(clientX) {
    const box = this.box.getBoundingClientRect();
    const share = Math.min(Math.max((clientX - box.left) / box.width, 0), 1);
    return this.from + share * (this.to - this.from);
  }

  // The beat nearest to a time, or the time itself where there are none.
  snap(time) {
    const { beats, duration } = this.page;
    if (!beats.length) return time;
    let best = time < duration / 2 ? 0 : duration;
    for (const beat of beats) if (Math.abs(beat - time) < Math.abs(best - time)) best = beat;
    return best;
  }

  // The number of the bar at a time, from 1; 0 before the first.
  bar(time) {
    const { downbeats } = this.page;
    let bar = 0;
    while (bar < downbeats.length && downbeats[bar] <= time + 1e-3) bar += 1;
    return bar;
  }

  // Show `factor` times less of the song; the time at `anchor` stays where it is.
  zoom(factor, anchor) {
    const { duration } = this.page;
    const span = Math.min(duration, Math.max(Math.min(CLOSEST, duration), (this.to - this.from) / factor));
    const share = (anchor - this.from) / (this.to - this.from);
    this.move(anchor - share * span, span);
  }

  move(from, span = this.to - this.from) {
    this.from = Math.min(Math.max(from, 0), this.page.duration - span);
    this.to = this.from + span;
    this.stale = true;
  }

  // --- drawing

  update() {
    const { clock, page } = this;
    const { time } = clock;
    const span = this.to - this.from;
    // Zoomed in, turn the page as the song goes on.
    if (span < page.duration && (time < this.from || time > this.to) && time !== this.seen) this.move(time - 0.08 * span);
    const moved = time !== this.seen || this.stale;
    if (this.stale) this.paint();
    this.stale = false;
    if (!moved) return;
    this.seen = time;
    const at = Math.min(Math.max(this.place(time), 0), this.width);
    element("playhead").style.transform = `translateX(${at.toFixed(1)}px)`;
    this.layers[1].style.clipPath = `inset(0 ${(this.width - at).toFixed(1)}px 0 0)`;
    this.tell(time);
  }

  tell(time) {
    const now = time < this.page.duration - 1e-3 ? spoken(time) : this.length;
    if (now === this.told) return;
    this.told = now;
    element("now").textContent = now;
    this.box.setAttribute("aria-valuenow", time.toFixed(2));
    const bar = this.bar(time);
    this.box.setAttribute("aria-valuetext", `${now} of ${this.length}${bar ? `, bar ${bar}` : ""}`);
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.width, this.height].map((size) => Math.round(size * ratio));
    if (!width || !height) return;
    const { beats, downbeats } = this.page;
    const below = (beats.length ? TICKS : 0) + (downbeats.length ? NUMBERS : 0) + (this.feet ? FEET : 0);
    this.layers.forEach((canvas, played) => {
      Object.assign(canvas, { width, height });
      const draw = canvas.getContext("2d");
      draw.scale(ratio, ratio);
      this.paintLoudness(draw, this.height - below, played ? ACCENT : INK, played ? 1 : 0.34);
      this.paintBeats(draw, this.height - below, played ? ACCENT : INK);
      if (this.feet) this.paintFeet(draw, this.height - FEET, played ? ACCENT : INK);
    });
    this.paintRegion();
    const { from, to, page } = this;
    const view = element("view");
    view.hidden = to - from >= page.duration - 1e-6;
    Object.assign(view.style, { left: `${(from / page.duration) * 100}%`, width: `${((to - from) / page.duration) * 100}%` });
  }

  paintLoudness(draw, height, colour, strength) {
    const { loudness, duration } = this.page;
    const middle = height / 2;
    draw.fillStyle = `${colour}${strength})`;
    draw.beginPath();
    for (let x = 0; x + 2 <= this.width; x += 3) {
      let level = 0.045;
      if (loudness) {
        const at = (place) => ((this.from + (place / this.width) * (this.to - this.from)) / duration) * loudness.length;
        const first = Math.floor(at(x));
        const last = Math.max(first + 1, Math.floor(at(x + 3)));
        for (let i = first; i < Math.min(last, loudness.length); i++) level = Math.max(level, loudness[i] / 255);
      }
      const half = Math.max(1, level * (middle - 1));
      draw.roundRect(x, middle - half, 2, 2 * half, 1);
    }
    draw.fill();
  }

  paintBeats(draw, top, colour) {
    const { beats, downbeats } = this.page;
    const strong = new Set(downbeats);
    // On a small screen beats would run together: then only bars are marked.
    const room = this.apart(beats);
    for (const time of room >= 3.5 || !downbeats.length ? beats : downbeats) {
      const x = this.place(time);
      if (x < 0 || x > this.width) continue;
      const long = strong.has(time);
      draw.fillStyle = `${colour}${long ? 0.9 : 0.42})`;
      const thick = long && room >= 3.5 ? 2 : 1;
      draw.fillRect(Math.round(x - thick / 2), top + 1, thick, long ? TICKS - 1 : 5);
    }
    this.paintNumbers(draw, top + TICKS, colour);
  }

  paintNumbers(draw, top, colour) {
    const { downbeats } = this.page;
    let every = 1;
    while (this.apart(downbeats) * every < 30) every *= 2;
    draw.font = "10px system-ui, sans-serif";
    draw.textBaseline = "top";
    draw.fillStyle = `${colour}.8)`;
    for (let bar = 0; bar < downbeats.length; bar += every) {
      const x = this.place(downbeats[bar]);
      if (x >= 0 && x < this.width - 14) draw.fillText(String(bar + 1), Math.round(x) - 1, top + 1.5);
    }
  }

  // Pixels between two neighbours on the whole.
  apart(times) {
    if (times.length < 2) return this.width;
    const mean = (times[times.length - 1] - times[0]) / (times.length - 1);
    return (mean / (this.to - this.from)) * this.width;
  }

  // Two rows, left foot and right foot: a bar where it stands.
  paintFeet(draw, top, colour) {
    const { standing, frames, fps } = this.feet;
    const first = Math.max(0, Math.floor(this.from * fps));
    const last = Math.min(frames, Math.ceil(this.to * fps));
    for (let foot = 0; foot < 2; foot++) {
      const y = top + 4 + foot * 7;
      draw.fillStyle = `${colour}.1)`;
      draw.fillRect(0, y, this.width, 5);
      draw.fillStyle = `${colour}.8)`;
      let since = -1;
      for (let frame = first; frame <= last; frame++) {
        const at = frame * 4 + foot * 2;
        const stands = frame < last && (standing[at] || standing[at + 1]);
        if (stands && since < 0) since = frame;
        if (stands || since < 0) continue;
        const x = this.place(since / fps);
        draw.fillRect(x, y, Math.max(0.5, this.place(frame / fps) - x), 5);
        since = -1;
      }
    }
  }

  paintRegion() {
    const { region } = this.clock;
    const band = element("region");
    const edges = [element("region-begin"), element("region-end")];
    for (const part of [band, ...edges]) part.hidden = !region;
    if (!region) return;
    const ends = [region.begin, region.end].map((time) => this.place(time));
    const [left, right] = ends.map((x) => Math.min(Math.max(x, 0), this.width));
    Object.assign(band.style, { left: `${left}px`, width: `${right - left}px` });
    edges.forEach((edge, i) => {
      edge.hidden = ends[i] < -1 || ends[i] > this.width + 1;
      edge.style.left = `${ends[i]}px`;
      const time = i ? region.end : region.begin;
      edge.setAttribute("aria-label", `Loop ${i ? "ends" : "begins"} at ${time.toFixed(1)} seconds; arrow keys move it`);
    });
  }
}
