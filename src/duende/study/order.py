"""What a participant sees, and when: by chance, yet the same each time that the participant comes back.

Draws are hashes of the study's seed, the participant and the trial, so they do not depend on a library's version.
"""

from __future__ import annotations

import hashlib

from duende.study.definition import FIRST, SECOND, Clip, Study, Trial


def ordered_trials(study: Study, participant: str) -> list[Trial]:
    """Return all trials in this participant's order."""
    return sorted(study.trials, key=lambda trial: _draw(study, participant, trial, "order"))


def swapped(study: Study, participant: str, trial: Trial) -> bool:
    """Tell whether this participant sees the second clip of a pair as A."""
    return len(trial.clips) == 2 and _draw(study, participant, trial, "side")[0] % 2 == 1


def shown_clips(study: Study, participant: str, trial: Trial) -> list[Clip]:
    """Return the clips of a trial as this participant sees them, A before B."""
    clips = [study.clip[clip] for clip in trial.clips]
    return clips[::-1] if swapped(study, participant, trial) else clips


def turned(study: Study, participant: str, trial: Trial, answers: dict[str, int]) -> dict[str, int]:
    """Turn answers about A and B into answers about the first and second clip of the trial, or back."""
    if not swapped(study, participant, trial):
        return answers
    return {question: {FIRST: SECOND, SECOND: FIRST}.get(answer, answer) for question, answer in answers.items()}


def _draw(study: Study, participant: str, trial: Trial, purpose: str) -> bytes:
    return hashlib.sha256(f"{study.seed}/{participant}/{trial.id}/{purpose}".encode()).digest()
