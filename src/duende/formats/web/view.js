// What the page shows at a time, and how the user changes it.
import { carriedCharacter, dispose } from "./character.js";
import { Labels } from "./labels.js";
import { castFrom, notice } from "./notice.js";

const element = (name) => document.getElementById(name);

export class View {
  constructor(page, clock, troupe, stage) {
    Object.assign(this, { page, clock, troupe, stage });
    this.labels = new Labels(troupe, (index) => this.choose(index));
    this.shown = -1;
  }

  // Bring everything to the clock's time; true where something moved.
  update() {
    const { time } = this.clock;
    if (time === this.shown) return false;
    this.shown = time;
    this.troupe.show(time);
    this.stage.look(time);
    return true;
  }

  refresh() {
    this.shown = -1;
  }

  draw(moved) {
    if (this.stage.render(moved)) this.labels.update(this.stage.camera, this.clock.time);
  }

  choose(index) {
    if (index !== null && index >= this.troupe.dancers.length) return;
    this.troupe.choose(index);
    this.refreshed();
    this.stage.reset(this.clock.time);
  }

  // After a change of who dances.
  refreshed() {
    const { troupe, page } = this;
    this.labels.choose();
    this.controls.showFeet();
    this.controls.showFigure(troupe);
    const name = troupe.chosen === null ? "" : troupe.dancers[troupe.chosen].dance.name;
    element("chosen").textContent = name;
    element("tempo").textContent = (name && " · ") + (page.tempo ? `${Math.round(page.tempo)} bpm · ` : "");
    this.refresh();
  }

  wear() {
    this.troupe.wear(!this.troupe.wearing);
    this.refreshed();
  }

  cast(character) {
    const before = this.troupe.cast(character);
    if (before) dispose(before);
    this.refreshed();
  }

  // What a character is fitted to.
  danced() {
    return { skeleton: this.troupe.dancers[this.troupe.lead].dance.skeleton, sole: this.page.sole };
  }

  open(file) {
    return castFrom(file, this.danced(), (character) => this.cast(character));
  }

  async carried() {
    if (!this.page.character) return;
    try {
      this.cast(await carriedCharacter(this.page.character, this.danced()));
    } catch (error) {
      notice(`The character in this page ${error.message}`, true);
    }
  }
}
