"""VMD files on MMD's standard bones: played by the rules of the format, and by a runtime that is not ours."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.vmd import write_vmd
from duende.motion import SMPL24, Motion

Places = dict[str, np.ndarray]

MIDDLE = (
    ("全ての親", "", (0, 0, 0)),
    ("センター", "全ての親", (0, 8, 0)),
    ("グルーブ", "センター", (0, 8.2, 0)),
    ("腰", "グルーブ", (0, 11.74867, 0.26485)),
    ("上半身", "腰", (0, 13.30119, -0.25528)),
    ("上半身2", "上半身", (0, 14.39211, -0.16593)),
    ("首", "上半身2", (0, 16.4181, 0)),
    ("頭", "首", (0, 16.7985, 0)),
    ("下半身", "腰", (0, 13.24258, -0.25527)),
)
SIDE = (
    ("肩", "上半身2", (0.136362, 16.12999, 0.264887)),
    ("腕", "左肩", (0.890767, 15.68909, 0.31783)),
    ("腕捩", "左腕", (1.844493, 15.36798, 0.304996)),
    ("ひじ", "左腕捩", (3.590635, 14.14799, 0.281569)),
    ("手捩", "左ひじ", (4.036135, 13.78235, 0.275864)),
    ("手首", "左手捩", (5.269572, 12.72503, 0.272019)),
    ("中指１", "左手首", (6.14739, 11.96306, 0.229678)),
    ("足", "下半身", (0.796811, 10.75273, -0.072743)),
    ("ひざ", "左足", (0.673676, 5.927077, -0.053481)),
    ("足首", "左ひざ", (0.875424, 1.34, 0)),
    ("つま先", "左足首", (0.928699, 0, -2.463567)),
    ("足ＩＫ", "全ての親", (0.875424, 1.34, 0)),
    ("つま先ＩＫ", "左足ＩＫ", (0.928699, 0, -2.463567)),
)
"""Standard and semi-standard bones of the model that MMD comes with: name, parent, place at rest; of the left side."""
BONES = (
    *MIDDLE,
    *(
        (f"{side}{name}", parent.replace("左", side), (sign * x, y, z))
        for side, sign in (("左", 1), ("右", -1))
        for name, parent, (x, y, z) in SIDE
    ),
)
NAMES = [name for name, _, _ in BONES]
REST = np.array([place for _, _, place in BONES], dtype=float)
LEG = float(
    np.linalg.norm(np.diff(REST[[NAMES.index(f"左{name}") for name in ("足", "ひざ", "足首")]], axis=0), axis=1).sum()
)
LIMBS = (("腕", "ひじ", "shoulder", "elbow"), ("ひじ", "手首", "elbow", "wrist"), ("手首", "中指１", "wrist", "hand"))
LEGS = (("足", "ひざ", "hip", "knee"), ("ひざ", "足首", "knee", "ankle"))
SIDES = (("左", "left"), ("右", "right"))
KEY = np.dtype([("bone", "S15"), ("frame", "<u4"), ("place", "<f4", 3), ("turn", "<f4", 4), ("curves", "u1", 64)])
START = 54
"""Bytes before the keys."""


def keys_of(path: Path) -> np.ndarray:
    data = path.read_bytes()
    (count,) = struct.unpack_from("<I", data, 50)
    return np.frombuffer(data, KEY, count, START)


def played(path: Path) -> Places:
    """Where each of the model's bones is in each frame, ``(T, 3)`` in MMD's units and axes, legs without IK."""
    keys = keys_of(path)
    frames = int(keys["frame"].max()) + 1
    turns: dict[str, Rotation] = {}
    places: Places = {}
    for name, parent, rest in BONES:
        own = np.sort(keys[keys["bone"] == name.encode("cp932")], order="frame")
        turn = Rotation.from_quat(own["turn"]) if len(own) else Rotation.identity(frames)
        moved = own["place"] if len(own) else np.zeros((frames, 3))
        if parent:
            turns[name] = turns[parent] * turn
            places[name] = places[parent] + turns[parent].apply(rest - REST[NAMES.index(parent)] + moved)
        else:
            turns[name], places[name] = turn, np.array(rest) + moved
    return places


def ours(motion: Motion, name: str) -> np.ndarray:
    """A joint's path in MMD's axes, metres."""
    return motion.positions[:, motion.skeleton.index(name)] * [1, 1, -1]


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    cosines = (first * second).sum(axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def leg_length(motion: Motion) -> float:
    joints = [motion.skeleton.index(name) for name in ("left_knee", "left_ankle")]
    return float(np.linalg.norm(motion.skeleton.offsets[joints], axis=1).sum())


def dances_like(motion: Motion, places: Places) -> None:
    """Arms point where the dancer's point; hips and ankles go where the dancer's go, but for one height."""
    unit = leg_length(motion) / LEG
    for sign, side in SIDES:
        for start, end, from_joint, to_joint in (*LIMBS, *LEGS):
            theirs = places[sign + end] - places[sign + start]
            off = angles(theirs, ours(motion, f"{side}_{to_joint}") - ours(motion, f"{side}_{from_joint}"))
            assert off.max() < (0.5 if (start, end, from_joint, to_joint) in LIMBS else 15.0), (sign, start)
    hips = sum(places[f"{sign}足"] * unit - ours(motion, f"{side}_hip") for sign, side in SIDES) / 2
    assert np.ptp(hips, axis=0).max() < 0.004
    assert np.abs(hips[:, [0, 2]]).max() < 0.004
    for sign, side in SIDES:
        ankle = places[f"{sign}足首"] * unit - ours(motion, f"{side}_ankle") - hips
        assert np.abs(ankle).max() < 0.01


def stepping(fps: float = 60.0, seconds: float = 3.0) -> Motion:
    """Turns round, bends its knees in turn, swings its arms, nods, and travels to its left and to its front."""
    at = np.arange(round(seconds * fps)) / fps
    angle = np.zeros((len(at), 24, 3))
    index = SMPL24.index
    angle[:, 0, 1] = 1.5 * at
    for number, side in enumerate(("left", "right")):
        bend = 0.5 * (1 - np.cos(6 * at + np.pi * number))
        angle[:, index(f"{side}_hip"), 0] = -bend
        angle[:, index(f"{side}_knee"), 0] = 1.7 * bend
        angle[:, index(f"{side}_ankle"), 0] = -0.7 * bend
        angle[:, index(f"{side}_shoulder")] = np.stack(
            [np.sin(4 * at), np.cos(3 * at), np.sin(2 * at + number)], axis=1
        )
        angle[:, index(f"{side}_elbow"), 1] = (1 - 2 * number) * (-0.8 - 0.6 * np.sin(5 * at))
        angle[:, index(f"{side}_collar"), 2] = 0.2 * np.sin(3 * at)
        angle[:, index(f"{side}_wrist"), 2] = 0.4 * np.sin(7 * at)
    for joint in ("spine1", "spine2", "spine3", "neck", "head"):
        angle[:, index(joint)] = 0.2 * np.stack([np.sin(3 * at), np.sin(2 * at), np.cos(2 * at)], axis=1)
    root = np.stack([0.5 * at, 0.9 + 0.03 * np.sin(9 * at), 0.4 * at], axis=1)
    rotations = Rotation.from_rotvec(angle.reshape(-1, 3)).as_quat().reshape(-1, 24, 4)
    return Motion(rotations, root, fps)


def test_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    write_vmd(stepping(seconds=1.0), tmp_path / "dance.vmd", "初音ミク")
    data, keys = (tmp_path / "dance.vmd").read_bytes(), keys_of(tmp_path / "dance.vmd")
    assert data[:30] == b"Vocaloid Motion Data 0002".ljust(30, b"\0")
    assert data[30:50] == "初音ミク".encode("cp932").ljust(20, b"\0")
    assert sorted(set(keys["frame"].tolist())) == list(range(30))
    bones = {bone.decode("cp932") for bone in set(keys["bone"].tolist())}
    assert bones <= set(NAMES) and len(keys) == 30 * len(bones)
    np.testing.assert_allclose(np.linalg.norm(keys["turn"], axis=1), 1, atol=1e-6)
    assert not keys["place"][keys["bone"] != "センター".encode("cp932")].any()
    tail = data[START + len(keys) * KEY.itemsize :]
    assert struct.unpack_from("<4I", tail) == (0, 0, 0, 0)
    assert struct.unpack_from("<IIBI", tail, 16) == (1, 0, 1, 4)
    switches = [struct.unpack_from("<20sB", tail, 29 + 21 * number) for number in range(4)]
    off = {name.rstrip(b"\0").decode("cp932"): enabled for name, enabled in switches}
    assert off == {"左足ＩＫ": 0, "右足ＩＫ": 0, "左つま先ＩＫ": 0, "右つま先ＩＫ": 0}
    assert len(tail) == 29 + 4 * 21


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_the_standard_model_dances_as_the_dancer_does(fps: float, tmp_path: Path) -> None:
    motion = stepping(fps)
    write_vmd(motion, tmp_path / "dance.vmd")
    dances_like(motion.resampled(30.0), played(tmp_path / "dance.vmd"))


def test_a_tall_dancer_travels_by_lengths_of_legs(tmp_path: Path) -> None:
    motion = stepping()
    tall = replace(motion, root=motion.root * 1.3, skeleton=replace(SMPL24, offsets=SMPL24.offsets * 1.3))
    write_vmd(motion, tmp_path / "dance.vmd")
    write_vmd(tall, tmp_path / "tall.vmd")
    np.testing.assert_allclose(
        keys_of(tmp_path / "tall.vmd")["place"], keys_of(tmp_path / "dance.vmd")["place"], atol=1e-4
    )


def test_toes_reach_the_floor(tmp_path: Path) -> None:
    motion = stepping()
    for lift in (0.0, 0.4):
        write_vmd(replace(motion, root=motion.root + np.array([0, lift, 0])), tmp_path / "dance.vmd")
        places = played(tmp_path / "dance.vmd")
        lowest = np.minimum(places["左つま先"][:, 1], places["右つま先"][:, 1])
        assert np.percentile(lowest, 10) == pytest.approx(0, abs=0.05)


def test_a_mirrored_dance_is_the_model_in_a_mirror(tmp_path: Path) -> None:
    motion = stepping()
    symmetric = (SMPL24.offsets + SMPL24.offsets[list(SMPL24.mirror_order)] * [-1, 1, 1]) / 2
    motion = replace(motion, skeleton=replace(SMPL24, offsets=symmetric))
    write_vmd(motion, tmp_path / "dance.vmd")
    write_vmd(motion.mirrored(), tmp_path / "mirrored.vmd")
    places, mirrored = played(tmp_path / "dance.vmd"), played(tmp_path / "mirrored.vmd")
    for name, place in places.items():
        other = name.translate(str.maketrans("左右", "右左"))
        np.testing.assert_allclose(mirrored[other], place * [-1, 1, 1], atol=1e-3)


def test_a_long_name_is_cut_between_letters(tmp_path: Path) -> None:
    write_vmd(stepping(seconds=0.1), tmp_path / "dance.vmd", "a" + "ミ" * 20 + "💃")
    name = (tmp_path / "dance.vmd").read_bytes()[30:50].rstrip(b"\0")
    assert name.decode("cp932") == "a" + "ミ" * 9


def test_a_skeleton_without_the_joints_is_refused(tmp_path: Path) -> None:
    names = tuple(name.replace("spine3", "chest") for name in SMPL24.names)
    motion = replace(stepping(seconds=0.1), skeleton=replace(SMPL24, names=names))
    with pytest.raises(DuendeError, match=r"'spine3'.*retarget"):
        write_vmd(motion, tmp_path / "dance.vmd")
    assert not list(tmp_path.iterdir())


PACKAGES = ("@babylonjs/core@9.35.0", "babylon-mmd@1.3.0", "esbuild@0.28.2")
PLAYER = """
globalThis.FileReader = class {
  readAsArrayBuffer(file) {
    file.arrayBuffer().then((result) => { this.result = result; this.onload({ target: this }); this.onloadend(); });
  }
};
import { readFileSync, writeFileSync } from "node:fs";
import { NullEngine } from "@babylonjs/core/Engines/nullEngine";
import { LoadAssetContainerAsync } from "@babylonjs/core/Loading/sceneLoader";
import { Scene } from "@babylonjs/core/scene";
import { MmdModelLoader } from "babylon-mmd/esm/Loader/mmdModelLoader.pure";
import { RegisterPmxLoader } from "babylon-mmd/esm/Loader/pmxLoader.pure";
import { VmdLoader } from "babylon-mmd/esm/Loader/vmdLoader";
import "babylon-mmd/esm/Runtime/Animation/mmdRuntimeModelAnimation";
import { MmdRuntime } from "babylon-mmd/esm/Runtime/mmdRuntime";

