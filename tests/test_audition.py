"""The choice among candidates: what a judge is shown, what goes on, and what a good phrase is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import network

from duende.audio.feature_sets import feature_set
from duende.audio.music import Beats, MusicFeatures
from duende.errors import DuendeError
from duende.models.generation import Audition, generate
from duende.models.sampling import Sampling
from duende.models.scoring import CachedScorer, RecomputedScorer
from duende.systems.audition import phrase_mark
from duende.systems.debug import debug_system

FPS = 60.0
BEATS = np.arange(0.5, 8.0, 0.5)
PULSE = np.arange(0.5, 8.0, 0.25)


def stepping(lag: float, size: float = 0.2) -> np.ndarray:
    """All joints move to and fro and stop every half second, ``lag`` seconds after the beat."""
    times = np.arange(0, 8, 1 / FPS)
    positions = np.zeros((len(times), 24, 3))
    positions[..., 0] = size * np.cos(2 * np.pi * (times - lag))[:, None]
    return positions


@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_every_phrase_goes_on_from_the_chosen_candidate(positions: str, guidance: float) -> None:
    gpt = network(positions=positions, music_dropout=0.1)
    shown: list[tuple[torch.Tensor, int]] = []

    def judge(codes: torch.Tensor, first: int) -> list[int]:
        shown.append((codes[0].clone(), first))
        return [len(shown) % 3]

    chosen = generate(
        gpt,
        torch.randn(1, 12, 5),
        torch.tensor([[1, 2]]),
        sampling=Sampling(1.0, guidance=guidance),
        audition=Audition(3, 4, judge),
        generator=torch.Generator().manual_seed(0),
    )
    assert chosen.shape == (1, 12, 2)
    assert [(codes.shape[1], first) for codes, first in shown] == [(5, 1), (9, 5), (12, 9)]
    for number, (codes, first) in enumerate(shown, start=1):
        assert torch.equal(codes[:, :first], codes[:1, :first].expand(3, -1, -1))
        assert not torch.equal(codes[0], codes[1])
        assert torch.equal(codes[number % 3], chosen[0, : codes.shape[1]])


@pytest.mark.parametrize("kind", [CachedScorer, RecomputedScorer])
@pytest.mark.parametrize("ways", [1, 2])
def test_a_kept_candidate_is_remembered(kind: type[CachedScorer] | type[RecomputedScorer], ways: int) -> None:
    gpt, music = network(window=20), torch.randn(2, 9, 5)
    codes = torch.randint(7, (2, 3, 9, 2), generator=torch.Generator().manual_seed(0))
    codes[:, :, :5] = codes[:, :1, :5]
    best = torch.tensor([2, 1])
    with torch.inference_mode():
        heard = gpt.hear(music).repeat(ways, 1, 1)
        score = kind(gpt, None, 2, ways)
        score.spread(3)
        for step in range(8):
            score(heard[:, step], codes[:, : 1 if step < 5 else 3, step])
        score.keep(best, 3)
        kept = codes[[0, 1], best]
        scores = score(heard[:, 8], kept[:, None, 8]).view(ways, 2, 2, 7)
        expected = gpt(music, kept[..., 0], kept[..., 1])
    for way in scores:
        assert torch.allclose(way[:, 0], expected.upper[:, 8], atol=1e-5)
        assert torch.allclose(way[:, 1], expected.lower[:, 8], atol=1e-5)


def mark(positions: np.ndarray, pace: float = 0.5) -> float:
    return phrase_mark(positions, FPS, 0.0, (2.0, 6.0), BEATS, PULSE, pace)


def test_a_phrase_on_the_beat_is_better_than_one_off_it() -> None:
    assert mark(stepping(0.0)) == pytest.approx(2.0, abs=0.05)
    assert mark(stepping(0.0)) > mark(stepping(0.06)) > mark(stepping(0.125))


def test_a_lively_phrase_is_better_than_a_slow_one_up_to_the_usual_pace() -> None:
    assert mark(stepping(0.0, 0.1), pace=1.0) > mark(stepping(0.0, 0.05), pace=1.0)
    assert mark(stepping(0.0, 0.5)) == pytest.approx(mark(stepping(0.0, 1.0)), abs=0.01)


def test_without_beats_only_liveliness_counts() -> None:
    none = np.zeros(0)
    still, moving = np.zeros((480, 24, 3)), stepping(0.0)
    assert phrase_mark(still, FPS, 0.0, (2.0, 6.0), none, none, 0.5) == 0.0
    assert phrase_mark(moving, FPS, 0.0, (2.0, 6.0), none, none, 0.5) == pytest.approx(1.0)


def test_a_system_with_candidates_dances_otherwise_and_repeats_itself() -> None:
    system = debug_system()
    layout = feature_set("full_band")
    rng = np.random.default_rng(0)
    beats = Beats(np.arange(0.0, 6.0, 0.5), np.zeros(0), 120.0)
    features = MusicFeatures(rng.normal(size=(45, layout.dimension)).astype(np.float32), layout, beats)
    several = system.choreograph(features, sampling=Sampling(1.0, candidates=3))
    assert several.shape == (45, 2)
    assert np.array_equal(several, system.choreograph(features, sampling=Sampling(1.0, candidates=3)))
    assert not np.array_equal(several, system.choreograph(features, sampling=Sampling(1.0)))


def test_nobody_dancing_is_refused() -> None:
    with pytest.raises(DuendeError, match="candidate"):
        Sampling(candidates=0)
