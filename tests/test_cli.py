"""The command line end to end, with good and bad input."""

from __future__ import annotations

import argparse
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.spatial.transform import Rotation

from duende.cli.main import main
from duende.cli.sampling import add_sampling_arguments, chosen_sampling
from duende.formats.body import load_body
from duende.formats.bvh import read_bvh
from duende.formats.gltf.document import read_document
from duende.formats.npz import read_npz, write_npz
from duende.formats.writers import FORMATS
from duende.models.sampling import Sampling
from duende.motion import SMPL24, Motion


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("song") / "Mi canción.wav"
    rate = 22_050
    at = np.arange(4 * rate) / rate
    beat = np.exp(-20 * (at % 0.5)) * np.sin(6.28 * 220 * at)
    soundfile.write(path, np.stack([beat, beat], axis=1) * 0.5, rate)
    return path


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_a_song_becomes_all_files(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dance", song, "--out", tmp_path, "--model", "debug", "--seconds", 2) == 0
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == sorted(f"Mi canción.{entry.name}" for entry in FORMATS.values() if entry.usual)
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)
    motion = read_npz(tmp_path / "Mi canción.npz")
    assert len(motion) == 120


def test_files_stand_on_the_same_floor_their_soles_at_height_0(song: Path, tmp_path: Path) -> None:
    common = ("--model", "debug", "--seconds", 3, "--formats", "npz,bvh,glb")
    assert run("dance", song, "-o", tmp_path, *common) == 0
    motion = read_npz(tmp_path / "Mi canción.npz")
    body = load_body()
    lowest = motion.positions[:, list(SMPL24.feet), 1].min(axis=1)
    assert np.percentile(lowest, 20) == pytest.approx(body.sole, abs=0.01)
    other = read_bvh(tmp_path / "Mi canción.bvh")
    np.testing.assert_allclose(other.root / 100, motion.root, atol=1e-4)
    figure = read_document(tmp_path / "Mi canción.glb")
    moves = next(c for c in figure.json["animations"][0]["channels"] if c["target"]["path"] == "translation")
    place = figure.array(figure.json["animations"][0]["samplers"][moves["sampler"]]["output"])
    np.testing.assert_allclose(place, motion.root, atol=1e-4)


def test_bvh_files_are_in_the_unit_that_is_asked_for(song: Path, tmp_path: Path) -> None:
    heights = {}
    for unit in ("cm", "m"):
        common = ("--model", "debug", "--seconds", 2, "--formats", "bvh", "--bvh-unit", unit)
        assert run("dance", song, "-o", tmp_path / unit, *common) == 0
        heights[unit] = read_bvh(tmp_path / unit / "Mi canción.bvh").root[:, 1]
    np.testing.assert_allclose(heights["cm"], 100 * heights["m"], atol=1e-2)


def test_a_character_dances_in_its_own_file(song: Path, tmp_path: Path, shared_data: Path) -> None:
    rig = shared_data / "characters" / "human-male.glb"
    common = ("--model", "debug", "--seconds", 2, "--character", rig, "-o", tmp_path)
    assert run("dance", song, *common, "--formats", "glb,bvh,npz,vrma") == 0
    names = {node.get("name") for node in read_document(rig).json["nodes"]}
    figure = read_document(tmp_path / "Mi canción.glb")
    assert {node.get("name") for node in figure.json["nodes"]} == names
    assert len(figure.json["animations"]) == 1
    thigh = read_bvh(tmp_path / "Mi canción.bvh").skeleton
    length = np.linalg.norm(thigh.offsets[thigh.index("left_knee")]) / 100
    assert length != pytest.approx(np.linalg.norm(SMPL24.offsets[SMPL24.index("left_knee")]), abs=0.01)


def test_the_same_seed_gives_the_same_dance(song: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 4), ("b", 4), ("c", 5)):
        assert run("dance", song, "-o", tmp_path / folder, "--model", "debug", "--formats", "npz", "--seed", seed) == 0
    first, again, other = ((tmp_path / folder / "Mi canción.npz").read_bytes() for folder in "abc")
    assert first == again != other


def test_silence_and_a_very_short_song_still_get_a_dance(tmp_path: Path) -> None:
    for name, samples in (("silence", np.zeros(44_100)), ("short", np.sin(np.arange(4410)))):
        soundfile.write(tmp_path / f"{name}.wav", samples, 22_050)
        assert run("dance", tmp_path / f"{name}.wav", "-o", tmp_path, "--model", "debug", "--formats", "bvh,npz") == 0
        assert len(read_npz(tmp_path / f"{name}.npz")) == round(len(samples) / 22_050 * 60)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_song_is_danced_in_each_precision(song: Path, tmp_path: Path, precision: str) -> None:
    common = ("--model", "debug", "--seconds", 2, "--formats", "npz", "--device", "cpu", "--compile", "off")
    assert run("dance", song, "-o", tmp_path, *common, "--precision", precision) == 0
    assert len(read_npz(tmp_path / "Mi canción.npz")) == 120


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert run(*arguments) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("duende: ")
    return message


