"""Published weights of other projects: the same network under other names, and files that are not to be trusted."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bailando_layout as layout
import numpy as np
import pytest
import torch
from torch import Tensor

from duende.audio.feature_sets import feature_set
from duende.audio.music import Beats, MusicFeatures
from duende.cli.main import main
from duende.errors import DuendeError
from duende.models.denoiser import Denoiser, DenoiserConfig
from duende.models.gpt import CrossConditionalGPT, GPTConfig
from duende.models.sampling import DiffusionSampling
from duende.models.vqvae import FreqVQVAE, RootDecoder
from duende.systems.expressive_bailando import HELD, ExpressiveBailando
from duende.systems.published.bailando import (
    bailando_codebook_weights,
    bailando_config,
    bailando_gpt_weights,
    bailando_system,
)
from duende.systems.published.checkpoint import STAND_INS, PickledObject, read_checkpoint
from duende.systems.published.edge import edge_name, edge_system
from duende.systems.storage import from_pretrained, save_pretrained

SIZES = layout.Sizes()
START = (5, 12)
OPTIONS = ["--start", "5", "12", "--heads", "3"]


@pytest.fixture(scope="module")
def codebooks() -> layout.State:
    return layout.codebook_state(SIZES)


@pytest.fixture(scope="module")
def gpt() -> layout.State:
    return layout.gpt_state(SIZES)


@pytest.fixture(scope="module")
def system(codebooks: layout.State, gpt: layout.State) -> ExpressiveBailando:
    return bailando_system(codebooks, gpt, SIZES.heads, START)


def song(rows: int = 60) -> MusicFeatures:
    values = np.random.default_rng(0).normal(size=(rows, SIZES.music)).astype(np.float32)
    times = np.arange(0.0, rows / 7.5, 0.5)
    return MusicFeatures(values, feature_set("bailando"), Beats(times, times[::4], 120.0))


def random_codes(number: int = 20) -> Tensor:
    return torch.randint(SIZES.codes, (number, 2), generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("half", "ours", "channels"), [("vqvae_up", "upper", 45), ("vqvae_down", "lower", 27)])
def test_codes_are_those_of_the_original(
    system: ExpressiveBailando, codebooks: layout.State, half: str, ours: str, channels: int
) -> None:
    poses = 4 * torch.randn(400, channels, generator=torch.Generator().manual_seed(2))
    expected = layout.encode(codebooks, half, poses, SIZES)
    assert len(expected.unique()) > 8
    with torch.inference_mode():
        assert torch.equal(getattr(system, ours).encode(poses[None])[0], expected)


def test_poses_and_root_are_those_of_the_original(system: ExpressiveBailando, codebooks: layout.State) -> None:
    upper, lower = random_codes().T
    expected = {
        "upper": layout.decode(codebooks, "vqvae_up", upper, SIZES),
        "lower": layout.decode(codebooks, "vqvae_down", lower, SIZES),
        "root": layout.decode(codebooks, "vqvae_down", lower, SIZES, "decoders_root.0"),
    }
    with torch.inference_mode():
        found = {
            "upper": system.upper.decode(upper[None]),
            "lower": system.lower.decode(lower[None]),
            "root": system.root(lower[None], system.lower),
        }
    for name, channels in expected.items():
        assert channels.shape == (160, {"upper": 45, "lower": 27, "root": 3}[name])
        assert channels.std() > 0.1
        torch.testing.assert_close(found[name][0], channels, rtol=0, atol=1e-5)


def test_a_danced_pose_is_the_originals_with_held_ends(system: ExpressiveBailando, codebooks: layout.State) -> None:
    codes = random_codes()
    held = torch.cat([codes[:1].expand(HELD, 2), codes, codes[-1:].expand(HELD, 2)])
    expected = layout.decode(codebooks, "vqvae_up", held[:, 0], SIZES)[8 * HELD : -8 * HELD]
    np.testing.assert_allclose(system.channels(codes[None])[0][0], expected.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 7, 29])
def test_scores_are_those_of_the_original(system: ExpressiveBailando, gpt: layout.State, steps: int) -> None:
    music = torch.randn(steps, SIZES.music, generator=torch.Generator().manual_seed(3))
    upper, lower = random_codes(steps).T
    expected = layout.logits(gpt, music, upper, lower, SIZES)
    with torch.inference_mode():
        found = system.gpt(music[None], upper[None], lower[None])
    for mine, original in zip((found.upper, found.lower), expected, strict=True):
        assert original.std() > 0.5
        torch.testing.assert_close(mine[0], original, rtol=1e-5, atol=1e-5)


def test_the_dance_is_the_originals_beyond_the_window(system: ExpressiveBailando, gpt: layout.State) -> None:
    features = song(60)
    expected = layout.greedy(gpt, torch.from_numpy(features.values), START, SIZES)
    assert expected.shape == (60, 2)
    assert len(expected.unique(dim=0)) > 20, "a dance that stands still would prove nothing"
    assert system.choreograph(features).tolist() == expected.tolist()


def test_another_context_would_be_another_dance(gpt: layout.State) -> None:
    """What the dance is held against can tell a context of 28 codes from one of 27."""
    music = torch.from_numpy(song(60).values)
    published, shorter = (layout.greedy(gpt, music, START, SIZES, context) for context in (28, 27))
    assert torch.equal(published[:29], shorter[:29])
    assert not torch.equal(published, shorter)


def test_a_critic_and_masks_are_left_out(gpt: layout.State) -> None:
    plain, critic = bailando_gpt_weights(gpt), bailando_gpt_weights(layout.gpt_state(SIZES, critic=True))
    assert plain.keys() == critic.keys()
    assert all(torch.equal(plain[name], critic[name]) for name in plain)


def test_the_config_tells_what_the_original_is(codebooks: layout.State, gpt: layout.State) -> None:
    config = bailando_config(codebooks, gpt, SIZES.heads, START)
    assert (config.system, config.representation, config.frame_rate) == ("bailando", "global", 60.0)
    assert config.feature_set == feature_set("bailando").identity
    assert config.starts == {"": [[5, 12]]}
    assert config.smoothing == 0
    assert config.sampling.temperature == 0
    assert (config.upper.width, config.upper.codes, config.upper.code_dimension) == (16, 32, 16)
    assert (config.upper.stages, config.upper.dilations, config.upper.frequency) == (3, (1, 3, 9), False)
    gpt_config = config.gpt
    assert (gpt_config.width, gpt_config.layers, gpt_config.heads, gpt_config.window) == (24, 3, 3, 29)
    assert gpt_config.positions == "learned"


def test_other_depths_are_read_off_the_names() -> None:
    sizes = layout.Sizes(stages=2, depth=2, base=1, head=3, window=17)
    codebooks, gpt = layout.codebook_state(sizes), layout.gpt_state(sizes)
    system = bailando_system(codebooks, gpt, sizes.heads, START)
    assert (system.config.upper.stages, system.config.upper.dilations) == (2, (1, 3))
    assert (system.config.gpt.layers, system.config.gpt.window) == (4, 17)
    codes = random_codes()
    with torch.inference_mode():
        found = system.lower.decode(codes[None, :, 1])[0]
    torch.testing.assert_close(found, layout.decode(codebooks, "vqvae_down", codes[:, 1], sizes), rtol=0, atol=1e-5)


def test_published_sizes() -> None:
    """Parameters in millions, as counted in the original: 25.87, 25.81, 13.39 and 87.03."""
    codebooks = layout.codebook_state(layout.PUBLISHED, device="meta")
    gpt = layout.gpt_state(layout.PUBLISHED, device="meta")
    config = bailando_config(codebooks, gpt)
    assert config.starts == {"": [[423, 12]]}
    with torch.device("meta"):
        networks = {
            "upper": FreqVQVAE(config.upper),
            "lower": FreqVQVAE(config.lower),
            "root": RootDecoder(config.lower, 3),
        }
    weights = bailando_codebook_weights(codebooks)
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in torch.nn.ModuleDict(networks).state_dict().items()
    }
    parameters = {name: sum(value.numel() for value in part.parameters()) for name, part in networks.items()}
    parameters["gpt"] = sum(value.numel() for value in bailando_gpt_weights(gpt).values())
    millions = {name: round(number / 1e6, 2) for name, number in parameters.items()}
    assert millions == {"upper": 25.87, "lower": 25.81, "root": 13.39, "gpt": 87.03}
    root = layout.count(codebooks, "vqvae_down.decoders_root")
    assert parameters == {
        "upper": layout.count(codebooks, "vqvae_up"),
        "lower": layout.count(codebooks, "vqvae_down") - root,
        "root": root,
        "gpt": layout.count(gpt, "gpt_"),
    }


def test_training_goes_on_from_the_codebook(codebooks: layout.State, gpt: layout.State) -> None:
    upper = bailando_system(codebooks, gpt, SIZES.heads, START).upper.train()
    before = upper.codebook.vectors.clone()
    poses = torch.randn(4, 240, 45, generator=torch.Generator().manual_seed(2))
    used = upper.encode(poses).unique()
    upper(poses)
    moved = (upper.codebook.vectors[used] - before[used]).norm(dim=1)
    assert int(upper.codebook.updates) == 2
    # A filled codebook would be far from the old one; a moved one is where it was but for a hundredth.
    assert (moved < 0.3 * before[used].norm(dim=1)).float().mean() > 0.8


class EasyDict(dict[str, Any]):
    """Keeps entries as attributes too, as the published checkpoints' configs do."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__()
        for name, value in values.items():
            inner = EasyDict(value) if isinstance(value, dict) else value
            self[name] = inner
            setattr(self, name, inner)


