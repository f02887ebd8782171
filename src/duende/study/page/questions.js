// The questions to one trial.

import { make } from "./elements.js";

export const boxes = () => [...document.querySelectorAll("#questions fieldset")];
export const chosen = (box) => box.querySelector("input:checked");
export const unanswered = () => boxes().filter((box) => !chosen(box)).length;
export const answers = () => Object.fromEntries(boxes().map((box) => [box.name, Number(chosen(box).value)]));

/** Returns a fieldset; `scale` shows numbers, otherwise every choice shows its words. */
export function questionBox(question, choices, scale, answer) {
  const legend = make("legend", {}, make("strong", { textContent: question.name }), make("span", { textContent: question.text }));
  const row = make("div", { className: "choices" });
  for (const { value, label } of choices) {
    const input = make("input", { type: "radio", name: `choice-${question.key}`, value, checked: answer === value });
    input.setAttribute("aria-label", scale ? `${value}, ${label}` : label);
    row.append(make("label", {}, input, make("span", {}, ...(scale ? digit(value, choices) : [label]))));
  }
  return make("fieldset", { name: question.key, tabIndex: -1 }, legend, row);
}

/** A number; the two at the ends say what they mean. */
function digit(value, choices) {
  const end = [choices[0], choices.at(-1)].find((choice) => choice.value === value);
  return end ? [value, make("small", { textContent: end.label })] : [value];
}

/** The question that a digit answers: where the focus is, else the first without an answer. */
export function marked() {
  return boxes().find((box) => box.contains(document.activeElement)) ?? boxes().find((box) => !chosen(box));
}

/** Answers the marked question with its choice number `digit`, and goes to the next or to `after`. */
export function answerByKey(digit, after) {
  const box = marked();
  const input = box?.querySelectorAll("input")[digit - 1];
  if (!input || box.disabled) return;
  input.checked = true;
  const next = boxes()[boxes().indexOf(box) + 1];
  box.dispatchEvent(new Event("change"));
  // The question as a whole: a ring around one of its choices would suggest it.
  (next ?? after).focus();
}
