"""Dances that are still going on: in pieces as at once, copies apart, cached steps as the whole pass gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import network

from duende.audio.feature_sets import feature_set
from duende.audio.music import Beats, MusicFeatures
from duende.errors import DuendeError
from duende.models.batches import generate_many
from duende.models.captured import CapturedScorer
from duende.models.generation import Audition, Generation, generate
from duende.models.gpt import CrossConditionalGPT
from duende.models.low_precision import PlainInt8Linear, packed
from duende.models.placement import Placement, prepared
from duende.models.sampling import Sampling
from duende.models.scoring import CachedScorer
from duende.systems.debug import debug_system

START = torch.tensor([[1, 2], [3, 4]])


def evenest(codes: torch.Tensor, first: int) -> list[int]:
    """A judge that looks at the codes of the phrase alone."""
    return [int((phrase % 2 == 0).sum(dim=(1, 2)).argmax()) for phrase in codes[:, :, first:]]


def begun(
    positions: str = "rotary", guidance: float = 1.0, chance: int | Sequence[int] = 0, start: torch.Tensor = START
) -> Generation:
    gpt = network(positions=positions, music_dropout=0.1)
    sources = [torch.Generator().manual_seed(seed) for seed in ([chance] if isinstance(chance, int) else chance)]
    sampling = Sampling(1.0, guidance=guidance)
    return Generation(gpt, start, sampling=sampling, generator=sources[0] if isinstance(chance, int) else sources)


@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("audition", [None, Audition(3, 4, evenest)])
def test_a_dance_in_pieces_is_the_dance_at_once(positions: str, guidance: float, audition: Audition | None) -> None:
    music = torch.randn(2, 30, 5)
    whole = begun(positions, guidance).extend(music, audition=audition)
    pieces = begun(positions, guidance)
    cuts = [0, 4, 12, 16, 28, 30]
    parts = [pieces.extend(music[:, a:b], audition=audition) for a, b in pairwise(cuts)]
    assert torch.equal(torch.cat(parts, dim=1), whole)
    assert torch.equal(pieces.codes, torch.cat([START[:, None], whole], dim=1))


def test_a_whole_song_is_its_start_and_what_follows() -> None:
    music = torch.randn(2, 12, 5)
    expected = generate(
        network(music_dropout=0.1), music, START, sampling=Sampling(1.0), generator=torch.Generator().manual_seed(0)
    )
    generation = begun()
    generation.extend(music[:, :-1])
    assert torch.equal(generation.codes, expected)


@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("audition", [None, Audition(3, 4, evenest)])
def test_a_plan_that_is_thrown_away_changes_nothing(positions: str, audition: Audition | None) -> None:
    music, guess = torch.randn(2, 16, 5), torch.randn(2, 8, 5)
    straight, planning = begun(positions), begun(positions)
    plan = None
    for begin in (0, 4, 8, 12):
        plan = planning.copy()
        same = planning.copy()
        assert torch.equal(plan.extend(guess, audition=audition), same.extend(guess, audition=audition))
        piece = music[:, begin : begin + 4]
        assert torch.equal(planning.extend(piece, audition=audition), straight.extend(piece, audition=audition))


def test_given_codes_are_taken_and_remembered() -> None:
    music = torch.randn(2, 12, 5)
    given = torch.full((2, 12, 2), -1)
    given[:, 3:6] = torch.tensor([5, 6])
    given[:, 8, 1] = 0
    generation = begun()
    codes = generation.extend(music, given=given)
    assert torch.equal(codes[:, 3:6], given[:, 3:6])
    assert codes[:, 8, 1].tolist() == [0, 0]
    # A dance whose codes were all given goes on as the one that chose them.
    forced, chance = begun(), begun()
    forced.extend(music, given=codes)
    chance.extend(music, given=given)
    more = torch.randn(2, 5, 5)
    assert torch.equal(forced.extend(more), chance.extend(more))


@pytest.mark.parametrize("audition", [None, Audition(3, 4, evenest)])
def test_with_its_own_chance_a_dance_is_the_same_in_any_company(audition: Audition | None) -> None:
    music = torch.randn(2, 16, 5)
    both = begun(chance=[7, 8])
    together = both.extend(music[:, :8], audition=audition)
    both.keep([1])
    rest = both.extend(music[1:, 8:], audition=audition)
    alone = begun(chance=8, start=START[1:]).extend(music[1:], audition=audition)
    assert torch.equal(torch.cat([together[1:], rest], dim=1), alone)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("styles", [0, 3])
@pytest.mark.parametrize("at_once", [4, 512])
def test_cached_steps_equal_the_whole_pass(styles: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duende.models.scoring.ANGLES_AT_ONCE", at_once)
    gpt, music = network(window=5, styles=styles), torch.randn(2, 17, 5)
    style = torch.tensor([0, 2]) if styles else None
    codes = torch.randint(7, (2, 17, 2))
    with torch.inference_mode():
        logits = gpt(music, codes[..., 0], codes[..., 1], style)
        score, heard = CachedScorer(gpt, gpt.known_style(style, music), 2), gpt.hear(music)
        for step in range(17):
            single = score(heard[:, step], codes[:, None, step])[:, 0]
            assert torch.allclose(single[:, 0], logits.upper[:, step], atol=1e-5)
            assert torch.allclose(single[:, 1], logits.lower[:, step], atol=1e-5)


def recorded(**shape: object) -> CrossConditionalGPT:
    gpt = network(**shape)
    gpt.stepping = "recorded"
    return gpt


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("audition", [None, Audition(3, 4, evenest)])
def test_recorded_steps_choose_what_cached_ones_do(guidance: float, audition: Audition | None) -> None:
    music = torch.randn(2, 40, 5)

    def dance(gpt: CrossConditionalGPT) -> torch.Tensor:
        chance = torch.Generator().manual_seed(0)
        return generate(
            gpt, music, START, sampling=Sampling(1.0, guidance=guidance), audition=audition, generator=chance
        )

    assert torch.equal(dance(recorded(music_dropout=0.1)), dance(network(music_dropout=0.1)))


def test_recorded_steps_score_as_cached_ones() -> None:
    gpt, codes = network(window=5), torch.randint(7, (2, 3, 17, 2))
    with torch.inference_mode():
        heard = gpt.hear(torch.randn(2, 17, 5))
        cached, captured = CachedScorer(gpt, None, 2), CapturedScorer(gpt, None, 2)
        for score in (cached, captured):
            score.spread(3)
        for step in range(17):
            expected = cached(heard[:, step], codes[:, :, step])
            assert torch.allclose(captured(heard[:, step], codes[:, :, step]), expected, atol=1e-5)


def test_copies_take_turns_on_one_recording() -> None:
    music, guess = torch.randn(2, 12, 5), torch.randn(2, 4, 5)
    straight, planning = Generation(network(), START), Generation(recorded(), START)
    plans = []
    for begin in (0, 4, 8):
        plans.append(planning.copy())
        plans[-1].extend(guess)
        piece = music[:, begin : begin + 4]
        assert torch.equal(planning.extend(piece), straight.extend(piece))
    # A plan that was kept goes on from its own memory.
    again = Generation(network(), START)
    again.extend(music[:, :8])
    again.extend(guess)
    assert torch.equal(plans[-1].extend(guess), again.extend(guess))


@pytest.mark.parametrize("stepping", ["plain", "recorded"])
@pytest.mark.parametrize("audition", [None, Audition(3, 4, evenest)])
def test_many_dances_of_different_lengths_are_those_alone(stepping: str, audition: Audition | None) -> None:
    gpt = recorded() if stepping == "recorded" else network()
    lengths, start = [13, 1, 30, 13, 21], torch.arange(10).view(5, 2) % 7
    music = [torch.randn(length, 5) for length in lengths]

    def judge_of(dances: Sequence[int]) -> Audition:
        def judge(codes: torch.Tensor, first: int) -> list[int]:
            return [
                evenest(each[None, :, : lengths[dance]], first)[0] if lengths[dance] > first else 0
                for dance, each in zip(dances, codes, strict=True)
            ]

        return Audition(3, 4, judge)

    done: list[tuple[int, int]] = []
    together = generate_many(
        gpt,
        music,
        start,
        [torch.Generator().manual_seed(seed) for seed in range(5)],
        sampling=Sampling(1.0),
        auditions=judge_of if audition else None,
        progress=lambda count, of: done.append((count, of)),
    )
    for number, rows in enumerate(music):
        chance = torch.Generator().manual_seed(number)
        alone = generate(
            network(), rows[None], start[number, None], sampling=Sampling(1.0), audition=audition, generator=chance
        )
        assert torch.equal(together[number], alone[0])
    assert done[0] == (5, 78) and done[-1] == (78, 78) and done == sorted(done)


def test_a_system_dances_to_many_songs_as_to_each() -> None:
    system, layout, rng = debug_system(), feature_set("full_band"), np.random.default_rng(0)
    songs = [
        MusicFeatures(
            rng.normal(size=(length, layout.dimension)).astype(np.float32),
            layout,
            Beats(np.arange(0.0, length / 7.5, 60 / tempo), np.zeros(0), tempo),
        )
        for length, tempo in ((31, 120.0), (18, 90.0), (31, 140.0))
    ]
    styles = ["calm", None, "lively"]
    sampling = Sampling(1.0, style_guidance=2.0, candidates=3)
    # Of candidates that differ by rounding alone either may be chosen: both ways compute in double precision.
    system.double()
    system.music = lambda features: torch.from_numpy(features.values)[None].double()  # type: ignore[method-assign]
    many = system.choreograph_many(songs, [3, 4, 5], sampling=sampling, styles=styles)
    for codes, features, seed, style in zip(many, songs, (3, 4, 5), styles, strict=True):
        assert np.array_equal(codes, system.choreograph(features, seed=seed, sampling=sampling, style=style))


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-4), ("bfloat16", 0.2), ("int8", 0.4)])
def test_a_prepared_network_scores_alike_and_leaves_the_original(precision: str, error: float) -> None:
    gpt, music, codes = network(width=32, codes=64), torch.randn(2, 12, 5), torch.randint(64, (2, 12, 2))
    before = {name: value.clone() for name, value in gpt.state_dict().items()}
    ready = prepared(gpt, Placement("cpu", precision))  # type: ignore[arg-type]
    with torch.inference_mode():
        expected = gpt(music, codes[..., 0], codes[..., 1]).upper
        scores = ready(music, codes[..., 0], codes[..., 1]).upper
    assert (scores - expected).abs().max() < error * expected.std()
    assert all(torch.equal(value, gpt.state_dict()[name]) for name, value in before.items())
    assert generate(ready, music, START).shape == (2, 12, 2)


def test_small_weights_are_those_of_the_quantised_product() -> None:
    torch.manual_seed(0)
    layer, rows = torch.nn.Linear(64, 48), torch.randn(5, 64)
    with torch.inference_mode():
        exact, plain = layer(rows), PlainInt8Linear(layer)(rows)
        assert torch.allclose(plain, exact, atol=0.02)
        assert torch.allclose(packed(layer, "int8")(rows), plain, atol=0.05)


@pytest.mark.parametrize(("values", "told"), [({"precision": "half"}, "half"), ({"compiled": "yes"}, "yes")])
def test_placements_that_are_none_are_refused(values: dict[str, str], told: str) -> None:
    with pytest.raises(DuendeError, match=told):
        Placement(**values)  # type: ignore[arg-type]


def test_a_device_that_is_not_here_is_named_with_those_that_are() -> None:
    with pytest.raises(DuendeError, match=r"'cuda:99'.*cpu"):
        prepared(network(), Placement("cuda:99"))


def test_large_networks_are_quantised_on_a_processor() -> None:
    assert Placement("cpu").chosen_precision(network()) == "float32"
    with torch.device("meta"):
        large = torch.nn.Linear(8192, 8192)
    assert Placement("cpu").chosen_precision(large) == "int8"


@pytest.mark.parametrize("step", [3, 11])
def test_no_gradient_comes_from_the_future_or_from_beyond_the_reach(step: int) -> None:
    gpt = network(window=3, layers=2)
    music = torch.randn(1, 16, 5, requires_grad=True)
    seen: dict[str, torch.Tensor] = {}

    def kept(name: str) -> Callable[[torch.nn.Module, object, torch.Tensor], None]:
        def hook(_: torch.nn.Module, __: object, embedded: torch.Tensor) -> None:
            embedded.retain_grad()
            seen[name] = embedded

        return hook

    gpt.upper.register_forward_hook(kept("upper"))
    gpt.lower.register_forward_hook(kept("lower"))
    codes = torch.randint(7, (1, 16))
    logits = gpt(music, codes, codes)
    (logits.upper[:, step].square().sum() + logits.lower[:, step].square().sum()).backward()
    # Each layer reaches window - 1 steps back.
    reached = list(range(max(0, step - 2 * 2), step + 1))
    for given in (music, seen["upper"], seen["lower"]):
        assert given.grad is not None
        assert given.grad[0].abs().sum(dim=1).nonzero()[:, 0].tolist() == reached