const [model, motion, times, answer] = process.argv.slice(2);
const bytes = (path) => new Uint8Array(readFileSync(path)).buffer;
RegisterPmxLoader();
MmdModelLoader.SharedMaterialBuilder = null;
const scene = new Scene(new NullEngine());
const container = await LoadAssetContainerAsync(new File([bytes(model)], "model.pmx"), scene);
container.addAllToScene();
const animation = await new VmdLoader(scene).loadFromBufferAsync("dance", bytes(motion));
const danced = new MmdRuntime(scene).createMmdModel(container.meshes[0], {});
danced.setRuntimeAnimation(danced.createRuntimeAnimation(animation));
const places = JSON.parse(times).map((time) => {
  danced.beforePhysics(time);
  danced.afterPhysics();
  return Object.fromEntries(danced.runtimeBones.map((bone) => [bone.name, Array.from(bone.worldMatrix.slice(12, 15))]));
});
writeFileSync(answer, JSON.stringify({ last: animation.endFrame, places }));
process.exit(0);
"""


def pmx_text(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    return struct.pack("<i", len(encoded)) + encoded


def ik_links(name: str) -> tuple[str, list[tuple[str, bool]]] | None:
    """Of an IK bone: what it pulls, and the bones that it turns, each with whether it is a knee."""
    side = name[0]
    if name.endswith("足ＩＫ"):
        return f"{side}足首", [(f"{side}ひざ", True), (f"{side}足", False)]
    return (f"{side}つま先", [(f"{side}足首", False)]) if name.endswith("つま先ＩＫ") else None


def write_model(path: Path) -> None:
    """Write the standard bones as PMX 2.0, with one triangle for a body."""
    turns, moves, shown, used, has_ik = 0x2, 0x4, 0x8, 0x10, 0x20
    parts = [b"PMX ", struct.pack("<fB8B", 2.0, 8, 0, 0, 1, 1, 1, 1, 1, 1), *[pmx_text("standard")] * 4]
    parts.append(struct.pack("<i", 3))
    for corner in ((0, 0, 0), (1, 0, 0), (0, 1, 0)):
        parts.append(struct.pack("<3f3f2fBbf", *corner, 0, 0, -1, 0, 0, 0, 0, 1))
    parts.append(struct.pack("<i3Bii", 3, 0, 1, 2, 0, 1))
    colours = struct.pack("<4f3ff3f", *[1] * 11)
    parts += [pmx_text("skin"), pmx_text(""), colours, struct.pack("<B4ffbbBBB", 0, 0, 0, 0, 1, 1, -1, -1, 0, 1, 0)]
    parts += [pmx_text(""), struct.pack("<ii", 3, len(BONES))]
    for name, parent, place in BONES:
        links = ik_links(name)
        free = name in ("全ての親", "センター", "グルーブ") or links
        flags = turns | shown | used | (moves if free else 0) | (has_ik if links else 0)
        parts += [pmx_text(name), pmx_text("")]
        parts.append(struct.pack("<3fbiH", *place, NAMES.index(parent) if parent else -1, 1 if links else 0, flags))
        parts.append(struct.pack("<3f", 0, 1, 0))
        if links:
            parts.append(struct.pack("<bifi", NAMES.index(links[0]), 40, 2.0, len(links[1])))
            for link, knee in links[1]:
                parts.append(struct.pack("<bB", NAMES.index(link), knee))
                parts.append(struct.pack("<6f", -3.1416, 0, 0, -0.0087, 0, 0) if knee else b"")
    parts.append(struct.pack("<iiii", 0, 0, 0, 0))
    path.write_bytes(b"".join(parts))


@pytest.fixture(scope="module")
def babylon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime babylon-mmd and the standard model in a folder; tests that need it are skipped without node."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("babylon")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    (folder / "player.js").write_text(PLAYER)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", *PACKAGES], cwd=folder, check=True, capture_output=True
    )
    command = ["npx", "esbuild", "player.js", "--bundle", "--platform=node", "--format=esm", "--outfile=bundle.mjs"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    write_model(folder / "standard.pmx")
    return folder


def played_by_babylon(folder: Path, motion: Path, times: list[float]) -> tuple[int, Places]:
    """Number of the last frame, and where the model's bones are at some frames, ``(T, 3)`` in MMD's units and axes."""
    answer = motion.with_suffix(".json")
    command = ["node", "bundle.mjs", "standard.pmx", str(motion), json.dumps(times), str(answer)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    found = json.loads(answer.read_text())
    return found["last"], {name: np.array([places[name] for places in found["places"]]) for name in NAMES}


@pytest.mark.browser
def test_another_runtime_dances_the_same(babylon: Path, tmp_path: Path) -> None:
    motion = stepping()
    write_vmd(motion, tmp_path / "dance.vmd")
    frames = np.arange(90)
    last, places = played_by_babylon(babylon, tmp_path / "dance.vmd", frames.astype(float).tolist())
    assert last == 89
    dances_like(motion.resampled(30.0), places)
    by_the_rules = played(tmp_path / "dance.vmd")
    for name in NAMES:
        np.testing.assert_allclose(places[name], by_the_rules[name], atol=2e-3, err_msg=name)


@pytest.mark.browser
def test_another_runtime_goes_straight_from_key_to_key(babylon: Path, tmp_path: Path) -> None:
    write_vmd(stepping(), tmp_path / "dance.vmd")
    _, places = played_by_babylon(babylon, tmp_path / "dance.vmd", [20.0, 20.25, 20.5, 21.0])
    before, quarter, middle, after = places["センター"]
    np.testing.assert_allclose(quarter, 0.75 * before + 0.25 * after, atol=1e-3)
    np.testing.assert_allclose(middle, 0.5 * before + 0.5 * after, atol=1e-3)


@pytest.mark.browser
def test_another_runtime_heeds_that_ik_is_off(babylon: Path, tmp_path: Path) -> None:
    write_vmd(stepping(), tmp_path / "dance.vmd")
    data = bytearray((tmp_path / "dance.vmd").read_bytes())
    for number in range(4):
        data[len(data) - 1 - 21 * number] = 1
    (tmp_path / "with_ik.vmd").write_bytes(data)
    times = [30.0, 60.0]
    without, with_ik = (played_by_babylon(babylon, tmp_path / f"{name}.vmd", times)[1] for name in ("dance", "with_ik"))
    assert np.abs(with_ik["左足首"] - without["左足首"]).max() > 1
    np.testing.assert_allclose(with_ik["左手首"], without["左手首"], atol=1e-3)
