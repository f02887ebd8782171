// Buttons and keys.
import { Scrubbing } from "./scrubbing.js";
import { Timeline } from "./timeline.js";

const element = (name) => document.getElementById(name);

function pressed(name, on) {
  element(name).setAttribute("aria-pressed", on);
}

export class Controls {
  // `view`: what the page shows and how it is changed; see viewer.js.
  constructor(clock, page, view) {
    Object.assign(this, { clock, page, view });
    element("controls").hidden = false;
    element("start").hidden = false;
    element("mute").hidden = !clock.deck;
    this.timeline = new Timeline(page, clock);
    this.scrubbing = new Scrubbing(this.timeline, clock, (loop) => this.setLoop(loop));
    this.actions = this.buttons();
    this.keys = this.shortcuts();
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("pointerdown", (event) => {
      if (!element("controls").contains(event.target)) this.setMore(false);
    });
    document.addEventListener("visibilitychange", () => document.hidden && clock.pause());
  }

  // What the buttons do, by their names in the page.
  buttons() {
    const { clock, view, scrubbing } = this;
    const actions = {
      play: () => clock.toggle(),
      start: () => clock.play(),
      back: () => this.step(-1),
      on: () => this.step(1),
      loop: () => this.setLoop(!clock.loop),
      mute: () => this.toggleMute(),
      "from-here": () => scrubbing.setEnd("begin", clock.time),
      "to-here": () => scrubbing.setEnd("end", clock.time),
      whole: () => scrubbing.clearRegion(),
      contacts: () => this.toggle("contacts"),
      path: () => this.toggle("path"),
      bones: () => this.toggle("bones"),
      character: () => element("file").click(),
      figure: () => view.wear(),
      follow: () => this.toggleFollow(),
      reset: () => view.stage.reset(clock.time),
      help: () => element("keys").showModal(),
      more: () => this.setMore(element("more").getAttribute("aria-expanded") !== "true"),
    };
    for (const [name, action] of Object.entries(actions)) {
      element(name).addEventListener("click", (event) => {
        action();
        // A button clicked with the mouse gives the keyboard back, so that space goes on to mean play and pause.
        if (event.detail > 0) event.currentTarget.blur();
      });
    }
    element("speed").addEventListener("change", (event) => {
      clock.setSpeed(Number(event.target.value));
      event.target.blur();
    });
    element("keys").addEventListener("click", () => element("keys").close());
    element("file").addEventListener("change", (event) => {
      if (event.target.files[0]) view.open(event.target.files[0]);
      event.target.value = "";
    });
    return actions;
  }

  shortcuts() {
    const { clock, view, actions, scrubbing, timeline } = this;
    const keys = {
      " ": actions.play,
      ArrowLeft: () => clock.seek(clock.time - 1),
      ArrowRight: () => clock.seek(clock.time + 1),
      Home: () => clock.seek(0),
      End: () => clock.seek(clock.duration),
      ",": actions.back,
      ".": actions.on,
      "[": (event) => scrubbing.setEnd("begin", clock.time, event.altKey),
      "]": (event) => scrubbing.setEnd("end", clock.time, event.altKey),
      "\\": actions.whole,
      "+": () => timeline.zoom(1.5, clock.time),
      "-": () => timeline.zoom(1 / 1.5, clock.time),
      l: actions.loop,
      m: actions.mute,
      c: actions.contacts,
      p: actions.path,
      b: actions.bones,
      o: actions.character,
      v: actions.figure,
      f: actions.follow,
      r: actions.reset,
      "?": actions.help,
      0: () => view.choose(null),
    };
    for (let number = 1; number <= 9; number++) keys[number] = () => view.choose(number - 1);
    return keys;
  }

  key(event) {
    const { target } = event;
    if (element("keys").open || target.tagName === "SELECT") return;
    if (event.key === "Escape") this.setMore(false);
    // Brackets stand behind AltGr on many keyboards, which some systems report as Ctrl and Alt.
    const bracket = { BracketLeft: "[", BracketRight: "]" }[event.code];
    const name = event.altKey && bracket ? bracket : event.key;
    const graph = event.getModifierState("AltGraph");
    if (!graph && (event.ctrlKey || event.metaKey || (event.altKey && !"[]".includes(name)))) return;
    const action = this.keys[name.length === 1 ? name.toLowerCase() : name];
    // Space on a focused button presses that button: the browser sees to it.
    if (!action || (name === " " && target.tagName === "BUTTON" && target.id !== "start")) return;
    event.preventDefault();
    action(graph ? { altKey: false } : event);
  }

  step(frames) {
    const { clock, page } = this;
    clock.pause();
    clock.seek(Math.min(page.frames - 1, Math.round(clock.time * page.fps) + frames) / page.fps);
  }

  setLoop(loop) {
    this.clock.loop = loop;
    pressed("loop", loop);
    if (!loop) this.clock.deck?.disarm();
  }

  toggle(name) {
    const { shown } = this.view.troupe;
    shown[name] = !shown[name];
    pressed(name, shown[name]);
    if (name === "contacts") this.showFeet();
    this.view.refresh();
  }

  showFeet() {
    const { troupe } = this.view;
    this.timeline.showFeet(troupe.shown.contacts ? troupe.dancers[troupe.lead].dance : null);
  }

  toggleFollow() {
    const { stage } = this.view;
    stage.setFollow(!stage.follow, this.clock.time);
    pressed("follow", stage.follow);
  }

  toggleMute() {
    const { deck } = this.clock;
    if (!deck) return;
    deck.setMuted(!deck.muted);
    pressed("mute", deck.muted);
    document.body.classList.toggle("muted", deck.muted);
  }

  setMore(open) {
    element("more").setAttribute("aria-expanded", open);
    document.body.classList.toggle("more", open);
  }

  // The button that changes between mannequin and character, there once there is a character.
  showFigure({ character, wearing }) {
    element("figure").hidden = !character;
    pressed("figure", wearing);
  }

  update() {
    const { clock } = this;
    if (this.playing !== clock.playing) {
      this.playing = clock.playing;
      document.body.classList.toggle("playing", clock.playing);
      element("play").setAttribute("aria-label", clock.playing ? "Pause" : "Play");
    }
    if (!this.begun && (clock.playing || clock.time > 0)) this.begun = element("start").hidden = true;
    this.timeline.update();
  }
}
