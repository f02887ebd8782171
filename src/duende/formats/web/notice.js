// What a page says in words: sentences over the picture, and what became of a character that was dropped.
import { CharacterError, openCharacter } from "./character.js";

export const NO_WEBGL =
  "This page shows a dance in 3D and needs WebGL, which this browser lacks or has switched off. " +
  "Open it in a current Chrome, Edge, Firefox or Safari, or turn hardware acceleration on.";

let fading = 0;

export function notice(sentence, small = false) {
  const box = document.getElementById("notice");
  box.textContent = sentence;
  box.classList.toggle("small", small);
  box.hidden = false;
  clearTimeout(fading);
  if (small) fading = setTimeout(() => (box.hidden = true), 8000);
}

// Let the character in a file dance; what is wrong with it is said in the page.
export async function castFrom(file, danced, cast) {
  notice(`Reading ${file.name} …`, true);
  try {
    cast(await openCharacter(file, danced));
    notice(`${file.name} dances.`, true);
  } catch (error) {
    notice(`${file.name} ${error instanceof CharacterError ? error.message : `cannot be shown (${error.message}).`}`, true);
  }
}
