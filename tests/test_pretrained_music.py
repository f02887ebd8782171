"""From weights in the hub's layout to a trained system that dances to them, without a download."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from test_mert import written

from duende.cli.main import main
from duende.datasets.store import DanceSet
from duende.formats.npz import write_npz
from duende.motion import Motion
from duende.systems import from_pretrained

RATE = 24_000
STAGE = {"steps": 4, "batch": 4, "frames": 64, "stride": 16, "learning_rate": 1e-3}
RECIPE = {
    "name": "heard",
    "styled": True,
    "precision": "32-true",
    "features": "bailando+rhythm+mert_95m",
    "vqvae": {"width": 32, "codes": 16, "code_dimension": 32, "dilations": [1]},
    "gpt": {"width": 32, "layers": 1, "heads": 2, "window": 16},
    "downsampling": {"mert_95m": {"widths": [24, 16]}},
    "genre": {"width": 8},
    "inferred": 0.5,
    "stages": {"vqvae": STAGE, "root": STAGE, "genre": STAGE, "gpt": STAGE},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer of random weights as wide as MERT-v1-95M, its positional convolution in its published groups."""
    return written(
        tmp_path_factory.mktemp("hub") / "MERT-v1-95M",
        hidden_size=768,
        num_hidden_layers=1,
        num_attention_heads=12,
        num_conv_pos_embedding_groups=16,
        do_stable_layer_norm=False,
    )


@pytest.fixture
def dances(tmp_path: Path, wavy_motion: Motion) -> Path:
    """Two dances in two styles, each with a song of its own."""
    rng = np.random.default_rng(0)
    for number, (style, motion) in enumerate((("tango", wavy_motion), ("jive", wavy_motion.mirrored()))):
        folder = tmp_path / "dances" / style
        folder.mkdir(parents=True)
        write_npz(motion, folder / f"{style}.npz")
        at = np.arange(5 * RATE) / RATE
        sound = np.exp(-20 * (at % (0.5 + 0.1 * number))) * rng.normal(size=len(at)) * 0.3
        soundfile.write(folder / f"{style}.wav", sound, RATE)
    (tmp_path / "dances" / "train.txt").write_text("tango\njive\n")
    return tmp_path / "dances"


def test_with_real_weights_nothing_but_a_path_changes(
    weights: Path, dances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "heard.yaml").write_text(yaml.safe_dump(RECIPE))
    data, run, song = tmp_path / "set", tmp_path / "run", dances / "tango" / "tango.wav"
    heard = ["--mert", str(weights)]
    build = ["data", "folder", str(dances), "-o", str(data), "--workers", "1", *heard]
    assert main([*build, "--features", RECIPE["features"]]) == 0  # type: ignore[list-item]
    clip = DanceSet.open(data).clips("train")[0]
    assert clip.music is not None and clip.music.shape == (30, 438 + 7 + 10 * 768)
    assert main(["train", str(tmp_path / "heard.yaml"), "--data", str(data), "-o", str(run)]) == 0
    config = json.loads((run / "model" / "config.json").read_text())
    assert config["feature_set"] == "bailando@2+rhythm@1+mert_95m@1"
    assert config["gpt"]["downsampled"] == [{"first": 445, "dimension": 768, "strides": [2, 5], "widths": [24, 16]}]
    system = from_pretrained(run / "model")
    assert system.gpt.condition.dimension == 445 + 16
    assert system.genre is not None and system.config.styles == ("jive", "tango")
    out = ["-o", str(tmp_path / "out"), "--formats", "npz", "--candidates", "1"]
    assert main(["dance", str(song), "--model", str(run / "model"), *heard, *out]) == 0
    with np.load(tmp_path / "out" / "tango.npz") as file:
        assert len(file["poses"]) == 300 and np.isfinite(file["poses"]).all()
    capsys.readouterr()
    assert main(["dance", str(song), "--model", str(run / "model"), "--mert", str(tmp_path / "none"), *out]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "none" in said and "330M or 95M" in said


def test_gradients_reach_the_convolutions_over_mert(weights: Path, dances: Path, tmp_path: Path) -> None:
    recipe = {**RECIPE, "stages": {**RECIPE["stages"], "gpt": {**STAGE, "steps": 1}}}  # type: ignore[dict-item]
    (tmp_path / "heard.yaml").write_text(yaml.safe_dump(recipe))
    build = ["data", "folder", str(dances), "-o", str(tmp_path / "set"), "--workers", "1", "--mert", str(weights)]
    assert main([*build, "--features", RECIPE["features"]]) == 0  # type: ignore[list-item]
    models = []
    for name, steps in (("less", 1), ("more", 4)):
        recipe["stages"]["gpt"]["steps"] = steps  # type: ignore[index, call-overload]
        (tmp_path / "heard.yaml").write_text(yaml.safe_dump(recipe))
        command = ["train", str(tmp_path / "heard.yaml"), "--data", str(tmp_path / "set"), "-o", str(tmp_path / name)]
        assert main(command) == 0
        models.append(from_pretrained(tmp_path / name / "model").state_dict())
    moved = [key for key in models[0] if not models[0][key].equal(models[1][key])]
    assert {f"gpt.condition.downsampled.0.layers.{layer}.weight" for layer in (0, 2)} <= set(moved)
    assert not any(key.startswith("genre") for key in moved), "the genre token network is frozen in the last stage"
