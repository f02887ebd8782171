// A character's file comes into the page: dropped, or chosen with the button.

const element = (name) => document.getElementById(name);

// Call `open` with the first file dropped anywhere on the page.
export function onDrop(open) {
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (visible) => (element("drop").hidden = !visible);
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    show(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) show(false);
  });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    show(false);
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
}

// Call `tap` with the place of a tap or click on the canvas that was not a drag.
export function onTap(canvas, tap) {
  let down = null;
  canvas.addEventListener("pointerdown", (event) => (down = { x: event.clientX, y: event.clientY, at: event.timeStamp }));
  canvas.addEventListener("pointerup", (event) => {
    const still = down && Math.hypot(event.clientX - down.x, event.clientY - down.y) < 6 && event.timeStamp - down.at < 500;
    down = null;
    if (still) tap(event.clientX, event.clientY);
  });
}
