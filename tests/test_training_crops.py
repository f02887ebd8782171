"""Crops that cover each dance once an epoch, and the recipe that has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duende.audio.feature_sets import feature_set
from duende.datasets.crops import Crop, JitteredCrops
from duende.errors import DuendeError
from duende.training.new_system import code_config
from duende.training.recipe import Recipe, StageConfig, load_recipe

RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def epoch_of(crops: JitteredCrops, epoch: int, seed: int = 5) -> list[Crop]:
    return [crop for step in range(len(crops)) for crop in crops.batch(epoch * len(crops) + step, 1, seed)]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=8),
    length=st.integers(2, 60),
    context=st.integers(0, 59),
    epoch=st.integers(0, 3),
)
def test_every_row_is_learnt_once_an_epoch_with_its_context(
    lengths: list[int], length: int, context: int, epoch: int
) -> None:
    context = min(context, length - 1)
    crops = JitteredCrops.over(lengths, length, context, padded=True)
    learnt = [np.zeros(total, int) for total in lengths]
    for sequence, start, first, end in epoch_of(crops, epoch):
        learnt[sequence][first:end] += 1
        assert start <= first < end <= start + length
        assert start == 0 or first - start >= context
        # Only a sequence that is shorter than a crop is padded.
        assert start + length <= lengths[sequence] or start == 0
    assert all((rows == 1).all() for rows in learnt)


def test_no_more_crops_are_made_than_are_needed() -> None:
    assert len(JitteredCrops.over([96, 97, 164, 165], length=96, context=28, padded=True)) == 1 + 2 + 2 + 3
    assert len(JitteredCrops.over([95, 96], length=96)) == 1


def test_borders_move_from_epoch_to_epoch_and_follow_from_the_seed() -> None:
    crops = JitteredCrops.over([500, 730], length=64, context=10)
    borders = [sorted((sequence, first) for sequence, _, first, _ in epoch_of(crops, epoch)) for epoch in range(6)]
    assert len({tuple(border) for border in borders}) > 3
    again = JitteredCrops.over([500, 730], length=64, context=10)
    assert epoch_of(again, 4) == epoch_of(crops, 4) != epoch_of(crops, 4, seed=6)
    # A step that two epochs share takes each crop by the borders of its own.
    size = len(crops) + 1
    assert crops.batch(0, size, 5)[:-1] == epoch_of(crops, 0) and crops.batch(0, size, 5)[-1] == epoch_of(crops, 1)[0]


def test_poses_are_cut_at_whole_codes() -> None:
    crops = JitteredCrops.over([888, 1000, 248], length=240, unit=8)
    assert all(crop.start % 8 == crop.first % 8 == 0 for epoch in range(5) for crop in epoch_of(crops, epoch))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"context": 16}, "context is for crops with jitter"),
        ({"jitter": True, "stride": 8}, "stride is frames less context, 64, got 8"),
        ({"jitter": True, "context": 64, "stride": 8}, "less than frames 64"),
    ],
)
def test_crops_that_do_not_fit_together_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(DuendeError, match=message):
        StageConfig(**{"steps": 1, "frames": 64, "stride": 64, **values})  # type: ignore[arg-type]


def test_jitter_is_for_the_stages_that_know_it() -> None:
    plain = StageConfig(steps=1, frames=64, stride=64, jitter=True)
    with pytest.raises(DuendeError, match="not for genre"):
        Recipe(name="x", styled=True, genre={}, stages={"genre": plain})
    with pytest.raises(DuendeError, match="got 0 for gpt"):
        Recipe(name="x", stages={"gpt": plain})
    with pytest.raises(DuendeError, match="got 16 for root"):
        Recipe(name="x", stages={"root": replace(plain, context=16, stride=48)})


def test_the_fast_recipe_is_the_papers_but_for_its_crops() -> None:
    paper, fast = (
        load_recipe(RECIPES / f"{name}.yaml") for name in ("expressive_bailando", "expressive_bailando_fast")
    )
    same, other = (code_config(recipe, feature_set("bailando+mert"), ()) for recipe in (paper, fast))
    assert (same.upper, same.lower) == (other.upper, other.lower)
    assert replace(other.gpt, positions="learned") == same.gpt
    cuts = {"frames", "stride", "jitter", "context"}
    for name, stage in paper.stages.items():
        changed = {key for key, value in vars(stage).items() if getattr(fast.stages[name], key) != value}
        assert changed <= cuts | ({"batch"} if name == "root" else set())
    # The first code that is learnt from sees as many codes as it does in generation.
    assert fast.stages["gpt"].context == 8 * fast.gpt["window"]
