"""Generation by the GPT: its bounds, its side effects and long rotary songs."""

from __future__ import annotations

import pytest
import torch
from conftest import network

from duende.errors import DuendeError
from duende.models.generation import generate
from duende.models.sampling import Sampling, guided


@pytest.mark.parametrize(
    "bounds",
    [
        {"temperature": -1.0},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"temperature": float("nan")},
        {"guidance": -1.0},
        {"style_guidance": -1.0},
    ],
)
def test_impossible_sampling_is_refused_with_its_value(bounds: dict[str, float]) -> None:
    with pytest.raises(DuendeError, match=next(iter(bounds))):
        Sampling(**bounds)  # type: ignore[arg-type]


def test_generating_in_the_middle_of_training_goes_back_to_training() -> None:
    gpt, music, start = network(dropout=0.5), torch.randn(1, 5, 5), torch.tensor([[1, 2]])
    calm = generate(gpt, music, start)
    gpt.train()
    assert torch.equal(generate(gpt, music, start), calm)
    assert gpt.training and gpt.blocks[0].training


def test_the_same_seed_draws_the_same_dance() -> None:
    gpt, music, start = network(), torch.randn(1, 40, 5), torch.tensor([[1, 2]])

    def dance(seed: int) -> torch.Tensor:
        return generate(gpt, music, start, sampling=Sampling(1.0), generator=torch.Generator().manual_seed(seed))

    assert torch.equal(dance(3), dance(3))
    assert not torch.equal(dance(3), dance(4))


def test_progress_ends_with_all_codes() -> None:
    seen: list[tuple[int, int]] = []
    generate(
        network(), torch.randn(1, 4, 5), torch.tensor([[1, 2]]), progress=lambda done, all_: seen.append((done, all_))
    )
    assert seen == [(2, 4), (3, 4), (4, 4)]


def test_a_step_depends_on_nothing_older_than_layers_times_the_window() -> None:
    gpt = network(window=3, layers=2)
    codes = torch.zeros(1, 12, dtype=torch.long)
    music = torch.randn(1, 12, 5, requires_grad=True)
    gpt(music, codes, codes).upper[:, 10].sum().backward()
    assert music.grad is not None
    touched = music.grad[0].abs().sum(dim=1).nonzero()[:, 0].tolist()
    # Two layers reach 2 * (3 - 1) steps back.
    assert touched == [6, 7, 8, 9, 10]


def test_the_music_row_of_a_step_is_heard_by_that_step() -> None:
    gpt, music = network(), torch.randn(1, 4, 5)
    codes, changed = torch.zeros(1, 4, dtype=torch.long), music.clone()
    changed[:, 2] += 1
    first, second = gpt(music, codes, codes), gpt(changed, codes, codes)
    assert torch.equal(first.upper[:, :2], second.upper[:, :2])
    assert not torch.equal(first.upper[:, 2], second.upper[:, 2])
    assert not torch.equal(first.lower[:, 2], second.lower[:, 2])


def test_code_and_style_dropout_act_in_training_alone() -> None:
    gpt = network(styles=3, code_dropout=1.0, style_dropout=1.0, dropout=0.0, attention_dropout=0.0)
    music, codes = torch.randn(2, 5, 5), torch.zeros(2, 5, dtype=torch.long)
    style = torch.tensor([0, 2])
    told, untold = gpt(music, codes, codes, style), gpt(music, codes, codes)
    assert not torch.equal(told.upper, untold.upper)
    assert torch.equal(untold.upper, gpt(music, codes, codes, torch.tensor([3, 3])).upper)
    gpt.train()
    torch.manual_seed(0)
    assert not torch.equal(gpt(music, codes, codes).upper, untold.upper)
    calm = network(styles=3, style_dropout=1.0, dropout=0.0, attention_dropout=0.0).train()
    calm.load_state_dict(gpt.state_dict())
    assert torch.allclose(calm(music, codes, codes, style).upper, untold.upper, atol=1e-6)


def test_music_layers_look_at_no_other_step() -> None:
    gpt = network(music_layers=2, window=1, layers=1)
    music = torch.randn(1, 5, 5, requires_grad=True)
    codes = torch.zeros(1, 5, dtype=torch.long)
    gpt(music, codes, codes).lower[:, 2].sum().backward()
    assert music.grad is not None
    assert music.grad[0].abs().sum(dim=1).nonzero()[:, 0].tolist() == [2]


def test_guidance_goes_from_no_music_through_the_music_and_beyond() -> None:
    gpt, music, start = network(music_dropout=0.1), torch.randn(2, 30, 5), torch.tensor([[1, 2], [3, 4]])

    def codes(guidance: float, music: torch.Tensor = music) -> torch.Tensor:
        chance = torch.Generator().manual_seed(0)
        return generate(gpt, music, start, sampling=Sampling(1.0, guidance=guidance), generator=chance)

    assert torch.equal(codes(0.0), codes(0.0, torch.randn(2, 30, 5)))
    assert not torch.equal(codes(1.0), codes(1.0, torch.randn(2, 30, 5)))
    assert torch.equal(codes(1.0), codes(1.0 + 1e-7))
    assert not torch.equal(codes(1.0), codes(3.0))


def test_guided_scores_are_a_line_through_those_without_and_with_music() -> None:
    scores = torch.tensor([[1.0, 5.0], [2.0, 3.0]])
    assert guided(scores, (0.0, 1.0)).tolist() == [[2.0, 3.0]]
    assert guided(scores, (1.0, 0.0)).tolist() == [[1.0, 5.0]]
    assert guided(scores, (2.0, -1.0)).tolist() == [[0.0, 7.0]]
    assert guided(scores[:1], (1.0,)).tolist() == [[1.0, 5.0]]


def test_guidance_needs_a_network_that_knows_silence() -> None:
    with pytest.raises(DuendeError, match="music_dropout"):
        generate(network(), torch.randn(1, 4, 5), torch.tensor([[1, 2]]), sampling=Sampling(guidance=2.0))


@pytest.mark.parametrize(
    ("shape", "heard"),
    [({"music_dropout": 1.0}, []), ({"rhythm_only": 1.0, "rhythm_columns": (1, 3)}, [1, 2]), ({}, [0, 1, 2, 3, 4])],
)
def test_training_withholds_the_columns_that_the_config_says(shape: dict[str, object], heard: list[int]) -> None:
    gpt = network(dropout=0.0, attention_dropout=0.0, **shape).train()
    codes, music = torch.zeros(1, 6, dtype=torch.long), torch.randn(1, 6, 5, requires_grad=True)
    gpt(music, codes, codes).upper.sum().backward()
    gradient = torch.zeros(5) if music.grad is None else music.grad.abs().sum(dim=(0, 1))
    assert torch.nonzero(gradient)[:, 0].tolist() == heard


def test_rhythm_alone_needs_its_columns() -> None:
    with pytest.raises(DuendeError, match="rhythm_columns"):
        network(rhythm_only=0.5)
