"""Generation by the GPT: its bounds, its side effects and long rotary songs."""

from __future__ import annotations

import pytest
import torch

from duende.errors import DuendeError
from duende.models.gpt import CrossConditionalGPT, GPTConfig, Sampling


def network(**changes: object) -> CrossConditionalGPT:
    torch.manual_seed(1)
    shape = {"music_dimension": 5, "codes": 7, "width": 16, "layers": 2, "heads": 2, "window": 6, **changes}
    gpt = CrossConditionalGPT(GPTConfig(**shape)).eval()  # type: ignore[arg-type]
    for parameter in gpt.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return gpt


@pytest.mark.parametrize(
    "bounds", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}, {"temperature": float("nan")}]
)
def test_impossible_sampling_is_refused_with_its_value(bounds: dict[str, float]) -> None:
    with pytest.raises(DuendeError, match=next(iter(bounds))):
        Sampling(**bounds)  # type: ignore[arg-type]


def test_generating_in_the_middle_of_training_goes_back_to_training() -> None:
    gpt, music, start = network(dropout=0.5), torch.randn(1, 5, 5), torch.tensor([[1, 2]])
    calm = gpt.generate(music, start)
    gpt.train()
    assert torch.equal(gpt.generate(music, start), calm)
    assert gpt.training and gpt.blocks[0].training


def test_the_same_seed_draws_the_same_dance() -> None:
    gpt, music, start = network(), torch.randn(1, 40, 5), torch.tensor([[1, 2]])

    def dance(seed: int) -> torch.Tensor:
        return gpt.generate(music, start, sampling=Sampling(1.0), generator=torch.Generator().manual_seed(seed))

    assert torch.equal(dance(3), dance(3))
    assert not torch.equal(dance(3), dance(4))


def test_progress_ends_with_all_codes() -> None:
    seen: list[tuple[int, int]] = []
    network().generate(
        torch.randn(1, 4, 5), torch.tensor([[1, 2]]), progress=lambda done, all_: seen.append((done, all_))
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
