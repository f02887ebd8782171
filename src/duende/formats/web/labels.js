// Names: buttons in the header to choose a dancer, and one under each dancer on the floor.
import { Vector3 } from "three";

const element = (name) => document.getElementById(name);

function button(text, title, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.title = title;
  made.addEventListener("click", (event) => {
    action();
    if (event.detail > 0) made.blur();
  });
  return made;
}

export class Labels {
  constructor(troupe, choose) {
    this.troupe = troupe;
    this.spot = new Vector3();
    this.choices = [];
    this.tags = [];
    if (troupe.dancers.length < 2) return;
    const all = button("All", "All side by side (0)", () => choose(null));
    this.choices = [all, ...troupe.dancers.map(({ dance, index }) =>
      button(dance.name, `${dance.name} alone${index < 9 ? ` (${index + 1})` : ""}`, () => choose(index)),
    )];
    element("variants").append(...this.choices);
    element("variants").hidden = false;
    this.tags = troupe.dancers.map(({ dance, index }) => button(dance.name, `${dance.name} alone`, () => choose(index)));
    this.tags.forEach((tag) => (tag.tabIndex = -1));
    element("labels").append(...this.tags);
  }

  choose() {
    const { chosen } = this.troupe;
    this.choices.forEach((choice, i) => choice.setAttribute("aria-pressed", chosen === null ? i === 0 : i - 1 === chosen));
    element("labels").hidden = chosen !== null;
    const picked = this.choices[chosen === null ? 0 : chosen + 1];
    picked?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // Put each name under its dancer, as the camera sees it.
  update(camera, time) {
    if (!this.tags.length || this.troupe.chosen !== null) return;
    const { innerWidth: width, innerHeight: height } = window;
    for (const dancer of this.troupe.dancers) {
      this.troupe.ground(dancer, time, this.spot.set(0, 0, 0)).project(camera);
      const x = (this.spot.x + 1) * 0.5 * width;
      const y = (1 - this.spot.y) * 0.5 * height;
      this.tags[dancer.index].style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px) translate(-50%, 14px)`;
    }
  }
}