EasyDict.__module__ = "easydict"


def save(state: layout.State, path: Path, **options: Any) -> Path:
    """Write a checkpoint in the form of the published ones."""
    easydict = types.ModuleType("easydict")
    easydict.EasyDict = EasyDict  # type: ignore[attr-defined]
    content = {
        "model": {f"module.{name}": value for name, value in state.items()},
        "config": EasyDict({"structure": {"name": "SepVQVAER", "levels": 1}, "gamma": 0.1, "milestones": [100, 200]}),
        "epoch": 500,
        "loss": np.float64(0.25),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "easydict", easydict)
        torch.save(content, path, **options)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, codebooks: layout.State, gpt: layout.State) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("published")
    return save(codebooks, folder / "epoch_500.pt"), save(gpt, folder / "epoch_400.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_is_read_without_the_classes_that_it_names(
    codebooks: layout.State, tmp_path: Path, zipped: bool
) -> None:
    assert "easydict" not in sys.modules
    path = save(codebooks, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(path)
    assert read["config"] == {"structure": {"name": "SepVQVAER", "levels": 1}, "gamma": 0.1, "milestones": [100, 200]}
    assert isinstance(read["loss"], PickledObject)
    assert torch.equal(read["model"]["module.vqvae_up.decoders.0.out.bias"], codebooks["vqvae_up.decoders.0.out.bias"])
    assert not set(STAND_INS) & set(torch.serialization.get_safe_globals())


def test_an_object_keeps_its_attributes(tmp_path: Path) -> None:
    class MinMaxScaler:
        def __init__(self) -> None:
            self.scale_ = torch.ones(3)

    MinMaxScaler.__module__, MinMaxScaler.__qualname__ = "dataset.scaler", "MinMaxScaler"
    dataset, scaler = types.ModuleType("dataset"), types.ModuleType("dataset.scaler")
    scaler.MinMaxScaler = MinMaxScaler  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "dataset", dataset)
        patch.setitem(sys.modules, "dataset.scaler", scaler)
        torch.save({"normalizer": MinMaxScaler(), "array": np.arange(3.0)}, tmp_path / "x.pt")
    read = read_checkpoint(tmp_path / "x.pt")
    assert read["normalizer"].scale_.tolist() == [1, 1, 1]
    assert isinstance(read["array"], PickledObject)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_folder_is_written_and_dances(
    files: tuple[Path, Path],
    system: ExpressiveBailando,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    swapped: bool,
) -> None:
    order = files[::-1] if swapped else files
    out = tmp_path / "model"
    assert main(["convert", "bailando", *map(str, order), "-o", str(out), *OPTIONS]) == 0
    assert capsys.readouterr().out == f"{out}  the model; dance with: duende dance SONG --model {out}\n"
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "S-Lab License" in card and "non-commercial" in card
    assert "decoder: `epoch_500.pt`" in card and "GPT: `epoch_400.pt`" in card
    read = from_pretrained(out)
    assert read.config == system.config
    assert read.choreograph(song()).tolist() == system.choreograph(song()).tolist()
    assert len(read.dance(song(12))) == 96


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class HarmfulShell(Harmful):
    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.path}",)


