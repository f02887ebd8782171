"""Whether the style that was asked for is seen in the dance, and whether the beat suffers for it.

Every piece of music is danced in each style, and once with none asked for; a classifier of real dances names what it
sees. All intervals are Student's t over pieces of music: dances of one piece are not independent of one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.evaluation.genre import Example, GenreCheck, GenreClassifier, checked, learnable, windows_of
from duende.evaluation.intervals import mean_interval
from duende.evaluation.report import HeldOut
from duende.evaluation.rhythm import corrected_beat_align, rhythm
from duende.motion import Motion
from duende.motion.accents import speed_minima
from duende.systems.face import AnySampling, System

BEAT = ("beat_align", "beat_excess", "locking")
"""Beat align score, the same above chance, and phase locking: see ``evaluation.rhythm``."""

Interval = tuple[float, float, float]
"""A mean and the ends of its 95 % interval; NaN where they are not known."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A classifier of real dances and how often it is right about others, which no generated dance need surpass.

    Attributes:
        classifier: fitted to the real training dances of those styles that have two takes or more.
        training: how it does on training takes held out in turn.
        held_out: the true and the named genre of each real held-out take of a style that it knows.
    """

    classifier: GenreClassifier
    training: GenreCheck
    held_out: tuple[tuple[str, str], ...]

    @property
    def held_out_accuracy(self) -> float:
        """Mean over genres of the share of their held-out takes that it names rightly; NaN without such takes."""
        genres = {true for true, _ in self.held_out}
        shares = [np.mean([named == true for true, named in self.held_out if true == genre]) for genre in genres]
        return float(np.mean(shares)) if shares else float("nan")


def judge_of(training: Sequence[Clip], held_out: Sequence[Clip], styles: Sequence[str]) -> Judge:
    """Fit a classifier to the training clips of ``styles`` that keep their motion, and check it.

    Raises:
        DuendeError: fewer than two styles have two takes.
    """
    if not styles:
        raise DuendeError("this model was told of no styles, so none can be asked for; name another with --model")
    known = learnable(_examples(training, styles))
    check = checked(known)
    if check is None:
        raise DuendeError(
            "two of the model's styles need two training takes each for a classifier; build the data set that the "
            f"model was trained on (its styles are {', '.join(styles)})"
        )
    classifier = GenreClassifier.fit(known)
    real = tuple((e.genre, classifier(e.windows)) for e in _examples(held_out, classifier.genres))
    return Judge(classifier, check, real)


def _examples(clips: Sequence[Clip], styles: Sequence[str]) -> list[Example]:
    return [
        Example(windows_of(clip.motion.positions, clip.motion.fps), clip.take, clip.style)
        for clip in clips
        if clip.motion is not None and clip.style in styles
    ]


Dancer = Callable[[HeldOut, str | None, int], Motion]
"""Dances to a piece in a style, or in none, from a seed."""


def finished_dancer(system: System, sampling: AnySampling) -> Dancer:
    """Dance as people see it: with audition, where ``sampling`` has it, and accents landed on the beats."""
    return lambda piece, style, seed: system.dance(piece.features, seed=seed, sampling=sampling, style=style)


def network_alone(system: System, sampling: AnySampling) -> Dancer:
    """Dance without choosing among candidates and without landing accents on beats."""
    return lambda piece, style, seed: system.dance(
        piece.features, seed=seed, sampling=sampling.alone(), style=style, on_beat=False
    )


@dataclass(frozen=True, eq=False)
class Danced:
    """A dance as the scores see it.

    Attributes:
        asked: its style, None for none.
        named: what the classifier takes it for.
        place: ``(D,)`` mean of its windows' features in deviations of real dances.
        beat: by :data:`BEAT`; empty where the music has no beats.
    """

    asked: str | None
    named: str
    place: np.ndarray
    beat: dict[str, float]


def danced(motion: Motion, asked: str | None, beats: np.ndarray, classifier: GenreClassifier) -> Danced:
    """Look at a dance to music with ``beats`` (seconds)."""
    windows = windows_of(motion.positions, motion.fps)
    place = classifier.normal(windows).mean(axis=0)
    return Danced(asked, classifier(windows), place, _beat(motion, beats))


def _beat(motion: Motion, beats: np.ndarray) -> dict[str, float]:
    duration = len(motion) / motion.fps
    if ((beats >= 0) & (beats < duration)).sum() < 2:
        return {}
    heard = rhythm(motion.positions, motion.fps, beats)
    excess = corrected_beat_align(speed_minima(motion.positions, motion.fps), beats, duration).excess
    return {"beat_align": heard.beat_align, "beat_excess": excess, "locking": heard.locking}


@dataclass(frozen=True)
class BeatScore:
    """A measure of the beat with styles asked for, with none, and the first minus the second piece by piece."""

    asked: Interval
    none_asked: Interval
    difference: Interval


@dataclass(frozen=True)
class StyleScores:
    """What was found on some pieces of music.

    Attributes:
        pieces: how many.
        seeds: dances of each piece in each style.
        accuracy: how often the classifier names the style that was asked for, mean over styles.
        chance: the same for a dancer that does not listen, whatever the classifier's habits.
        by_style: accuracy of each style.
        confusion: for each style asked for, and ``""`` for none, how many dances were named what.
        between_styles: distance of dances of one piece and seed in different styles, in deviations of real dances.
        between_seeds: the same of one piece and style from different seeds; NaN with a single seed.
        further: the first minus the second.
        beat: by :data:`BEAT`, over the pieces that have beats; empty where none has.
    """

    pieces: int
    seeds: int
    accuracy: Interval
    chance: float
    by_style: dict[str, float]
    confusion: dict[str, dict[str, int]]
    between_styles: Interval
    between_seeds: Interval
    further: Interval
    beat: dict[str, BeatScore]


def styles_told_apart(
    dancer: Dancer,
    music: Sequence[HeldOut],
    classifier: GenreClassifier,
    seeds: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> StyleScores:
    """Have all of ``music`` danced in each of the classifier's genres and in none, and score the dances.

    Args:
        dancer: who dances.
        music: one piece or more.
        classifier: its genres are the styles asked for.
        seeds: of the dances of each piece in each style.
        progress: called with dances done and dances in all.
    """
    styles: tuple[str | None, ...] = (*classifier.genres, None)
    pieces: list[list[list[Danced]]] = []
    done = 0
    for piece in music:
        beats = piece.features.beats.times
        pieces.append([])
        for style in styles:
            pieces[-1].append([])
            for seed in seeds:
                pieces[-1][-1].append(danced(dancer(piece, style, seed), style, beats, classifier))
                done += 1
                if progress:
                    progress(done, len(music) * len(styles) * len(seeds))
    return scores(pieces, classifier.genres)


def scores(pieces: Sequence[Sequence[Sequence[Danced]]], styles: Sequence[str]) -> StyleScores:
    """Score dances, for each piece those of each of ``styles`` in order and then those of none, each from all seeds."""
    right = np.array([[np.mean([d.named == d.asked for d in turns]) for turns in piece[:-1]] for piece in pieces])
    mean, low, high = mean_interval(right.mean(axis=1))
    apart = np.array([_distances(piece[:-1]) for piece in pieces])
    heard = [piece for piece in pieces if piece[0][0].beat]
    return StyleScores(
        pieces=len(pieces),
        seeds=len(pieces[0][0]),
        accuracy=(mean, max(low, 0.0), min(high, 1.0)),
        chance=1 / len(styles),
        by_style={style: float(share) for style, share in zip(styles, right.mean(axis=0), strict=True)},
        confusion=_confusion(pieces, styles),
        between_styles=mean_interval(apart[:, 0]),
        between_seeds=mean_interval(apart[:, 1]),
        further=mean_interval(apart[:, 0] - apart[:, 1]),
        beat={key: _beat_score(heard, key) for key in BEAT} if heard else {},
    )


def _distances(styles: Sequence[Sequence[Danced]]) -> tuple[float, float]:
    """Mean distance between the dances of one piece in different styles, seed by seed, and between its seeds."""
    places = np.array([[dance.place for dance in turns] for turns in styles])
    return _mean_distance(places.swapaxes(0, 1)), _mean_distance(places)


def _mean_distance(groups: np.ndarray) -> float:
    """Mean over groups ``(G, N, D)`` of the distances within each; NaN for groups of one."""
    different = np.triu_indices(groups.shape[1], 1)
    within = [cdist(group, group)[different] for group in groups]
    return float(np.mean(within)) if len(different[0]) else float("nan")


def _confusion(pieces: Sequence[Sequence[Sequence[Danced]]], styles: Sequence[str]) -> dict[str, dict[str, int]]:
    table = {asked: dict.fromkeys(styles, 0) for asked in (*styles, "")}
    for dance in (dance for piece in pieces for turns in piece for dance in turns):
        table[dance.asked or ""][dance.named] += 1
    return table


def _beat_score(pieces: Sequence[Sequence[Sequence[Danced]]], key: str) -> BeatScore:
    asked = np.array([np.mean([dance.beat[key] for turns in piece[:-1] for dance in turns]) for piece in pieces])
    none = np.array([np.mean([dance.beat[key] for dance in piece[-1]]) for piece in pieces])
    return BeatScore(mean_interval(asked), mean_interval(none), mean_interval(asked - none))
