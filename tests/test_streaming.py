"""Dances that are made while their music is heard: certain frames, no gaps, nothing known too early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from duende.audio.music import Beats
from duende.errors import DuendeError
from duende.models.generation import Generation, generate
from duende.models.sampling import Sampling
from duende.motion.chunks import MotionChunk, gathered
from duende.systems.debug import debug_config, debug_system
from duende.systems.decoding import StreamedDecoding, poses_of_candidates
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.streaming import LiveDance, LiveTiming

RATE = 750
"""Samples a second of the sound here: 100 to a row."""


class Score:
    """A listener that knows the rows of a piece: the sound only says how much of it has been played.

    What it expects is the truth, or where it is ``naive`` the last row again.
    """

    def __init__(self, rows: np.ndarray, naive: bool = False) -> None:
        self.rows, self.naive, self.samples, self.heard = rows, naive, 0, 0

    def beats(self, ahead: float) -> Beats:
        times = np.arange(0.0, self.samples / RATE + ahead, 0.5)
        return Beats(times, times[::4], 120.0)

    def hear(self, samples: np.ndarray) -> np.ndarray:
        self.samples += len(samples)
        before, self.heard = self.heard, self.samples // 100
        return self.rows[before : self.heard]

    def expected(self, count: int) -> np.ndarray:
        at = self.heard - 1 if self.naive else np.minimum(self.heard + np.arange(count), len(self.rows) - 1)
        return np.broadcast_to(self.rows[at], (count, self.rows.shape[1]))

    def finish(self) -> np.ndarray:
        before, self.heard = self.heard, -(-self.samples // 100)
        return self.rows[before : self.heard]


@pytest.fixture(scope="module")
def system() -> ExpressiveBailando:
    return debug_system()


@pytest.fixture(scope="module")
def rows(system: ExpressiveBailando) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, system.config.gpt.music_dimension)).astype(np.float32)


def live(
    system: ExpressiveBailando,
    listener: Score,
    candidates: int = 1,
    timing: LiveTiming | None = None,
    temperature: float = 1.0,
    clean_up: bool = False,
) -> LiveDance:
    sampling = Sampling(temperature=temperature, candidates=candidates)
    chance = torch.Generator().manual_seed(5)
    generation = Generation(system.gpt, torch.tensor([[3, 7]]), sampling=sampling, generator=chance)
    return LiveDance(system, listener, generation, RATE, candidates, timing, clean_up)


def played(dance: LiveDance, pieces: Sequence[int]) -> list[MotionChunk]:
    chunks = [chunk for piece in pieces for chunk in dance.hear(np.zeros(piece, np.float32))]
    return [*chunks, *dance.finish()]


def test_decoded_code_by_code_is_decoded_at_once(system: ExpressiveBailando) -> None:
    codes = np.random.default_rng(1).integers(0, 16, (40, 2))
    whole = system.channels(torch.from_numpy(codes)[None])
    decoding = StreamedDecoding(system)
    pieces = [decoding.add(piece) for piece in np.split(np.concatenate([codes, codes[-1:]]), [1, 2, 9, 30])]
    for name, expected in zip(("upper", "lower", "root"), whole, strict=True):
        streamed = np.concatenate([piece[name] for piece in pieces])
        assert np.allclose(streamed, expected[0], atol=1e-5), name


@pytest.mark.parametrize("shared", [0, 1, 4])
def test_candidates_are_decoded_as_each_by_itself(system: ExpressiveBailando, shared: int) -> None:
    codes = torch.from_numpy(np.random.default_rng(2).integers(0, 16, (2, 3, 11, 2)))
    codes[:, :, :shared] = codes[:, :1, :shared]
    apart = system.poses(codes.flatten(0, 1))
    for ours, expected in zip(poses_of_candidates(system, codes, shared), apart, strict=True):
        assert np.allclose(ours, expected, atol=1e-5)


def test_a_decoder_that_sees_both_ways_cannot_dance_live() -> None:
    config = debug_config()
    halves = {name: replace(getattr(config, name), look_ahead=None) for name in ("upper", "lower")}
    with pytest.raises(DuendeError, match=r"looks \d\.\d s ahead"):
        StreamedDecoding(ExpressiveBailando(replace(config, **halves)))


@pytest.mark.parametrize("clean_up", [False, True])
def test_frames_follow_one_another_to_the_last_sound(
    system: ExpressiveBailando, rows: np.ndarray, clean_up: bool
) -> None:
    dance = live(system, Score(rows), clean_up=clean_up)
    chunks = played(dance, [250] * 20 + [30])
    assert chunks[0].begin == 0
    assert all(chunk.end == after.begin for chunk, after in pairwise(chunks))
    assert 51 * 8 <= chunks[-1].end <= 51 * 8 + dance.look_ahead * 60
    motion = gathered(chunks)
    assert np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).max() * 60 < 8.0


def test_the_same_frames_however_the_sound_is_cut(system: ExpressiveBailando, rows: np.ndarray) -> None:
    ways = [[5_030], [1] * 130 + [4_900], [333] * 15 + [35]]
    dances = [gathered(played(live(system, Score(rows), candidates=2), pieces)) for pieces in ways]
    for other in dances[1:]:
        assert np.array_equal(other.rotations, dances[0].rotations)
        assert np.array_equal(other.root, dances[0].root)


def test_what_comes_later_does_not_change_what_has_left(system: ExpressiveBailando, rows: np.ndarray) -> None:
    changed = rows.copy()
    changed[30:] *= -60.0
    first, other = (played(live(system, Score(music, naive=True)), [100] * 50) for music in (rows, changed))
    certain = sum(len(chunk.motion) for chunk in played_until(system, rows, 30))
    first_motion, other_motion = gathered(first), gathered(other)
    assert certain >= 30 * 8
    assert np.array_equal(first_motion.root[:certain], other_motion.root[:certain])
    assert not np.array_equal(first_motion.root[certain + 60 :], other_motion.root[certain + 60 :])


def played_until(system: ExpressiveBailando, rows: np.ndarray, heard: int) -> list[MotionChunk]:
    dance = live(system, Score(rows, naive=True))
    return [chunk for _ in range(heard) for chunk in dance.hear(np.zeros(100, np.float32))]


def test_frames_are_there_before_their_time(system: ExpressiveBailando, rows: np.ndarray) -> None:
    dance, end = live(system, Score(rows), candidates=2, clean_up=True), 0
    for heard in range(1, 50):
        for chunk in dance.hear(np.zeros(100, np.float32)):
            end = chunk.end
        # Two rows more than were heard: a quarter of a second in which the next phrase is made.
        assert end >= 8 * (heard + 2)
        assert end <= 8 * heard + dance.look_ahead * 60


def test_where_the_future_is_known_it_is_the_dance_of_the_whole_song(
    system: ExpressiveBailando, rows: np.ndarray
) -> None:
    dance = gathered(played(live(system, Score(rows), temperature=0.0), [100] * 60))
    music = system.normalise(torch.from_numpy(np.concatenate([rows[1:], rows[-1:]])))[None]
    codes = generate(system.gpt, music, torch.tensor([[3, 7]]))
    whole = system.perform(codes[0].numpy())
    dance = dance.cropped(0, len(whole))
    apart = 2 * np.arccos(np.clip(np.abs((dance.rotations[:, 1:] * whole.rotations[:, 1:]).sum(axis=-1)), 0, 1))
    assert np.degrees(np.quantile(apart, 0.95)) < 3.0
    height = np.abs(dance.root[:, 1] - whole.root[:, 1])
    assert np.median(height) < 0.005


def test_nothing_heard_is_danced_for_a_code_or_more(system: ExpressiveBailando, rows: np.ndarray) -> None:
    chunks = played(live(system, Score(rows)), [])
    assert len(gathered(chunks)) >= 8


def test_timing_is_checked() -> None:
    with pytest.raises(DuendeError, match="a phrase has 1 code or more"):
        LiveTiming(phrase=0)


def test_chunks_that_do_not_follow_are_not_joined(system: ExpressiveBailando, rows: np.ndarray) -> None:
    chunks = played(live(system, Score(rows)), [3_000])
    with pytest.raises(DuendeError, match="the next begins at"):
        gathered([chunks[0], *chunks[2:]])
    with pytest.raises(DuendeError, match="no chunk"):
        gathered([])
