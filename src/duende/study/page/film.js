// Videos, and whether they were watched.

import { make } from "./elements.js";

const WATCHED = 0.9; // the share of a video that opens the questions
const TRIANGLE = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 5.3v13.4a.8.8 0 0 0 1.2.7l10.9-6.7a.8.8 0 0 0 0-1.4L9.2 4.6A.8.8 0 0 0 8 5.3z"/></svg>';

/** Returns a figure with a video; `onWatched` runs whenever it is found to be watched, `onFailure` if it does not play. */
export function film(address, letter, onWatched, onFailure) {
  const video = make("video", { src: address, controls: true, playsInline: true, preload: "auto", disablePictureInPicture: true, disableRemotePlayback: true });
  const name = letter ? `Dance ${letter}` : "The dance";
  video.setAttribute("controlslist", "nodownload noplaybackrate noremoteplayback");
  video.setAttribute("aria-label", name);
  const button = make("button", { type: "button", className: "play", innerHTML: TRIANGLE, onclick: () => play(video) });
  button.setAttribute("aria-label", `Play: ${name}`);
  const figure = make("figure", {}, make("div", { className: "frame" }, video, button));
  if (letter) figure.prepend(make("figcaption", { textContent: name }));

  const look = () => {
    if (!watched(video)) return;
    figure.classList.add("watched");
    onWatched();
  };
  video.onplay = () => {
    button.hidden = true;
    for (const other of films()) if (other !== video) other.pause();
  };
  video.ontimeupdate = video.onpause = look;
  video.onended = () => {
    look();
    button.hidden = false;
  };
  video.onerror = onFailure;
  return figure;
}

export const films = () => [...document.querySelectorAll("video")];

/** What was jumped over does not count as watched. */
export function watched(video) {
  let seconds = 0;
  for (let part = 0; part < video.played.length; part++) seconds += video.played.end(part) - video.played.start(part);
  return seconds >= WATCHED * video.duration;
}

/** Plays what is due: the first video that was not watched, or stops the one that plays. */
export function playOrPause() {
  const playing = films().find((video) => !video.paused);
  if (playing) playing.pause();
  else play(films().find((video) => !watched(video)) ?? films()[0]);
}

function play(video) {
  // A browser that refuses leaves its own controls to the participant.
  video.play().catch(() => {});
}