def test_mistakes_about_characters_and_formats_end_in_one_sentence(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("dance", song, "-o", tmp_path / "out", "--model", "debug", "--seconds", 2)
    assert "add --character" in fails(capsys, *common, "--bones", "names.yaml")
    assert "no file" in fails(capsys, *common, "--character", tmp_path / "nobody.glb")
    assert "not a binary glTF" in fails(capsys, *common, "--character", song)
    huge = tmp_path / "huge.glb"
    with huge.open("wb") as file:
        file.truncate(2 * 2**30)
    assert "2048 MiB" in fails(capsys, *common, "--character", huge)
    monkeypatch.setenv("DUENDE_BLENDER", str(tmp_path / "no-blender"))
    assert "needs Blender" in fails(capsys, *common, "--formats", "fbx")
    assert not (tmp_path / "out").exists()


def test_mistakes_end_in_one_sentence(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "words.mp3"
    text.write_text("this is no song\n" * 50)
    empty = tmp_path / "empty.wav"
    empty.touch()
    out = tmp_path / "out"
    common = ("--out", out, "--model", "debug")
    assert "words.mp3" in fails(capsys, "dance", text, *common)
    assert "empty.wav" in fails(capsys, "dance", empty, *common)
    assert "nowhere.mp3" in fails(capsys, "dance", tmp_path / "nowhere.mp3", *common)
    assert "mp4, html" in fails(capsys, "dance", song, *common, "--formats", "gif")
    assert "polka" in fails(capsys, "dance", song, *common, "--style", "polka")
    assert "--seconds" in fails(capsys, "dance", song, *common, "--seconds", "-3")
    assert "--temperature" in fails(capsys, "dance", song, *common, "--temperature", "-1")
    assert "candidate" in fails(capsys, "dance", song, *common, "--candidates", "0")
    assert "choose among cpu" in fails(capsys, "dance", song, *common, "--device", "cuda:99")
    assert "int8" in fails(capsys, "dance", song, "--out", out, "--model", "edge", "--precision", "int8")
    assert "music_dropout" in fails(capsys, "dance", song, *common, "--guidance", "2")
    assert "no model" in fails(capsys, "dance", song, "--out", out, "--model", tmp_path / "none")
    assert "--help" in fails(capsys, "dance", song, "--surprise")
    assert "no recipe" in fails(capsys, "train", tmp_path / "none.yaml", "--data", tmp_path)
    assert not list(out.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert "cannot write" in fails(capsys, "dance", song, "--out", tmp_path, "--model", "debug")


def test_a_file_in_place_of_the_folder_is_named(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").touch()
    assert "taken" in fails(capsys, "dance", song, "--out", tmp_path / "taken", "--model", "debug")


def test_a_full_disk_leaves_nothing_behind(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    monkeypatch.setattr(np, "savez", full)
    message = fails(capsys, "dance", song, "--out", tmp_path, "--model", "debug", "--formats", "npz")
    assert "no space left" in message
    assert not list(tmp_path.iterdir())


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("dance", "train", "data", "compare", "evaluate", "reproduce", "figures", "study", "info"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert "usage" in capsys.readouterr().out


def test_info_names_the_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "--model", "debug") == 0
    assert "calm, lively" in capsys.readouterr().out


def test_what_the_options_do_not_say_the_model_says() -> None:
    usual = Sampling(temperature=0.7, top_k=9, guidance=1.5, candidates=4)
    parser = argparse.ArgumentParser()
    add_sampling_arguments(parser)
    assert chosen_sampling(parser.parse_args([]), usual) == usual
    said = chosen_sampling(parser.parse_args(["--top-k", "0", "--candidates", "1"]), usual)
    assert said == Sampling(temperature=0.7, top_k=None, guidance=1.5, candidates=1)


def test_dances_with_a_tempo_in_their_names_are_put_to_the_test(
    tmp_path: Path, wavy_motion: Motion, capsys: pytest.CaptureFixture[str]
) -> None:
    poses = Rotation.from_quat(wavy_motion.rotations.reshape(-1, 4)).as_rotvec().reshape(len(wavy_motion), 72)
    takes = {"smpl_poses": poses, "smpl_trans": wavy_motion.root, "smpl_scaling": np.ones(1)}
    with (tmp_path / "gBR_sBM_cAll_d04_mBR0_ch02.pkl").open("wb") as file:
        pickle.dump(takes, file)
    write_npz(wavy_motion, tmp_path / "free.npz")
    assert run("tempo", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "mBR0" in printed and "of 1 stand out" in printed and "of 12 trials" in printed
    assert "folder" in fails(capsys, "tempo", tmp_path / "nowhere")
