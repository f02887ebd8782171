// The study's page: an introduction, one trial after another, and thanks.

import { ask, remember, remembered } from "./connection.js";
import { element, make } from "./elements.js";
import { film, films, playOrPause, watched } from "./film.js";
import { answerByKey, answers, boxes, marked, questionBox, unanswered } from "./questions.js";
import { playTones } from "./sound.js";

let study; // what the server says of the study
let state; // how far this participant is
let shown; // the trial on the page: state.next, or state.last while it is changed
let changing = false;
let sending = false;
let opened = false; // whether the questions may be answered

const pairs = () => study.mode === "pairs";

function show(section, heading) {
  for (const name of ["intro", "trial", "thanks"]) element(name).hidden = name !== section;
  element("course").hidden = element("title").hidden = section === "intro";
  element("trouble").hidden = true;
  window.scrollTo(0, 0);
  element(heading).focus({ preventScroll: true });
}

function complain(error) {
  element("trouble").textContent = error.message;
  element("trouble").hidden = false;
  element("trouble").scrollIntoView({ block: "center" });
}

function showCourse(text, done) {
  element("count").textContent = text;
  Object.assign(element("progress"), { max: state.total, value: done });
}

// Introduction

function showIntroduction() {
  const count = study.trials;
  // Reading and answering the questions takes about a quarter of a minute.
  const minutes = Math.max(1, Math.round((study.seconds + 15 * count) / 60));
  const paragraphs = study.introduction.split(/\n\s*\n/).filter(Boolean);
  const criteria = study.questions.map(({ name, text }) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: text })));
  element("welcome").textContent = study.title;
  element("introduction").replaceChildren(...paragraphs.map((text) => make("p", { textContent: text })));
  element("task-watch").textContent = pairs() ? `Watch ${count} pairs of dances` : `Watch ${count} short dances, one at a time`;
  element("task-length").textContent = `Altogether this takes about ${minutes} ${minutes === 1 ? "minute" : "minutes"}.`;
  element("task-rate").textContent = pairs() ? "Say which of the two is better, in four respects" : "Rate each from 1 to 5, in four respects";
  element("criteria").replaceChildren(...criteria);
  element("consent").hidden = !study.introduction;
  allowStart();
  show("intro", "welcome");
}

function allowStart() {
  element("start").disabled = Boolean(study.introduction) && !element("agree").checked;
}

async function start() {
  element("start").disabled = true;
  try {
    state = await ask("api/participants", {});
  } catch (error) {
    complain(error);
    return allowStart();
  }
  remember(study, state.participant);
  goOn();
}

function testSound() {
  playTones();
  element("beeped").textContent = "Three tones are playing. If you hear none, turn the sound up.";
}

// Trials

function goOn() {
  changing = false;
  if (state.next) return showTrial(state.next);
  element("films").replaceChildren();
  element("stored").textContent = `All ${state.done} of your ${pairs() ? "comparisons" : "ratings"} are stored. You can close this page.`;
  showCourse(`${state.done} of ${state.total}`, state.done);
  show("thanks", "thank");
}

function showTrial(trial) {
  shown = trial;
  const number = changing ? state.done : state.done + 1;
  const heading = `${pairs() ? "Pair" : "Dance"} ${number} of ${state.total}`;
  element("heading").textContent = heading;
  element("trial").className = study.mode;
  element("films").replaceChildren(...trial.videos.map((address, index) => film(address, pairs() ? "AB"[index] : "", noteWatched, reportFilm)));
  element("questions").replaceChildren(...study.questions.map((question) => questionBox(question, study.choices, !pairs(), trial.answers?.[question.key])));
  for (const box of boxes()) box.onchange = update;
  element("change").hidden = changing || !state.last;
  element("keep").hidden = !changing;
  showCourse(heading, number - 1);
  open(changing);
  show("trial", "heading");
}

function noteWatched() {
  if (!opened && films().every(watched)) open(true);
}

function reportFilm() {
  complain(new Error("This video does not play. Reload the page; if that does not help, tell the people who sent you here."));
}

function open(may) {
  opened = may;
  element("trial").classList.toggle("closed", !may);
  for (const box of boxes()) box.disabled = !may;
  element("advice").textContent = advice();
  update();
}

function advice() {
  if (changing) return "Your last answer. Change what you like, then save it.";
  if (opened) return pairs() ? "Now compare them. You may watch them again." : "Now rate what you saw. You may watch it again.";
  return pairs() ? "Watch both dances to the end, then compare them." : "Watch the dance to the end, then rate it.";
}

function update() {
  const left = unanswered();
  for (const box of boxes()) box.classList.toggle("marked", opened && box === marked());
  element("save").disabled = !opened || left > 0 || sending;
  if (sending) element("save").textContent = "Saving …";
  else if (opened && left) element("save").textContent = left === 1 ? "1 question left" : `${left} questions left`;
  else if (changing) element("save").textContent = "Save the change";
  else element("save").textContent = state.done + 1 < state.total ? "Save and go on" : "Save and finish";
}

async function save(event) {
  event.preventDefault();
  if (sending || !opened || unanswered()) return;
  sending = true;
  update();
  let problem;
  try {
    const rating = { trial: shown.trial, answers: answers(), change: changing };
    state = await ask(`api/participants/${state.participant}/ratings`, rating);
  } catch (error) {
    problem = error;
  }
  sending = false;
  if (!problem) return goOn();
  complain(problem);
  update();
}

function changeLast() {
  changing = true;
  showTrial(state.last);
}

function onKey(event) {
  if (element("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[1-9]$/.test(event.key)) answerByKey(Number(event.key), element("save"));
  else if (event.key === " " && !event.target.closest("button, input, video")) {
    playOrPause();
    event.preventDefault();
  }
}

function another() {
  remember(study, null);
  element("agree").checked = false;
  showIntroduction();
}

async function begin() {
  study = await ask("api/study");
  document.title = element("title").textContent = study.title;
  element("keys").textContent = `Keys 1 to ${study.choices.length} answer the marked question, the space bar plays.`;
  for (const participant of remembered(study)) {
    try {
      state = await ask(`api/participants/${encodeURIComponent(participant)}`);
      remember(study, state.participant);
      return goOn();
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  remember(study, null);
  showIntroduction();
}

element("start").onclick = start;
element("agree").onchange = allowStart;
element("beep").onclick = testSound;
element("trial").onsubmit = save;
element("trial").addEventListener("focusin", () => state && update());
element("change").onclick = element("change-after").onclick = changeLast;
element("keep").onclick = goOn;
element("another").onclick = another;
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", () => location.reload());
begin().catch(complain);
