// Hands on the timeline: where it plays, what it repeats, how much of it is seen.
import { spoken } from "./timeline.js";

const element = (name) => document.getElementById(name);
const SHORTEST = 0.1; // seconds that a loop lasts at the least

export class Scrubbing {
  constructor(timeline, clock, loopChanged) {
    Object.assign(this, { timeline, clock, loopChanged });
    this.touches = new Map();
    this.held = null;
    const { box } = timeline;
    box.addEventListener("pointerdown", (event) => this.down(event));
    box.addEventListener("pointermove", (event) => this.move(event));
    box.addEventListener("pointerup", (event) => this.up(event));
    box.addEventListener("pointercancel", (event) => this.up(event));
    box.addEventListener("pointerleave", () => (element("hover").hidden = true));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.edge(element("region-begin"), "begin");
    this.edge(element("region-end"), "end");
  }

  down(event) {
    if (event.button !== 0) return;
    const { timeline, clock } = this;
    timeline.box.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, event.clientX);
    if (this.touches.size === 2) return this.pinch();
    const from = timeline.time(event.clientX);
    if (event.shiftKey) {
      this.held = { region: true, from, x: event.clientX };
      return;
    }
    this.held = { resume: clock.playing };
    clock.pause();
    clock.seek(from);
  }

  pinch() {
    this.release();
    const [a, b] = [...this.touches.values()];
    this.held = { pinch: Math.max(12, Math.abs(a - b)) };
  }

  move(event) {
    const { timeline, clock, held } = this;
    if (this.touches.has(event.pointerId)) this.touches.set(event.pointerId, event.clientX);
    const time = timeline.time(event.clientX);
    this.hover(time);
    if (!held) return;
    if (held.pinch) {
      const [a, b] = [...this.touches.values()];
      const apart = Math.max(12, Math.abs(a - b));
      timeline.zoom(apart / held.pinch, timeline.time((a + b) / 2));
      held.pinch = apart;
    } else if (held.region) {
      if (Math.abs(event.clientX - held.x) > 3) this.setRegion(held.from, time, event.altKey);
    } else clock.seek(time);
  }

  up(event) {
    this.touches.delete(event.pointerId);
    if (event.type === "pointercancel" || event.pointerType !== "mouse") element("hover").hidden = true;
    this.release();
  }

  release() {
    if (this.held?.resume) this.clock.play();
    this.held = null;
  }

  hover(time) {
    const { timeline } = this;
    const hover = element("hover");
    const bar = timeline.bar(time);
    hover.hidden = false;
    hover.textContent = bar ? `${spoken(time)} · bar ${bar}` : spoken(time);
    hover.style.left = `${Math.min(Math.max(timeline.place(time), 34), timeline.width - 34)}px`;
  }

  wheel(event) {
    const { timeline } = this;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) return timeline.zoom(Math.exp(-event.deltaY / 200), timeline.time(event.clientX));
    const by = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.deltaY;
    timeline.move(timeline.from + (by / timeline.width) * (timeline.to - timeline.from));
  }

  // A handle at either end of the loop, to drag or to move with arrow keys.
  edge(handle, end) {
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) this.setEnd(end, this.timeline.time(event.clientX), event.altKey);
    });
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.setEnd(end, this.neighbour(this.clock.region[end], step, event.altKey), true);
    });
  }

  // The next beat in a direction, or a tenth of a second where there is none.
  neighbour(time, step, free) {
    const { beats } = this.timeline.page;
    const next = step > 0 ? beats.find((beat) => beat > time + 0.01) : beats.findLast((beat) => beat < time - 0.01);
    return free || next === undefined ? time + step * 0.1 : next;
  }

  // Move one end of the loop; the other stays, or is that of the whole dance.
  setEnd(end, time, free) {
    const { begin, end: last } = this.clock;
    const at = free ? time : this.timeline.snap(time);
    if (end === "begin") this.setRegion(at, last > at + SHORTEST ? last : this.clock.duration, true);
    else this.setRegion(begin < at - SHORTEST ? begin : 0, at, true);
  }

  setRegion(a, b, free) {
    const { timeline, clock } = this;
    const [begin, end] = [a, b]
      .map((time) => (free ? time : timeline.snap(time)))
      .map((time) => Math.min(Math.max(time, 0), clock.duration))
      .sort((x, y) => x - y);
    if (end - begin < SHORTEST) return;
    clock.setRegion(begin, end);
    this.loopChanged(true);
    timeline.stale = true;
  }

  clearRegion() {
    this.clock.clearRegion();
    this.timeline.stale = true;
  }
}
