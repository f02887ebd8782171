"""What the page asks of the study: everything that comes in is checked, and nothing that goes out names a system."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path
from typing import Any

from duende.study.definition import CHOICES, QUESTIONS, VIDEOS, Study, Trial, read_study
from duende.study.order import ordered_trials, shown_clips, turned
from duende.study.ratings import Rating, Ratings

PARTICIPANT = re.compile(r"[A-Za-z0-9_-]{22}")


class RefusedError(Exception):
    """A request that is not served: an HTTP status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class StudyApi:
    """One study with its ratings. Every method may be called from any thread; values are ready for JSON."""

    def __init__(self, folder: Path) -> None:
        """Open the study in ``folder``.

        Raises:
            DuendeError: it holds no study, or a damaged one.
        """
        self.study: Study = read_study(folder)
        self.ratings = Ratings(folder)
        self._videos = {clip.file: folder / VIDEOS / clip.file for clip in self.study.clips}

    def describe(self) -> dict[str, Any]:
        """Return what all participants are told."""
        study = self.study
        return {
            "id": study.id,
            "title": study.title,
            "introduction": study.introduction,
            "mode": study.mode,
            "trials": len(study.trials),
            "seconds": study.seconds,
            "questions": [
                {"key": question.key, "name": question.name, "text": getattr(question, _TEXTS[study.mode])}
                for question in QUESTIONS
            ],
            "choices": [{"value": value, "label": label} for value, label in CHOICES[study.mode].items()],
        }

    def join(self) -> dict[str, Any]:
        """Take in a new participant, under an id that nobody can guess."""
        participant = secrets.token_urlsafe(16)
        self.ratings.add_participant(participant)
        return self.progress(participant)

    def progress(self, participant: str) -> dict[str, Any]:
        """Return how far a participant is, the trial that is next (None after the last) and the last that was rated.

        Raises:
            RefusedError: nobody has this id.
        """
        if not PARTICIPANT.fullmatch(participant) or not self.ratings.has_participant(participant):
            raise RefusedError(404, "Nobody takes part under this id.")
        given = self.ratings.of(participant)
        rated = {rating.trial for rating in given}
        due = next((trial for trial in ordered_trials(self.study, participant) if trial.id not in rated), None)
        last = self._shown_rating(given[-1]) if given else None
        return {
            "participant": participant,
            "done": len(given),
            "total": len(self.study.trials),
            "next": self._shown(participant, due) if due else None,
            "last": last,
        }

    def rate(self, participant: str, body: bytes) -> dict[str, Any]:
        """Store the answers to one trial, and return the progress.

        The body is ``{"trial": id, "answers": {question: value}, "change": false}``. A trial that is rated keeps its
        first answers, whatever comes later; only ``change`` replaces them, and only those of the last trial.

        Raises:
            RefusedError: something in it is not as it must be; nothing is stored.
        """
        self.progress(participant)
        values = _json_object(body)
        trial_id = values.get("trial")
        trial = self.study.trial.get(trial_id) if isinstance(trial_id, str) else None
        if trial is None:
            raise RefusedError(404, "This dance is not in the study.")
        answers = turned(self.study, participant, trial, self._answers(values.get("answers")))
        rating = Rating(participant, trial.id, answers)
        if values.get("change") is True:
            if not self.ratings.change_last(rating):
                raise RefusedError(400, "Only the last answer can be changed.")
        else:
            self.ratings.add(rating)
        return self.progress(participant)

    def video(self, name: str) -> Path:
        """Return the file of a clip of this study.

        Raises:
            RefusedError: the study has no such clip.
        """
        if name not in self._videos:
            raise RefusedError(404, "This video is not in the study.")
        return self._videos[name]

    def _answers(self, values: Any) -> dict[str, int]:
        keys = {question.key for question in QUESTIONS}
        if not isinstance(values, dict) or set(values) != keys:
            raise RefusedError(400, f"Each of {len(keys)} questions needs one answer, and no other is asked.")
        choices = CHOICES[self.study.mode]
        # True and 1.0 equal 1, so the type is looked at too.
        if any(type(value) is not int or value not in choices for value in values.values()):
            raise RefusedError(400, f"An answer is one of {', '.join(map(str, sorted(choices)))}.")
        return values

    def _shown(self, participant: str, trial: Trial) -> dict[str, Any]:
        clips = shown_clips(self.study, participant, trial)
        return {"trial": trial.id, "videos": [f"videos/{clip.file}" for clip in clips]}

    def _shown_rating(self, rating: Rating) -> dict[str, Any]:
        trial = self.study.trial[rating.trial]
        answers = turned(self.study, rating.participant, trial, rating.answers)
        return {**self._shown(rating.participant, trial), "answers": answers}


_TEXTS = {"opinion": "opinion", "pairs": "pair"}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "The request is no JSON.") from error
    if not isinstance(values, dict):
        raise RefusedError(400, "The request is no JSON object.")
    return values
