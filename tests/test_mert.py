"""MERT with small random weights in the layout of the hub; nothing here needs a network."""

from __future__ import annotations

import json
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from duende.audio.mert import Mert, load_mert, mert_frames, mert_rows
from duende.audio.mert.config import MertConfig
from duende.audio.mert.extraction import MARGIN, WINDOW, windows
from duende.audio.mert.network import MertEncoder
from duende.audio.song import Song
from duende.errors import DuendeError

RATE, STEP = 24_000, 320
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [12] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_bias": False,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 4,
    "do_stable_layer_norm": True,
    "layer_norm_eps": 1e-5,
    "feat_extract_norm": "group",
    "feature_extractor_cqt": False,
    "attention_relax": 32.0,
    "model_type": "mert_model",
}
POSITIONS = "encoder.pos_conv_embed.conv."
NEW = (POSITIONS + "parametrizations.weight.original0", POSITIONS + "parametrizations.weight.original1")
OLD = (POSITIONS + "weight_g", POSITIONS + "weight_v")


def published_tensors(shape: dict[str, object], names: tuple[str, str] = NEW, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights under the names of the hub, with what the pre-training leaves beside the encoder."""
    torch.manual_seed(seed)
    encoder = MertEncoder(MertConfig.from_hub(shape, "test"))
    for name, parameter in encoder.named_parameters():
        with torch.no_grad():
            parameter.add_(0.1 * torch.randn_like(parameter))
            parameter.mul_(3.0 if "conv_layers" in name else 1.0)
    tensors = {name: value.clone() for name, value in encoder.state_dict().items()}
    direction = tensors.pop(POSITIONS + "weight")
    tensors[names[0]], tensors[names[1]] = direction.norm(dim=(0, 1), keepdim=True), 2 * direction
    return {**tensors, "masked_spec_embed": torch.rand(32), "final_proj.0.weight": torch.rand(4, 32)}


def written(
    folder: Path,
    tensors: dict[str, torch.Tensor] | None = None,
    preprocessor: dict[str, object] | None = None,
    **changes: object,
) -> Path:
    """Write a folder as ``hf download`` would make it."""
    folder.mkdir(exist_ok=True)
    shape = {**SHAPE, **changes}
    (folder / "config.json").write_text(json.dumps(shape))
    values = {"do_normalize": True, "sampling_rate": RATE} if preprocessor is None else preprocessor
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    save_file(published_tensors(shape) if tensors is None else tensors, folder / "model.safetensors")
    return folder


def noise(frames: float, seed: int = 0) -> Song:
    return Song(np.random.default_rng(seed).normal(0, 0.1, round(frames * STEP)).astype(np.float32), RATE)


def in_one_pass(song: Song, mert: Mert) -> np.ndarray:
    """The whole song at once, without windows."""
    sound = song.samples.astype(np.float64)
    if mert.normalise:
        sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    padded = np.pad(sound, 40).astype(np.float32)
    with torch.inference_mode():
        return mert.encoder(torch.from_numpy(padded)[None])[0].float().numpy()


def apart(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second) / np.linalg.norm(second))


@pytest.fixture(scope="module")
def mert(tmp_path_factory: pytest.TempPathFactory) -> Mert:
    return load_mert(written(tmp_path_factory.mktemp("mert")), precision="float32")


# The network


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_agrees_with_transformers(tmp_path: Path, norm_first: bool, kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    shape = {**SHAPE, "do_stable_layer_norm": norm_first, "layer_norm_eps": 1e-3}
    torch.manual_seed(1)
    model = transformers.HubertModel(transformers.HubertConfig(**{**shape, "model_type": "hubert"})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    folder = written(tmp_path, tensors, **shape)
    if kind == "bin":
        (folder / "model.safetensors").unlink()
        renamed = {dict(zip(NEW, OLD, strict=True)).get(name, name): value for name, value in tensors.items()}
        torch.save(renamed, folder / "pytorch_model.bin")
    mine = load_mert(folder, precision="float32")
    sound = torch.randn(2, 20_000)
    with torch.inference_mode():
        expected, found = model(sound).last_hidden_state, mine.encoder(sound)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize(
    ("shape", "millions"),
    [
        ({"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}, 315.4),
        ({}, 94.4),
    ],
)
def test_published_sizes_have_the_known_number_of_parameters(shape: dict[str, int], millions: float) -> None:
    with torch.device("meta"):
        encoder = MertEncoder(MertConfig.from_hub({**shape, "model_type": "mert_model"}, "test"))
    assert sum(parameter.numel() for parameter in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)


# Time


@pytest.mark.parametrize(
    ("seconds", "rate"),
    [
        *((seconds, RATE) for seconds in (0.0, 1 / RATE, 0.05, 2 / 15, 0.134, 1.0, 4.0, 5.0, 5.12, 5.13, 8.54, 20.0)),
        *((seconds, 44_100) for seconds in (0.0, 1 / 44_100, 1.0, 5.12, 8.6)),
    ],
)
def test_seventy_five_frames_a_second(mert: Mert, seconds: float, rate: int) -> None:
    song = Song(np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32), rate)
    rows = max(1, int(np.ceil(7.5 * song.duration - 1e-6)))
    frames = mert_frames(song, mert)
    assert frames.shape == (10 * rows, 32) and frames.dtype == np.float32 and np.isfinite(frames).all()
    table = mert_rows(song, mert)
    assert table.shape == (rows, 320) and table.dtype == np.float16
    assert np.array_equal(table.reshape(-1, 32), frames.astype(np.float16))
    assert np.array_equal(table[-1, 32:64], frames[10 * rows - 9].astype(np.float16))


@pytest.mark.parametrize("frame", [0, 1, 100, 319, 320, 321, 500, 575, 576, 899])
def test_a_click_is_heard_in_the_frame_of_its_time(mert: Mert, frame: int) -> None:
    song = noise(900)
    clicked = song.samples.copy()
    clicked[round((frame + 0.5) / 75 * RATE) - 3 :][:6] += 3.0
    change = np.linalg.norm(mert_frames(Song(clicked, RATE), mert) - mert_frames(song, mert), axis=1)
    assert int(change.argmax()) == frame


def test_a_later_beginning_shifts_the_features(mert: Mert) -> None:
    long = noise(301)
    earlier = mert_frames(Song(long.samples[: 300 * STEP], RATE), mert)
    later = mert_frames(Song(long.samples[STEP:], RATE), mert)
    inside = slice(70, 230)
    assert apart(later[69:229], earlier[inside]) < 0.02
    assert apart(later[70:230], earlier[inside]) > 0.1 and apart(later[68:228], earlier[inside]) > 0.1


def test_silence_and_one_loud_sample(mert: Mert) -> None:
    assert np.isfinite(mert_frames(Song(np.zeros(200_000, np.float32), RATE), mert)).all()
    spike = np.zeros(200_000, np.float32)
    spike[100_000] = 1.0
    assert np.isfinite(mert_rows(Song(spike, RATE), mert)).all()


# Windows


@pytest.mark.parametrize("frames", [10, 380, 384, 385, 390, 639, 640, 641, 650, 896, 900, 45_000])
def test_windows_are_full_and_keep_each_frame_once(frames: int) -> None:
    cuts = windows(frames)
    kept = np.concatenate([np.arange(first, last) for _, first, last in cuts])
    assert kept.tolist() == list(range(frames))
    length = min(WINDOW, frames)
    for start, first, last in cuts:
        assert start >= 0 and start + length <= frames
        assert first == 0 or first - start >= MARGIN
        assert last == frames or start + length - last >= MARGIN


def test_a_song_of_one_window_is_heard_in_one_pass(mert: Mert) -> None:
    for frames in (30, 380):
        assert apart(mert_frames(noise(frames), mert), in_one_pass(noise(frames), mert)) < 1e-5


def test_seams_are_no_worse_than_what_lies_between(mert: Mert) -> None:
    song = noise(1500)
    windowed, whole = mert_frames(song, mert), in_one_pass(song, mert)
    assert apart(windowed, whole) < 0.05
    seams = np.array([first for _, first, _ in windows(1500)][1:])
    near = (seams[:, None] + np.arange(-2, 2)).ravel()
    error = np.linalg.norm(windowed - whole, axis=1)
    assert error[near].mean() < 1.5 * np.delete(error, near).mean()
    step = np.linalg.norm(np.diff(windowed, axis=0), axis=1)
    assert step[seams - 1].mean() < 1.3 * np.delete(step, seams - 1).mean()


def test_memory_follows_the_batch_not_the_song(mert: Mert, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    hook = mert.encoder.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape)))
    told: list[tuple[int, int]] = []
    try:
        few = mert_frames(noise(1900), mert, progress=lambda done, total: told.append((done, total)), batch=2)
    finally:
        hook.remove()
    assert seen == [(2, WINDOW * STEP + 80)] * 3 + [(1, WINDOW * STEP + 80)]
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    assert apart(mert_frames(noise(1900), mert, batch=5), few) < 1e-5


# Loudness


def test_loudness_is_that_of_the_whole_song(mert: Mert) -> None:
    song = noise(900)
    again = Song(song.samples * np.float32(0.05) + np.float32(0.2), RATE)
    assert apart(mert_frames(again, mert)[5:-5], mert_frames(song, mert)[5:-5]) < 1e-3
    heard: list[float] = []
    hook = mert.encoder.register_forward_pre_hook(lambda _, given: heard.extend(given[0].std(dim=1).tolist()))
    try:
        mert_frames(Song(song.samples * np.where(np.arange(900 * STEP) < 450 * STEP, 0.1, 1.0), RATE), mert)
    finally:
        hook.remove()
    assert heard[0] < 0.3 and heard[-1] > 1.2


def test_normalisation_follows_the_preprocessor(tmp_path: Path) -> None:
    raw = load_mert(written(tmp_path / "a", preprocessor={"do_normalize": False}), precision="float32")
    assert not raw.normalise
    assert apart(mert_frames(noise(100), raw), in_one_pass(noise(100), raw)) < 1e-5
    folder = written(tmp_path / "b")
    (folder / "preprocessor_config.json").unlink()
    assert load_mert(folder).normalise


# Precision


def test_bfloat16_is_near_float32(tmp_path: Path, mert: Mert) -> None:
    lower = load_mert(written(tmp_path), precision="bfloat16")
    assert lower.precision == torch.bfloat16 and mert.precision == torch.float32
    assert lower.identity == mert.identity
    error = apart(mert_frames(noise(400), lower), mert_frames(noise(400), mert))
    assert 1e-5 < error < 0.03
    kinds = {parameter.dtype for name, parameter in lower.encoder.named_parameters() if "norm" in name}
    assert kinds == {torch.float32}


@pytest.mark.parametrize("fast", [True, False])
def test_auto_asks_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: fast, raising=False)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False, raising=False)
    assert load_mert(written(tmp_path)).precision == (torch.bfloat16 if fast else torch.float32)


def test_unknown_precision_and_device_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match="precision is auto, float32 or bfloat16, got 'int8'"):
        load_mert(written(tmp_path), precision="int8")
    for device in ("toaster", "cuda:77"):
        with pytest.raises(DuendeError, match=f"device '{device}' is not available"):
            load_mert(tmp_path, device=device)


# Weights


def test_identity_is_that_of_the_weights_not_of_their_file(tmp_path: Path, mert: Mert) -> None:
    folder = written(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save(published_tensors(SHAPE, OLD), folder / "pytorch_model.bin")
    old = load_mert(folder, precision="float32")
    assert old.identity == mert.identity and old.width == 32
    assert np.array_equal(mert_frames(noise(50), old), mert_frames(noise(50), mert))


def test_identity_differs_for_other_weights_and_settings(tmp_path: Path, mert: Mert) -> None:
    tensors = published_tensors(SHAPE)
    tensors["encoder.layers.1.attention.k_proj.bias"][3] += 1e-3
    others = [
        load_mert(written(tmp_path, tensors)),
        load_mert(written(tmp_path, layer_norm_eps=1e-4)),
        load_mert(written(tmp_path, do_stable_layer_norm=False)),
        load_mert(written(tmp_path, preprocessor={"do_normalize": False})),
    ]
    assert len({mert.identity, *(other.identity for other in others)}) == 5
    tensors = {**published_tensors(SHAPE), "masked_spec_embed": torch.zeros(32)}
    assert load_mert(written(tmp_path, tensors)).identity == mert.identity


def test_an_old_pickle_without_zip_is_read(tmp_path: Path, mert: Mert) -> None:
    folder = written(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save(published_tensors(SHAPE, OLD), folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(folder / "pytorch_model.bin")
    assert load_mert(folder).identity == mert.identity


@pytest.mark.parametrize(
    "name",
    [
        NEW[0],
        NEW[1],
        POSITIONS + "bias",
        "encoder.layers.2.final_layer_norm.bias",
        "feature_projection.layer_norm.weight",
    ],
)
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    tensors = published_tensors(SHAPE)
    del tensors[name]
    with pytest.raises(DuendeError, match=f"lacks the tensor {name}"):
        load_mert(written(tmp_path, tensors))


def test_tensors_that_do_not_fit_are_named(tmp_path: Path) -> None:
    tensors = published_tensors(SHAPE)
    name = "encoder.layers.0.attention.q_proj.weight"
    with pytest.raises(DuendeError, match=rf"{name} has shape \(32, 31\), but config.json asks for \(32, 32\)"):
        load_mert(written(tmp_path, {**tensors, name: torch.zeros(32, 31)}))
    with pytest.raises(DuendeError, match=f"{name} holds numbers that are not finite"):
        load_mert(written(tmp_path, {**tensors, name: torch.full((32, 32), torch.nan)}))
    with pytest.raises(DuendeError, match=r"a tensor encoder\.layers\.3\.layer_norm\.bias that MERT has not"):
        load_mert(written(tmp_path, {**tensors, "encoder.layers.3.layer_norm.bias": torch.zeros(32)}))
    with pytest.raises(DuendeError, match=r"lacks the tensor encoder\.layers\.3\."):
        load_mert(written(tmp_path, tensors, num_hidden_layers=4))


class Trap:
    """What a malicious pickle holds: opening it with trust makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("kind", ["torch", "pickle"])
def test_a_malicious_pickle_is_not_executed(tmp_path: Path, kind: str) -> None:
    folder = written(tmp_path)
    (folder / "model.safetensors").unlink()
    content = {**published_tensors(SHAPE, OLD), "trap": Trap(tmp_path / "sprung")}
    if kind == "torch":
        torch.save(content, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DuendeError, match=r"pytorch_model\.bin holds more than tensors and was not loaded"):
        load_mert(folder)
    assert not (tmp_path / "sprung").exists()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    whole = (folder / "model.safetensors").read_bytes()
    for damaged in (b"", whole[:2000], whole[:-100]):
        (folder / "model.safetensors").write_bytes(damaged)
        with pytest.raises(DuendeError, match=r"model\.safetensors cannot be read as weights"):
            load_mert(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DuendeError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_mert(folder)
    torch.save(published_tensors(SHAPE, OLD), folder / "pytorch_model.bin")
    whole = (folder / "pytorch_model.bin").read_bytes()
    for damaged in (b"", b"version https://git-lfs.github.com/spec/v1\n", whole[: len(whole) // 2]):
        (folder / "pytorch_model.bin").write_bytes(damaged)
        with pytest.raises(DuendeError, match=r"pytorch_model\.bin (cannot be read|holds more)"):
            load_mert(folder)
    for other in ([torch.zeros(3)], {"model": {"a": torch.zeros(3)}}):
        torch.save(other, folder / "pytorch_model.bin")
        with pytest.raises(DuendeError, match="not a plain list of named tensors"):
            load_mert(folder)


# Configuration


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"feature_extractor_cqt": True}, "feature_extractor_cqt is True, but only False"),
        ({"deepnorm": True}, "deepnorm is True"),
        ({"feat_extract_norm": "layer"}, "feat_extract_norm is 'layer', but only 'group'"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"num_attention_heads": 5}, "multiple of num_attention_heads"),
        ({"num_attention_heads": 0}, "sizes must be positive"),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, "step 320 samples"),
        ({"conv_kernel": [10, 3, 3, 3, 3, 2]}, "step 320 samples"),
        ({"conv_kernel": [10, 3, 3, 3, 3, 3, 2]}, "see 400"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    folder = written(tmp_path)
    (folder / "config.json").write_text(json.dumps({**SHAPE, **changes}))
    with pytest.raises(DuendeError, match=said) as raised:
        load_mert(folder)
    assert str(folder / "config.json") in str(raised.value)


def test_files_that_are_no_json_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    for name in ("preprocessor_config.json", "config.json"):
        for text, said in (("{", "is not JSON"), ("[]", "no JSON object")):
            (folder / name).write_text(text)
            with pytest.raises(DuendeError, match=rf"{name} .*{said}|{name} {said}"):
                load_mert(folder)
        (folder / name).unlink()
    with pytest.raises(DuendeError, match=r"cannot read .*config\.json"):
        load_mert(folder)


def test_another_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match=r"sampling_rate 24000 .* got 16000"):
        load_mert(written(tmp_path, preprocessor={"sampling_rate": 16_000, "do_normalize": True}))


