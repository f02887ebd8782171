"""The paper's music condition, the genre token network, guidance by style, and what hears them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import network

from duende.audio.feature_sets import feature_set, present
from duende.audio.features import extract_features
from duende.audio.music import Beats, MusicFeatures
from duende.audio.rhythm import rhythm_rows
from duende.audio.song import Song
from duende.errors import DuendeError
from duende.models.generation import generate
from duende.models.genre import GenreTokenConfig, GenreTokenNetwork
from duende.models.music import Downsampling, DownsamplingConfig, MusicCondition
from duende.models.sampling import Sampling
from duende.systems.debug import debug_config
from duende.systems.expressive_bailando import ExpressiveBailando

STEADY = Beats(np.arange(0.25, 8, 0.5), np.arange(0.25, 8, 2.0), 120.0)


def test_the_papers_condition_has_the_stated_layout() -> None:
    paper = feature_set("bailando+mert")
    assert paper.identity == "bailando@2+mert@1" and present(paper.identity) == paper
    assert paper.dimension == 438 + 10 * 1024
    assert paper.slice("mert") == slice(438, 438 + 10_240)
    condition = MusicCondition(paper.dimension, (DownsamplingConfig(first=438),))
    assert condition.dimension == 438 + 256
    convolutions = [layer for layer in condition.downsampled[0].layers if isinstance(layer, torch.nn.Conv1d)]  # type: ignore[union-attr]
    assert [layer.stride for layer in convolutions] == [(2,), (5,)]


def test_a_code_hears_its_own_ten_frames_and_no_others() -> None:
    down = Downsampling(DownsamplingConfig(first=0, dimension=3, widths=(4, 2)))
    rows = torch.randn(1, 5, 30, requires_grad=True)
    result = down(rows)
    assert result.shape == (1, 5, 2)
    result[:, 2].sum().backward()
    assert rows.grad is not None
    touched = rows.grad[0].abs().sum(dim=1)
    assert touched[2] > 0 and torch.count_nonzero(touched) == 1
    assert (rows.grad[0, 2] != 0).all()


def test_frames_within_a_row_stand_in_the_order_of_time() -> None:
    down = Downsampling(DownsamplingConfig(first=0, dimension=1, strides=(2, 2), widths=(1, 1)))
    for layer, weight in zip((down.layers[0], down.layers[2]), ((1.0, 0.0), (0.0, 1.0)), strict=True):
        layer.weight.data.copy_(torch.tensor(weight).view(1, 1, 2))  # type: ignore[union-attr, operator]
        layer.bias.data.zero_()  # type: ignore[union-attr, operator]
    # Of four frames the first of the second pair passes.
    rows = torch.tensor([[[1.0, 2.0, 300.0, 4.0]]])
    assert down(rows).item() == pytest.approx(300.0)


@pytest.mark.parametrize("first", [-0, 5])
def test_columns_that_do_not_fit_are_refused(first: int) -> None:
    one = DownsamplingConfig(first=first, dimension=2, strides=(2,), widths=(3,))
    with pytest.raises(DuendeError, match="downsampled once"):
        MusicCondition(7, (one, one))


def test_joined_sets_are_their_parts_side_by_side() -> None:
    song = Song(np.random.default_rng(0).normal(size=44_100).astype(np.float32) * 0.1, 44_100)
    both = extract_features(song, feature_set("full_band+rhythm"), STEADY)
    alone = extract_features(song, feature_set("full_band"), STEADY)
    np.testing.assert_array_equal(both.values[:, :464], alone.values)
    np.testing.assert_array_equal(both.values[:, 464:], rhythm_rows(STEADY, 8))
    with pytest.raises(DuendeError, match="'mfcc' would be there twice"):
        feature_set("bailando+full_band")
    with pytest.raises(DuendeError, match="'mart'"):
        feature_set("bailando+mart")


def test_rhythm_tells_where_in_beat_and_bar_a_row_begins() -> None:
    rhythm = feature_set("rhythm")
    rows = rhythm_rows(STEADY, 40)
    at = np.arange(40) / 7.5
    angle = np.arctan2(rows[:, 0], rows[:, 1]) / (2 * np.pi) % 1
    np.testing.assert_allclose(np.exp(2j * np.pi * angle), np.exp(2j * np.pi * (at - 0.25) / 0.5), atol=1e-5)
    bar = np.arctan2(rows[:, 2], rows[:, 3]) / (2 * np.pi) % 1
    np.testing.assert_allclose(np.exp(2j * np.pi * bar), np.exp(2j * np.pi * (at - 0.25) / 2.0), atol=1e-5)
    following = rows[:, rhythm.slice("next_beat")][:, 0]
    np.testing.assert_allclose((at + following - 0.25) / 0.5, np.round((at + following - 0.25) / 0.5), atol=1e-4)
    assert (following > 0).all() and following.max() <= 0.5 + 1e-6
    assert rows[:, rhythm.slice("pace")] == pytest.approx(0.0, abs=1e-6)
    faster = rhythm_rows(Beats(STEADY.times / 2, STEADY.downbeats / 2, 240.0), 10)
    assert faster[:, rhythm.slice("pace")] == pytest.approx(1.0, abs=1e-6)
    assert not rhythm_rows(Beats(np.zeros(0), np.zeros(0), 0.0), 5).any()


def test_rhythm_columns_are_runs_of_columns() -> None:
    assert feature_set("full_band").rhythm_columns == (52, 80)
    assert feature_set("full_band+rhythm").rhythm_columns == (52, 80, 464, 471)
    gpt = network(music_dimension=6, rhythm_only=1.0, rhythm_columns=(1, 2, 4, 6), dropout=0.0).train()
    music = torch.randn(1, 3, 6, requires_grad=True)
    gpt(music, torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 3, dtype=torch.long)).upper.sum().backward()
    assert music.grad is not None
    assert music.grad.abs().sum(dim=(0, 1)).nonzero()[:, 0].tolist() == [1, 4, 5]


def test_a_blend_of_one_style_is_that_style() -> None:
    gpt = network(styles=3)
    music, codes = torch.randn(2, 5, 5), torch.zeros(2, 5, dtype=torch.long)
    ids = torch.tensor([0, 2])
    blend = torch.nn.functional.one_hot(ids, 4).float()
    assert torch.allclose(gpt(music, codes, codes, ids).upper, gpt(music, codes, codes, blend).upper, atol=1e-6)
    untold = torch.nn.functional.one_hot(torch.tensor([3, 3]), 4).float()
    assert torch.allclose(gpt(music, codes, codes).upper, gpt(music, codes, codes, untold).upper, atol=1e-6)


def test_guidance_by_style_moves_away_from_what_is_danced_without_one() -> None:
    gpt, music, start = network(styles=2, music_dropout=0.1), torch.randn(1, 12, 5), torch.tensor([[1, 2]])
    style = torch.tensor([1])

    def danced(style: torch.Tensor | None, **how: float) -> torch.Tensor:
        return generate(gpt, music, start, style=style, sampling=Sampling(**how))  # type: ignore[arg-type]

    assert torch.equal(danced(style, style_guidance=0.0), danced(None))
    assert torch.equal(danced(None, style_guidance=3.0), danced(None))
    assert torch.equal(danced(style, style_guidance=1.0), danced(style))
    assert not torch.equal(danced(style, style_guidance=6.0), danced(style))
    blend = torch.tensor([[0.0, 1.0, 0.0]])
    assert torch.equal(danced(blend, style_guidance=6.0), danced(style, style_guidance=6.0))
    # Both at once: away from silence and away from no style.
    assert danced(style, style_guidance=2.0, guidance=2.0).shape == (1, 12, 2)
    with pytest.raises(DuendeError, match="style_guidance"):
        generate(network(), music, start, sampling=Sampling(style_guidance=2.0))


def test_guided_scores_are_those_of_both_guidances() -> None:
    gpt, music = network(styles=2, music_dropout=0.1), torch.randn(1, 2, 5)
    start, style = torch.tensor([[1, 2]]), torch.tensor([1])
    codes = start[:, None]
    heard = gpt.hear(music)[:, :1]
    told, untold = torch.tensor([1]), torch.tensor([2])
    silent = gpt.unheard.expand_as(heard)  # type: ignore[union-attr]
    full, deaf, free = (
        gpt.scores(sound, codes[..., 0], codes[..., 1], known).upper[:, -1]
        for sound, known in ((heard, told), (silent, told), (heard, untold))
    )
    expected = full + (3.0 - 1) * (full - deaf) + (2.5 - 1) * (full - free)
    drawn = generate(gpt, music, start, style=style, sampling=Sampling(guidance=3.0, style_guidance=2.5))
    assert drawn[0, 1, 0] == expected.argmax()


def test_the_genre_token_network_learns_a_style_whatever_the_length() -> None:
    torch.manual_seed(0)
    genre = GenreTokenNetwork(GenreTokenConfig(music_dimension=6, styles=3, width=16, dropout=0.1))
    optimizer = torch.optim.Adam(genre.parameters(), lr=1e-2)
    means = torch.randn(3, 6)

    def music(style: torch.Tensor, rows: int) -> torch.Tensor:
        return means[style][:, None] + torch.randn(len(style), rows, 6)

    for _ in range(150):
        style = torch.randint(3, (16,))
        loss = torch.nn.functional.cross_entropy(genre(music(style, 20)), style)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    genre.eval()
    style = torch.arange(3).repeat(10)
    for rows in (5, 200):
        weights = genre.weights(music(style, rows))
        assert weights.shape == (30, 4) and torch.allclose(weights.sum(-1), torch.ones(30))
        assert not weights[:, -1].any()
        assert (weights.argmax(-1) == style).float().mean() > 0.9


def system_with_genre() -> ExpressiveBailando:
    torch.manual_seed(0)
    config = debug_config()
    genre = GenreTokenConfig(config.gpt.music_dimension, styles=len(config.styles), width=8)
    system = ExpressiveBailando(replace(config, genre=genre)).eval()
    assert system.gpt.style is not None
    # As they begin, styles weigh next to nothing.
    torch.nn.init.normal_(system.gpt.style.weight, std=3.0)
    return system


def made_up_features(seed: int, rows: int = 24) -> MusicFeatures:
    features = feature_set("full_band")
    values = np.random.default_rng(seed).normal(size=(rows, features.dimension)).astype(np.float32)
    return MusicFeatures(values, features, STEADY)


def test_a_system_without_a_style_asked_for_takes_the_inferred_one() -> None:
    system, music = system_with_genre(), made_up_features(1)
    alone = Sampling(temperature=0.0)
    inferred = system.inferred_style(music)
    assert inferred is not None and sum(inferred.values()) == pytest.approx(1.0, abs=1e-5)
    assert list(inferred) == ["calm", "lively"]
    start = (1, 2)
    free = system.choreograph(music, sampling=alone, start=start)
    asked = [system.choreograph(music, sampling=alone, start=start, style=style) for style in inferred]
    assert system.genre is not None
    system.genre.scores.bias.data.copy_(torch.tensor([60.0, -60.0]))
    np.testing.assert_array_equal(system.choreograph(music, sampling=alone, start=start), asked[0])
    system.genre.scores.bias.data.copy_(torch.tensor([-60.0, 60.0]))
    np.testing.assert_array_equal(system.choreograph(music, sampling=alone, start=start), asked[1])
    assert not np.array_equal(asked[0], asked[1]) and len(free) == len(music)
    without = ExpressiveBailando(debug_config())
    assert without.inferred_style(music) is None


def test_a_genre_network_that_does_not_fit_the_styles_is_refused() -> None:
    config = debug_config()
    with pytest.raises(DuendeError, match="infers 5 styles but 2"):
        replace(config, genre=GenreTokenConfig(config.gpt.music_dimension, styles=5))


def test_a_style_is_amplified_only_where_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    system, music = ExpressiveBailando(debug_config()), made_up_features(1)
    used: list[float] = []

    def generating(*args: object, sampling: Sampling, **rest: object) -> torch.Tensor:
        used.append(sampling.style_guidance)
        return torch.zeros(1, 24, 2, dtype=torch.long)

    monkeypatch.setattr("duende.systems.expressive_bailando.generate", generating)
    strong = Sampling(style_guidance=4.0)
    system.choreograph(music, sampling=strong)
    system.choreograph(music, sampling=strong, style="calm")
    system_with_genre().choreograph(music, sampling=strong)
    assert used == [1.0, 4.0, 4.0]