class HarmfulExpression(Harmful):
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({str(self.path)!r}, 'w')",)


@pytest.mark.parametrize("kind", [Harmful, HarmfulShell, HarmfulExpression])
@pytest.mark.parametrize("form", ["zip", "old", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_does_not_run(
    codebooks: layout.State, tmp_path: Path, kind: type[Harmful], form: str
) -> None:
    path, trace = tmp_path / "x.pt", tmp_path / "trace"
    content = {"config": kind(trace), "model": codebooks}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(DuendeError, match=r"holds more than weights|not a checkpoint") as refused:
        read_checkpoint(path)
    assert not trace.exists()
    if form == "zip":
        assert "it asks for" in str(refused.value)
    # The file is harmful: whoever trusts it, is harmed.
    torch.load(path, weights_only=False) if form != "pickle" else pickle.loads(path.read_bytes())
    assert trace.exists()


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], out: Path) -> str:
    """Run the command, which must end in one sentence and write nothing; return the sentence."""
    assert main(["convert", "bailando", *arguments, "-o", str(out), *OPTIONS]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("duende: ") and captured.err.count("\n") == 1
    assert not out.exists()
    return captured.err


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a checkpoint"),
        (b"not a checkpoint at all\n", "not a checkpoint"),
        (b"PK\x03\x04" + bytes(64), "not a checkpoint"),
        (pickle.dumps({"a": 1}, protocol=4), "not a checkpoint"),
        (bytes(10_000), "not a checkpoint"),
    ],
)
def test_files_that_are_no_checkpoint(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    path = written(tmp_path / "x.pt", content)
    error = refused([str(path), str(files[1])], capsys, tmp_path / "model")
    assert message in error and str(path) in error


def test_a_cut_file_a_missing_one_and_a_folder(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = files[0].read_bytes()
    cut = written(tmp_path / "cut.pt", whole[: len(whole) // 2])
    for path, message in ((cut, "not a checkpoint"), (tmp_path / "none.pt", "no checkpoint"), (tmp_path, "a folder")):
        error = refused([str(path), str(files[1])], capsys, tmp_path / "model")
        assert message in error and str(path) in error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(3), "holds a Tensor"),
        ({"model": torch.ones(3)}, "no named weights"),
        ({"model": {"a": "b"}}, "no named weights"),
        ({"epoch": 3}, "no named weights"),
        ({"model": {}}, "is empty"),
        ({"model": {"layer.weight": torch.ones(3)}}, "begins with layer.weight"),
        ({"model": {"gpt_base.pos_emb": torch.ones(3)}}, "tok_emb_up.weight is missing"),
        ({"model": {"vqvae_up.out": torch.ones(3), "vqvae_down.decoders_root.0": torch.ones(3)}}, "k is missing"),
    ],
)
def test_checkpoints_of_something_else(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, message: str
) -> None:
    path = tmp_path / "x.pt"
    torch.save(content, path)
    other = files[0] if "gpt" in str(content) else files[1]
    error = refused([str(other), str(path)], capsys, tmp_path / "model")
    assert message in error and str(path) in error


def without(state: layout.State, name: str) -> layout.State:
    return {key: value for key, value in state.items() if key != name}


BLOCK = "vqvae_down.encoders.0.level_blocks.0.model.1.1.model.2.model.3"
BROKEN_CODEBOOKS = {
    "a missing block": (lambda s: without(s, f"{BLOCK}.weight"), f"{BLOCK}.weight is missing"),
    "an unknown weight": (lambda s: {**s, "vqvae_up.extra": torch.ones(1)}, "vqvae_up.extra is not one of its"),
    "a shape": (lambda s: {**s, f"{BLOCK}.bias": torch.ones(3)}, f"{BLOCK}.bias has shape (3,), expected (16,)"),
    "no codebook": (lambda s: without(s, "vqvae_up.bottleneck.level_blocks.0.k"), "k is missing"),
    "axes": (lambda s: {**s, "vqvae_up.bottleneck.level_blocks.0.k": torch.ones(3)}, "2 axes"),
    "other channels": (
        lambda s: {**s, "vqvae_up.encoders.0.level_blocks.0.model.0.0.weight": torch.ones(16, 135, 4)},
        "has shape (16, 135, 4), expected (16, 45, 4)",
    ),
    "unlike halves": (lambda s: {**s, "vqvae_up.bottleneck.level_blocks.0.k": torch.ones(8, 16)}, "halves differ"),
    "other codes": (
        lambda s: {**s, **{f"vqvae_{h}.bottleneck.level_blocks.0.k": torch.ones(20, 16) for h in ("up", "down")}},
        "chooses among 32 codes, but",
    ),
    "no root": (lambda s: {k: v for k, v in s.items() if "decoders_root" not in k}, "no root decoder"),
    "not finite": (lambda s: {**s, f"{BLOCK}.bias": torch.full((16,), torch.nan)}, "not finite"),
}


@pytest.mark.parametrize("case", BROKEN_CODEBOOKS)
def test_broken_codebooks_are_named(
    codebooks: layout.State, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    change, message = BROKEN_CODEBOOKS[case]
    path = save(change(codebooks), tmp_path / "x.pt")
    error = refused([str(path), str(files[1])], capsys, tmp_path / "model")
    assert message in error and str(path) in error


BROKEN_GPT = {
    "a missing block": (lambda s: without(s, "gpt_head.blocks.0.attn.key.bias"), "attn.key.bias is missing"),
    "a gap": (lambda s: {k: v for k, v in s.items() if "gpt_base.blocks.0." not in k}, "is not one of its weights"),
    "an unknown weight": (lambda s: {**s, "gpt_base.xyz_emb": torch.ones(1)}, "gpt_base.xyz_emb is not one of its"),
    "a shape": (
        lambda s: {**s, "gpt_base.blocks.0.attn.query.weight": torch.ones(24, 20)},
        "attn.query.weight has shape (24, 20), expected (24, 24)",
    ),
    "other music": (lambda s: {**s, "gpt_base.cond_emb.weight": torch.ones(24, 55)}, "(24, 55), expected (24, 438)"),
    "odd positions": (lambda s: {**s, "gpt_base.pos_emb": torch.ones(1, 88, 24)}, "(1, 88, 24), expected (1, 87, 24)"),
    "not finite": (lambda s: {**s, "gpt_head.ln_f.bias": torch.full((24,), torch.inf)}, "not finite"),
}


@pytest.mark.parametrize("case", BROKEN_GPT)
def test_a_broken_gpt_is_named(
    gpt: layout.State, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    change, message = BROKEN_GPT[case]
    path = save(change(gpt), tmp_path / "x.pt")
    error = refused([str(files[0]), str(path)], capsys, tmp_path / "model")
    assert message in error and str(path) in error


def test_a_wrong_number_of_files_or_the_same_twice(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codebooks, gpt = map(str, files)
    out = tmp_path / "model"
    assert "2 files" in refused([codebooks], capsys, out)
    assert "2 files" in refused([codebooks, gpt, gpt], capsys, out)
    assert "both hold" in refused([gpt, gpt], capsys, out)
    assert "both hold" in refused([codebooks, codebooks], capsys, out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--start", "423", "12", "--heads", "3"], "0 to 31"),
        (["--start", "-1", "12", "--heads", "3"], "0 to 31"),
        (["--start", "5", "12", "--heads", "0"], "at least 1 head"),
        (["--start", "5", "12", "--heads", "5"], "5 heads"),
        (["--start", "5"], "expected 2 arguments"),
    ],
)
def test_options_that_do_not_fit(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["convert", "bailando", *map(str, files), "-o", str(tmp_path / "model"), *options]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_kind_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "tango", "x.pt", "-o", str(tmp_path)]) == 2
    assert "bailando" in capsys.readouterr().err


def test_a_state_dict_alone_is_enough(codebooks: layout.State) -> None:
    wrapped = {"model": {f"module.{name}": value for name, value in codebooks.items()}}
    one, other = bailando_codebook_weights(codebooks), bailando_codebook_weights(wrapped)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_gpt_weights_load_without_the_codebooks(gpt: layout.State) -> None:
    config = GPTConfig(438, codes=32, width=24, layers=3, heads=3, positions="learned")
    network = torch.nn.ModuleDict({"gpt": CrossConditionalGPT(config)})
    network.load_state_dict(bailando_gpt_weights(gpt), strict=True)


def test_edge_becomes_a_folder_that_dances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig(width=16, heads=8, layers=1, feedforward=8, music_layers=1, frames=8))
    original = {f"module.{edge_name(name)}": value for name, value in network.state_dict().items()}
    normalizer = SimpleNamespace(scaler=SimpleNamespace(min_=torch.zeros(151), scale_=torch.ones(151) / 2))
    system = edge_system({"ema_state_dict": original, "normalizer": normalizer})
    for name, value in network.state_dict().items():
        assert torch.equal(value, system.denoiser.state_dict()[name])
    assert torch.equal(system.scaling.low, torch.full((151,), -2.0)) and system.config.up == "z"
    save_pretrained(system, tmp_path)
    features = feature_set("jukebox")
    music = MusicFeatures(np.zeros((4, features.dimension), np.float32), features, Beats(np.zeros(0), np.zeros(0), 0.0))
    sampling = DiffusionSampling(steps=2)
    assert len(from_pretrained(tmp_path).dance(music, sampling=sampling)) == 16


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"model": {}}, "no ema_state_dict"),
        ({"ema_state_dict": {"x": torch.zeros(1)}, "normalizer": None}, "input_projection.weight is missing"),
    ],
)
def test_a_checkpoint_of_something_else_is_no_edge(
    content: dict[str, Any], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, tmp_path / "x.pt")
    assert main(["convert", "edge", str(tmp_path / "x.pt"), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "is not a checkpoint of EDGE" in error and sentence in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
