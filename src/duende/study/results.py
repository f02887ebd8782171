"""What the ratings say: opinion scores of systems, or win rates of pairs of systems, and who gave them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from duende.errors import DuendeError
from duende.study.definition import FIRST, QUESTIONS, SECOND, TIE, Study, read_study
from duende.study.intervals import Interval, participant_interval, student_interval, wilson_interval
from duende.study.order import turned
from duende.study.ratings import Rating, Ratings


@dataclass(frozen=True)
class Responses:
    """A study with all ratings at one moment.

    Attributes:
        study: whose trials were rated.
        numbers: of all who have rated, from 1 in the order in which they joined, by their secret ids.
        ratings: oldest first.
    """

    study: Study
    numbers: dict[str, int]
    ratings: tuple[Rating, ...]

    @classmethod
    def read(cls, folder: Path) -> Responses:
        """Read a study, also while it is served.

        Raises:
            DuendeError: there is no study, or no rating yet.
        """
        study, store = read_study(folder), Ratings(folder)
        ratings = tuple(rating for rating in store.all() if rating.trial in study.trial)
        if not ratings:
            raise DuendeError(
                f"{folder} holds no ratings yet; open it to participants with: duende study serve {folder}"
            )
        rated = {rating.participant for rating in ratings}
        present = [participant for participant in store.participants() if participant in rated]
        return cls(study, {participant: number for number, participant in enumerate(present, 1)}, ratings)

    def of(self, participant: str) -> list[Rating]:
        """Return one participant's ratings, oldest first."""
        return [rating for rating in self.ratings if rating.participant == participant]

    @property
    def complete(self) -> int:
        """How many participants have rated every trial."""
        return sum(len(self.of(participant)) == len(self.study.trials) for participant in self.numbers)

    @property
    def monotonous(self) -> list[int]:
        """Numbers of participants who gave one and the same answer, as it was shown, to all of two trials or more."""
        return [
            number
            for participant, number in self.numbers.items()
            if len(given := self.of(participant)) > 1 and len(set(self._shown_answers(given))) == 1
        ]

    def _shown_answers(self, ratings: Iterable[Rating]) -> list[int]:
        return [
            answer
            for rating in ratings
            for answer in turned(
                self.study, rating.participant, self.study.trial[rating.trial], rating.answers
            ).values()
        ]


@dataclass(frozen=True)
class Score:
    """Mean opinion of one system on one question.

    Attributes:
        mean: of all ratings, 1 to 5.
        naive: interval that takes ratings as independent.
        clustered: interval over participants.
        count: number of ratings.
    """

    mean: float
    naive: Interval | None
    clustered: Interval | None
    count: int


@dataclass(frozen=True)
class Preference:
    """How often one system was preferred to another on one question.

    Attributes:
        first: a system.
        second: the system that it is compared with.
        wins: times that the first was better.
        ties: times that they were about the same.
        losses: times that the second was better.
        naive: Wilson interval of the win rate, which takes answers as independent.
        clustered: interval of the win rate over participants.
    """

    first: str
    second: str
    wins: int
    ties: int
    losses: int
    naive: Interval | None
    clustered: Interval | None

    @property
    def rate(self) -> float | None:
        """Share of the first among answers that were no tie."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None


def opinion_scores(responses: Responses, seed: int = 0) -> dict[str, dict[str, Score | None]]:
    """Score each system on each question; None where nobody has rated it."""
    study = responses.study
    by_system: dict[str, list[Rating]] = {system: [] for system in study.systems}
    for rating in responses.ratings:
        (clip,) = study.trial[rating.trial].clips
        by_system[study.clip[clip].system].append(rating)
    return {
        system: {question.key: _score(ratings, question.key, seed) for question in QUESTIONS}
        for system, ratings in by_system.items()
    }


def preferences(responses: Responses, seed: int = 0) -> dict[str, list[Preference]]:
    """Compare each two systems, in the order of the study, on each question."""
    study = responses.study
    by_pair: dict[tuple[str, str], list[Rating]] = {pair: [] for pair in combinations(study.systems, 2)}
    for rating in responses.ratings:
        first, second = (study.clip[clip].system for clip in study.trial[rating.trial].clips)
        by_pair[first, second].append(rating)
    return {
        question.key: [_preference(pair, ratings, question.key, seed) for pair, ratings in by_pair.items()]
        for question in QUESTIONS
    }


def _score(ratings: list[Rating], question: str, seed: int) -> Score | None:
    if not ratings:
        return None
    values = [rating.answers[question] for rating in ratings]
    groups = _by_participant(ratings, question)
    clustered = participant_interval([sum(group) for group in groups], [len(group) for group in groups], seed)
    return Score(sum(values) / len(values), student_interval(values), clustered, len(values))


def _preference(pair: tuple[str, str], ratings: list[Rating], question: str, seed: int) -> Preference:
    values = [rating.answers[question] for rating in ratings]
    wins, ties, losses = (values.count(answer) for answer in (FIRST, TIE, SECOND))
    groups = _by_participant(ratings, question)
    clustered = participant_interval(
        [group.count(FIRST) for group in groups], [len(group) - group.count(TIE) for group in groups], seed
    )
    return Preference(*pair, wins, ties, losses, wilson_interval(wins, wins + losses), clustered)


def _by_participant(ratings: list[Rating], question: str) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for rating in ratings:
        groups.setdefault(rating.participant, []).append(rating.answers[question])
    return list(groups.values())
