"""Systems: loading, saving, dancing, and what goes wrong with damaged folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from duende.audio.feature_sets import feature_set
from duende.audio.music import Beats, FeatureSet, MusicFeatures
from duende.errors import DuendeError
from duende.models.sampling import Sampling
from duende.systems import expressive_bailando
from duende.systems.debug import debug_system
from duende.systems.storage import from_pretrained, save_pretrained


def music(rows: int = 20, name: str = "full_band", seed: int = 0) -> MusicFeatures:
    features = feature_set(name)
    values = np.random.default_rng(seed).normal(size=(rows, features.dimension)).astype(np.float32)
    times = np.arange(0.0, rows / 7.5, 0.5)
    return MusicFeatures(values, features, Beats(times, times[::4], 120.0))


@pytest.fixture(scope="module")
def debug() -> expressive_bailando.ExpressiveBailando:
    return from_pretrained("debug")


def test_debug_is_small_and_made_from_a_seed(tmp_path: Path) -> None:
    save_pretrained(debug_system(), tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1_000_000
    again = debug_system().state_dict()
    assert all(torch.equal(value, again[name]) for name, value in debug_system().state_dict().items())


def test_a_dance_has_eight_frames_for_each_row(debug: expressive_bailando.ExpressiveBailando) -> None:
    motion = debug.dance(music(20))
    assert len(motion) == 160
    assert motion.fps == 60.0
    assert motion.positions[..., 1].min() > -0.05


def test_same_seed_same_dance_other_seed_other_dance(debug: expressive_bailando.ExpressiveBailando) -> None:
    bold = Sampling(temperature=1.0)
    first, again, other = (debug.choreograph(music(), seed=seed, sampling=bold) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_start_is_kept(debug: expressive_bailando.ExpressiveBailando) -> None:
    assert debug.choreograph(music(5), start=(3, 7))[0].tolist() == [3, 7]
    with pytest.raises(DuendeError, match="0 to 15"):
        debug.choreograph(music(5), start=(3, 16))


def test_pieces_decode_as_the_whole(
    debug: expressive_bailando.ExpressiveBailando, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = np.random.default_rng(0).integers(0, 16, (150, 2))
    whole = debug.perform(codes)
    monkeypatch.setattr(expressive_bailando, "DECODED_AT_ONCE", 40)
    np.testing.assert_allclose(debug.perform(codes).positions, whole.positions, atol=1e-4)


def test_a_dance_begins_and_ends_without_a_jump() -> None:
    starter = from_pretrained()
    codes = np.stack([starter.choreograph(music(24), seed=seed, sampling=Sampling(1.0)) for seed in range(4)])
    poses = np.stack(starter.poses(torch.from_numpy(codes)))
    speed = (np.linalg.norm(np.diff(poses, axis=1), axis=-1) * 60).mean(axis=(0, 2))
    # Without held codes the first four frames move half as fast again as the rest.
    assert max(speed[:4].mean(), speed[-4:].mean()) < 1.2 * speed[8:-8].mean()


def test_other_features_and_styles_are_refused(debug: expressive_bailando.ExpressiveBailando) -> None:
    with pytest.raises(DuendeError, match="full_band"):
        debug.dance(music(name="bailando"))
    later = replace(feature_set("full_band"), version=99)
    assert isinstance(later, FeatureSet)
    with pytest.raises(DuendeError, match="@99"):
        debug.dance(replace(music(), feature_set=later))
    with pytest.raises(DuendeError, match="calm, lively"):
        debug.dance(music(), style="polka")


def test_saved_and_loaded_dances_alike(debug: expressive_bailando.ExpressiveBailando, tmp_path: Path) -> None:
    save_pretrained(debug, tmp_path, card="a card")
    loaded = from_pretrained(tmp_path)
    assert loaded.config == debug.config
    np.testing.assert_array_equal(loaded.choreograph(music()), debug.choreograph(music()))
    assert (tmp_path / "README.md").read_text() == "a card"


@pytest.mark.parametrize("damage", ["cut", "missing", "config", "key", "shape", "not json"])
def test_damaged_folders_are_named(tmp_path: Path, damage: str) -> None:
    save_pretrained(debug_system(), tmp_path)
    weights, config = tmp_path / "weights.safetensors", tmp_path / "config.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif damage == "missing":
        weights.unlink()
    elif damage == "config":
        config.unlink()
    elif damage == "not json":
        config.write_text("{")
    else:
        values = json.loads(config.read_text())
        if damage == "key":
            values["surprise"] = 1
        else:
            values["gpt"]["width"] = 64
        config.write_text(json.dumps(values))
    with pytest.raises(DuendeError) as caught:
        from_pretrained(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DuendeError, match="starter, edge, debug"):
        from_pretrained("no-such-model")
