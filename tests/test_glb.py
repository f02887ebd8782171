"""The dance as a glTF file: joints, skin and colours are those of the motion and the body, in others' readers too."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from web.browser import issues, packages, play
from web.rig import Rig

from duende.errors import DuendeError
from duende.formats.anatomy import PALETTE
from duende.formats.body import load_body
from duende.formats.glb import write_glb
from duende.formats.gltf.document import Document, read_document
from duende.motion import SMPL24, Motion, Skeleton

FRAMES = (0, 1, 57, 120, 239)


@pytest.fixture
def written(wavy_motion: Motion, tmp_path: Path) -> Document:
    write_glb(wavy_motion, tmp_path / "dance.glb", "Wave")
    return read_document(tmp_path / "dance.glb")


def parts() -> Iterator[np.ndarray]:
    """Numbers of the body's vertices in each part of the file's mesh."""
    for colour in PALETTE.values():
        yield np.flatnonzero((load_body().colours == colour).all(axis=1))


def output(document: Document, name: str, path: str) -> np.ndarray | None:
    """Values of the channel that moves a node, if there is one."""
    animation = document.json["animations"][0]
    for channel in animation["channels"]:
        target = channel["target"]
        if document.json["nodes"][target["node"]]["name"] == name and target["path"] == path:
            return document.array(animation["samplers"][channel["sampler"]]["output"])
    return None


def test_joints_go_where_the_motion_goes(wavy_motion: Motion, written: Document) -> None:
    rig = Rig(written)
    for frame in FRAMES:
        assert np.abs(rig.at(frame).places(SMPL24.names) - wavy_motion.positions[frame]).max() < 1e-4


def test_skin_goes_with_them(wavy_motion: Motion, written: Document) -> None:
    rig, body = Rig(written), load_body()
    normals = body.skin_normals(wavy_motion.cropped(57, 58))[0]
    for frame in FRAMES:
        ours = body.skin_frame(wavy_motion, frame)
        for theirs, numbers in zip(rig.at(frame).skinned(), parts(), strict=True):
            assert np.abs(theirs - ours[numbers]).max() < 1e-4
    for theirs, numbers in zip(rig.at(57).skinned("NORMAL"), parts(), strict=True):
        assert np.abs(theirs - normals[numbers]).max() < 1e-3


def test_all_of_the_body_is_there_and_its_outside_is_outside(written: Document) -> None:
    volume, count = 0.0, 0
    for primitive in written.json["meshes"][0]["primitives"]:
        places = written.array(primitive["attributes"]["POSITION"]).astype(float)
        normals = written.array(primitive["attributes"]["NORMAL"])
        corners = places[written.array(primitive["indices"]).reshape(-1, 3)]
        volume += np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
        count += len(corners)
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        outwards = normals[written.array(primitive["indices"]).reshape(-1, 3)].sum(axis=1)
        assert ((faces * outwards).sum(axis=1) > 0).mean() > 0.99
    assert count == len(load_body().triangles)
    assert volume == pytest.approx(0.0746, abs=0.001)


def test_weights_are_whole_and_idle_slots_empty(written: Document) -> None:
    for primitive in written.json["meshes"][0]["primitives"]:
        weights = written.array(primitive["attributes"]["WEIGHTS_0"])
        joints = written.array(primitive["attributes"]["JOINTS_0"])
        assert np.abs(weights.sum(axis=1) - 1).max() < 1e-6
        assert joints.max() < 24 and not joints[weights == 0].any()


def test_colours_are_linear(written: Document) -> None:
    for material, (name, colour) in zip(written.json["materials"], PALETTE.items(), strict=True):
        linear = np.array(material["pbrMetallicRoughness"]["baseColorFactor"][:3])
        srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        assert np.rint(255 * srgb).astype(int).tolist() == list(colour)
        assert material["name"] == name and material["pbrMetallicRoughness"]["metallicFactor"] == 0


def test_scene_is_in_order(written: Document) -> None:
    figure, mesh = (written.json["nodes"][number] for number in written.json["scenes"][0]["nodes"])
    skin = written.json["skins"][0]
    assert figure["name"] == "duende" and figure["children"] == [skin["joints"][0]]
    assert [written.json["nodes"][number]["name"] for number in skin["joints"]] == list(SMPL24.names)
    assert mesh == {"name": "body", "mesh": 0, "skin": 0}
    assert written.json["animations"][0]["name"] == "Wave"
    assert "copyright" not in written.json["asset"]
    assert not any("scale" in node or "rotation" in node for node in written.json["nodes"])


def test_rest_is_the_t_pose_standing_on_the_floor(written: Document) -> None:
    rig = Rig(written)
    ground = np.array([0.0, SMPL24.rest_height + load_body().sole, 0.0])
    assert np.allclose(rig.places(SMPL24.names), SMPL24.rest_positions + ground, atol=1e-6)
    assert np.allclose(rig.moves(), np.eye(4), atol=1e-6)
    assert min(part[:, 1].min() for part in rig.skinned()) == pytest.approx(0, abs=1e-6)


def test_keys_are_at_the_frames(wavy_motion: Motion, tmp_path: Path) -> None:
    write_glb(replace(wavy_motion, fps=29.97), tmp_path / "dance.glb")
    document = read_document(tmp_path / "dance.glb")
    samplers = document.json["animations"][0]["samplers"]
    (shared,) = {sampler["input"] for sampler in samplers}
    assert np.abs(document.array(shared) - np.arange(240) / 29.97).max() < 1e-6
    assert document.json["accessors"][shared]["min"] == [0.0]
    assert document.json["accessors"][shared]["max"] == pytest.approx([239 / 29.97])
    assert {sampler["interpolation"] for sampler in samplers} == {"LINEAR"}


def test_quaternions_are_unit_and_never_jump(wavy_motion: Motion, tmp_path: Path) -> None:
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (240, 24, 1))
    write_glb(replace(wavy_motion, rotations=1.3 * signs * wavy_motion.rotations), tmp_path / "dance.glb")
    document = read_document(tmp_path / "dance.glb")
    for name in SMPL24.names:
        turns = output(document, name, "rotation")
        assert turns is not None and turns.dtype == np.float32
        assert np.abs(np.linalg.norm(turns, axis=1) - 1).max() < 1e-6
        assert ((turns[1:] * turns[:-1]).sum(axis=1) > 0.9).all()


def test_joints_that_stay_at_rest_have_no_keys(wavy_motion: Motion, tmp_path: Path) -> None:
    rotations = wavy_motion.rotations.copy()
    rotations[:, 22] = [0.0, 0.0, 0.0, -1.0]
    rotations[:, 23] = rotations[0, 23]
    still = replace(wavy_motion, rotations=rotations)
    write_glb(still, tmp_path / "dance.glb")
    document = read_document(tmp_path / "dance.glb")
    assert output(document, "left_hand", "rotation") is None
    bent = output(document, "right_hand", "rotation")
    assert bent is not None and np.allclose(bent, rotations[0, 23], atol=1e-6)
    assert np.abs(Rig(document).at(100).places(SMPL24.names) - still.positions[100]).max() < 1e-4


def test_a_single_frame_is_a_pose(wavy_motion: Motion, tmp_path: Path) -> None:
    write_glb(wavy_motion.cropped(7, 8), tmp_path / "dance.glb")
    rig = Rig(read_document(tmp_path / "dance.glb"))
    assert np.abs(rig.at(0).places(SMPL24.names) - wavy_motion.positions[7]).max() < 1e-4


def test_a_minute_takes_less_than_two_megabytes(wavy_motion: Motion, tmp_path: Path) -> None:
    write_glb(wavy_motion.warped(np.abs((np.arange(3600) / 60) % 8 - 4)), tmp_path / "dance.glb")
    assert (tmp_path / "dance.glb").stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("title", "name"), [("Año 戦い \n🎵", "Año 戦い 🎵"), (" ", "dance"), ("a\udcffb", "a?b"), ("head", "head")]
)
def test_any_title_names_the_animation(title: str, name: str, wavy_motion: Motion, tmp_path: Path) -> None:
    write_glb(wavy_motion.cropped(0, 3), tmp_path / "dance.glb", title)
    document = read_document(tmp_path / "dance.glb")
    assert document.json["animations"][0]["name"] == document.json["scenes"][0]["name"] == name


def test_other_skeletons_are_refused(wavy_motion: Motion, tmp_path: Path) -> None:
    stick = Skeleton(("hip", "head"), (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    with pytest.raises(DuendeError, match="2 others; retarget"):
        write_glb(Motion(np.tile([0, 0, 0, 1.0], (3, 2, 1)), np.zeros((3, 3)), 60.0, stick), tmp_path / "dance.glb")
    taller = replace(SMPL24, offsets=SMPL24.offsets * 1.1)
    with pytest.raises(DuendeError, match="other lengths"):
        write_glb(replace(wavy_motion, skeleton=taller), tmp_path / "dance.glb")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told(wavy_motion: Motion, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DuendeError, match=r"cannot write .*dance.glb"):
        write_glb(wavy_motion, tmp_path / "file" / "dance.glb")


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_validator_finds_nothing(wavy_motion: Motion, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cache = packages(request.config.cache.mkdir("web"))
    write_glb(wavy_motion, tmp_path / "dance.glb")
    write_glb(wavy_motion.cropped(0, 1), tmp_path / "pose.glb", "head")
    for found in issues(cache, tmp_path / "dance.glb", tmp_path / "pose.glb"):
        assert found["messages"] == []


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_in_three_js(wavy_motion: Motion, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cache = packages(request.config.cache.mkdir("web"))
    write_glb(wavy_motion, tmp_path / "dance.glb")
    stride = 17
    job = {
        "model": "dance.glb",
        "times": [frame / 60 for frame in FRAMES],
        "bones": SMPL24.names,
        "stride": stride,
    }
    report = play(cache, {"dance.glb": tmp_path / "dance.glb"}, job)
    assert report["complaints"] == []
    assert report["duration"] == pytest.approx(239 / 60)
    chosen = np.concatenate([numbers[::stride] for numbers in parts()])
    for frame, seen in zip(FRAMES, report["frames"], strict=True):
        assert np.abs(np.array(seen["joints"]) - wavy_motion.positions[frame]).max() < 1e-3
        assert np.abs(np.array(seen["points"]) - load_body().skin_frame(wavy_motion, frame)[chosen]).max() < 1e-3


@pytest.mark.parametrize(
    ("json", "said"),
    [
        (b'{"asset": {"version": "2.0"}, "nodes": [{"translation": [NaN, 0, 0]}]}', "NaN"),
        (b'{"buffers": [3]}', "no scene"),
        (b'{"buffers": {}}', "no scene"),
        (b"[]", "no scene"),
        (b'{"extensionsUsed": ["EXT_meshopt_compression"], "buffers": [{}, {}]}', "meshopt"),
        (b'{"buffers": [{"uri": "body.bin"}]}', "other files"),
    ],
)
def test_files_that_are_no_whole_scene_are_refused(json: bytes, said: str, tmp_path: Path) -> None:
    text = json + b" " * (-len(json) % 4)
    file = tmp_path / "figure.glb"
    file.write_bytes(struct.pack("<4sII", b"glTF", 2, 20 + len(text)) + struct.pack("<I4s", len(text), b"JSON") + text)
    with pytest.raises(DuendeError, match=said):
        read_document(file)