# Hub


def test_a_folder_that_is_not_there_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DuendeError, match="no folder weights/mert with MERT's weights; name one, or 330M or 95M"):
        load_mert("weights/mert")


def test_without_the_library_the_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        DuendeError, match=r"m-a-p/MERT-v1-95M needs huggingface_hub.*hf download m-a-p/MERT-v1-95M .* give that folder"
    ):
        load_mert("95M")


def test_without_a_network_the_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bool] = []

    def refuse(name: str, *, allow_patterns: list[str], local_files_only: bool) -> str:
        tried.append(local_files_only)
        raise ConnectionError(name)

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=refuse))
    with pytest.raises(DuendeError, match=r"MERT-v1-330M is not in the .* cache .*\(ConnectionError\).*hf download"):
        load_mert("330M")
    assert tried[0] is True and False in tried


@pytest.mark.parametrize("kept", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("cached", [True, False])
def test_weights_come_from_the_cache_or_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mert: Mert, kept: str, cached: bool
) -> None:
    store = written(tmp_path / "store")
    if kept == "pytorch_model.bin":
        torch.save(load_file(store / "model.safetensors"), store / kept)
        (store / "model.safetensors").unlink()
    here = tmp_path / "here"
    here.mkdir()
    online: list[list[str]] = []

    def snapshot(name: str, *, allow_patterns: list[str], local_files_only: bool) -> str:
        assert name == "m-a-p/MERT-v1-330M"
        if not local_files_only:
            online.append(allow_patterns)
        if cached or not local_files_only:
            for path in store.iterdir():
                if path.name in allow_patterns:
                    (here / path.name).write_bytes(path.read_bytes())
        return str(here)

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot))
    assert load_mert("330M").identity == mert.identity
    assert bool(online) is not cached
    assert all(len({"model.safetensors", "pytorch_model.bin"} & set(patterns)) == 1 for patterns in online)
