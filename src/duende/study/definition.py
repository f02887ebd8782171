"""What a study is: systems, their clips under names that tell nothing, and the trials of a participant."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from duende.configuration import from_mapping, to_mapping
from duende.errors import DuendeError
from duende.files import replacing

Mode = Literal["opinion", "pairs"]
MODES: tuple[Mode, ...] = ("opinion", "pairs")

STUDY_FILE, RATINGS_FILE, VIDEOS = "study.json", "ratings.sqlite", "videos"


@dataclass(frozen=True)
class Question:
    """One of the four criteria of the paper's section 3.3.3.

    Attributes:
        key: name in files.
        short: the paper's abbreviation, which heads a column.
        name: what the participant reads.
        opinion: the question about one dance.
        pair: the question about two.
    """

    key: str
    short: str
    name: str
    opinion: str
    pair: str


QUESTIONS = (
    Question(
        "overall_expressiveness",
        "OE",
        "Overall expressiveness",
        "As a whole, how expressive is the dance?",
        "As a whole, which dance is more expressive?",
    ),
    Question(
        "genre_matching",
        "GM",
        "Genre matching",
        "How well does the style fit the genre of the music?",
        "Whose style fits the genre of the music better?",
    ),
    Question(
        "beat_alignment",
        "BA",
        "Beat alignment",
        "How well do the movements keep to the beat?",
        "Whose movements keep to the beat better?",
    ),
    Question(
        "dance_dynamics",
        "DD",
        "Dance dynamics",
        "How rich is it in contrasts of speed and force?",
        "Which dance is richer in contrasts of speed and force?",
    ),
)

TIE, FIRST, SECOND = 0, 1, 2

CHOICES: dict[Mode, dict[int, str]] = {
    "opinion": {1: "very poor", 2: "poor", 3: "fair", 4: "good", 5: "very good"},
    "pairs": {FIRST: "A is better", TIE: "About equal", SECOND: "B is better"},
}
"""Values that an answer may have, in the order in which they are shown, and how they are read out."""


@dataclass(frozen=True)
class Clip:
    """One video: its opaque name, the system and song that stay secret until the results, and its length."""

    id: str
    system: str
    song: str
    seconds: float

    @property
    def file(self) -> str:
        """Name of the video in the study's folder and in its address."""
        return f"{self.id}.mp4"


@dataclass(frozen=True)
class Trial:
    """What is rated at once: one clip, or in pairs two of the same song. A participant may see the two swapped."""

    id: str
    clips: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """A whole study, as ``study.json`` holds it.

    Attributes:
        id: opaque; a browser remembers the participant under it.
        title: shown to participants.
        introduction: the researcher's text, to which participants agree before they start; may be empty.
        mode: ``"opinion"`` or ``"pairs"``.
        seed: of the order of trials, together with the participant.
        systems: names, in the order of the tables.
        clips: all videos.
        trials: all trials, in no order that a participant sees.
    """

    id: str
    title: str
    introduction: str
    mode: Mode
    seed: int
    systems: tuple[str, ...]
    clips: tuple[Clip, ...]
    trials: tuple[Trial, ...]

    @cached_property
    def clip(self) -> dict[str, Clip]:
        """Clips by id."""
        return {clip.id: clip for clip in self.clips}

    @cached_property
    def trial(self) -> dict[str, Trial]:
        """Trials by id."""
        return {trial.id: trial for trial in self.trials}

    @property
    def seconds(self) -> float:
        """Length of all that a participant watches."""
        return sum(self.clip[clip].seconds for trial in self.trials for clip in trial.clips)


def write_study(study: Study, folder: Path) -> None:
    """Write ``study.json``."""
    with replacing(folder / STUDY_FILE) as path:
        path.write_text(json.dumps(to_mapping(study), indent=1, ensure_ascii=False), encoding="utf-8")


def read_study(folder: Path) -> Study:
    """Read ``study.json``.

    Raises:
        DuendeError: the folder holds no study, or a damaged one.
    """
    path = folder / STUDY_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DuendeError(f"{folder} holds no study; make one with: duende study new {folder} ...") from error
    except ValueError as error:
        raise DuendeError(f"{path} is damaged ({error}); take it from a copy") from error
    if not isinstance(values, dict):
        raise DuendeError(f"{path} is damaged (it holds no study); take it from a copy")
    study = from_mapping(Study, values, str(path))
    if any(clip not in study.clip for trial in study.trials for clip in trial.clips):
        raise DuendeError(f"{path} is damaged (a trial shows a clip that is not in the list); take it from a copy")
    return study
