"""Files of a dance in the real Blender, FBX out of it, and the add-on inside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.blender.check import Opened, open_in_blender
from duende.formats.blender.program import FAILED, blender_path, run_script
from duende.formats.bvh import write_bvh
from duende.formats.character import read_character, write_character
from duende.formats.fbx import write_fbx
from duende.formats.glb import write_glb
from duende.formats.gltf.document import Document, read_document, write_document
from duende.formats.npz import write_npz
from duende.motion import SMPL24, Motion

ROOT = Path(__file__).resolve().parents[1]
MILLIMETRE = 0.001
STILL = "head"
"""Joint of a character that its dance does not turn."""


@pytest.fixture
def blender() -> str:
    """The program; tests that need it are skipped without it."""
    found = blender_path()
    if found is None:
        pytest.skip("needs Blender on the path or in DUENDE_BLENDER")
    return found


def long_dance(fps: float, seconds: float = 21.0) -> Motion:
    """Every joint in smooth movement, the body turning round and round, an arm that swings past straight up."""
    rng = np.random.default_rng(7)
    at = np.arange(round(seconds * fps)) / fps
    phase, rate = rng.uniform(0, 6.28, (24, 3)), rng.uniform(0.2, 1.5, (24, 3))
    turns = 0.5 * np.sin(phase + 6.28 * rate * at[:, None, None])
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat().reshape(-1, 24, 4)
    spin, swing = (Rotation.from_rotvec(at[:, None] * axis) for axis in (np.array([0, 2, 0]), np.array([3, 0, 0])))
    shoulder = SMPL24.index("left_shoulder")
    rotations[:, 0] = (spin * Rotation.from_quat(rotations[:, 0])).as_quat()
    rotations[:, shoulder] = (swing * Rotation.from_quat(rotations[:, shoulder])).as_quat()
    root = np.stack([np.sin(at), 0.95 + 0.05 * np.sin(6 * at), 0.6 * np.cos(0.7 * at)], axis=1)
    return Motion(rotations, root, fps)


def agrees(opened: Opened, names: tuple[str, ...], positions: np.ndarray, fps: float) -> None:
    """No complaint, the same frames, the same rate, each joint within a millimetre at each frame."""
    assert opened.complaints == ()
    assert len(opened.heads) == len(positions)
    assert opened.fps == pytest.approx(fps, abs=1e-3)
    assert opened.off_frames < 1e-3
    assert opened.distances(names, positions).max() < MILLIMETRE


@pytest.mark.blender
@pytest.mark.parametrize("fps", [60.0, 24.0])
@pytest.mark.parametrize("kind", ["bvh", "glb", "fbx"])
def test_blender_has_each_joint_within_a_millimetre(kind: str, fps: float, blender: str, tmp_path: Path) -> None:
    motion, path = long_dance(fps), tmp_path / f"dance.{kind}"
    if kind == "bvh":
        write_bvh(motion, path)
    else:
        write_glb(motion, tmp_path / "dance.glb")
        if kind == "fbx":
            write_fbx(tmp_path / "dance.glb", path)
    agrees(open_in_blender(path, fps), motion.skeleton.names, motion.positions, fps)


@pytest.mark.blender
def test_the_check_by_hand_prints_a_line_for_each_file(blender: str, tmp_path: Path) -> None:
    motion = long_dance(30.0, 1.0)
    write_npz(motion, tmp_path / "dance.npz")
    write_bvh(motion, tmp_path / "dance.bvh")
    command = [sys.executable, "-m", "duende.formats.blender.check", "dance.npz", "dance.bvh", "absent.bvh"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "dance.bvh: Blender" in done.stdout
    assert "30 frames at 30 a second, 0.0" in done.stdout
    assert "0 complaints" in done.stdout
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "absent.bvh" in done.stderr


# A character of somebody else's.


def animated(document: Document, fps: float, frames: int) -> Document:
    """Give a rigged file a smooth movement of all joints but one, and to the second joint a path."""
    rng, at = np.random.default_rng(2), (np.arange(frames) / fps).astype(np.float32)
    times = document.add_array(at, "SCALAR", bounds=True)
    joints = document.json["skins"][0]["joints"]
    animation: dict[str, Any] = {"name": "dance", "channels": [], "samplers": []}

    def add(node: int, path: str, values: np.ndarray, kind: str) -> None:
        output = document.add_array(values.astype(np.float32), kind)
        animation["samplers"].append({"input": times, "output": output, "interpolation": "LINEAR"})
        target = {"node": node, "path": path}
        animation["channels"].append({"sampler": len(animation["samplers"]) - 1, "target": target})

    for node in joints:
        if document.json["nodes"][node].get("name") == STILL:
            continue
        rest = Rotation.from_quat(document.json["nodes"][node].get("rotation", [0, 0, 0, 1]))
        turns = 0.3 * np.sin(rng.uniform(0, 6, 3) + rng.uniform(2, 8, 3) * at[:, None])
        add(node, "rotation", (rest * Rotation.from_rotvec(turns)).as_quat(), "VEC4")
    place = document.json["nodes"][joints[1]].get("translation", [0, 0, 0])
    add(joints[1], "translation", np.array(place) + 0.3 * np.sin(np.arange(3) + 2 * at[:, None]), "VEC3")
    document.json["animations"] = [animation]
    return document


def joints_of(document: Document) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and world positions ``(T, J, 3)`` of an animated file's joints, by the rules of glTF."""
    nodes, animation = document.json["nodes"], document.json["animations"][0]
    keys = {
        (channel["target"]["node"], channel["target"]["path"]): document.array(
            animation["samplers"][channel["sampler"]]["output"]
        )
        for channel in animation["channels"]
    }
    frames = len(next(iter(keys.values())))
    worlds: dict[int, np.ndarray] = {}

    def follow(node: int, parent: np.ndarray) -> None:
        own = np.tile(np.eye(4), (frames, 1, 1))
        turns = keys.get((node, "rotation"), np.tile(nodes[node].get("rotation", [0, 0, 0, 1]), (frames, 1)))
        own[:, :3, :3] = Rotation.from_quat(turns).as_matrix() * np.array(nodes[node].get("scale", [1, 1, 1]))
        own[:, :3, 3] = keys.get((node, "translation"), nodes[node].get("translation", [0, 0, 0]))
        worlds[node] = parent @ own
        for child in nodes[node].get("children", []):
            follow(child, worlds[node])

    for node in document.json["scenes"][0]["nodes"]:
        follow(node, np.eye(4))
    joints = document.json["skins"][0]["joints"]
    return tuple(nodes[joint]["name"] for joint in joints), np.stack([worlds[j][:, :3, 3] for j in joints], axis=1)


@pytest.mark.blender
@pytest.mark.shared_data
@pytest.mark.parametrize("fps", [60.0, 24.0])
def test_a_character_and_its_fbx(fps: float, blender: str, shared_data: Path, tmp_path: Path) -> None:
    character = read_character(shared_data / "characters" / "human-male.glb")
    write_character(character, character.dance(long_dance(fps)), tmp_path / "character.glb")
    write_fbx(tmp_path / "character.glb", tmp_path / "character.fbx")
    names, positions = joints_of(read_document(tmp_path / "character.glb"))
    for kind in ("glb", "fbx"):
        agrees(open_in_blender(tmp_path / f"character.{kind}", fps), names, positions, fps)


# What goes wrong.


def program(path: Path, *lines: str) -> Path:
    """A program written in Python."""
    path.write_text("\n".join([f"#!{sys.executable}", *lines]) + "\n")
    path.chmod(0o755)
    return path


def moving_point(path: Path) -> Path:
    """A file with a node that moves and no figure."""
    document = Document({"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{"name": "point"}]})
    times = document.add_array(np.array([0, 0.5], np.float32), "SCALAR", bounds=True)
    places = document.add_array(np.eye(3, dtype=np.float32)[:2], "VEC3")
    channel = {"sampler": 0, "target": {"node": 0, "path": "translation"}}
    document.json["animations"] = [{"samplers": [{"input": times, "output": places}], "channels": [channel]}]
    write_document(document, path)
    return path


def test_without_blender_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DUENDE_BLENDER", raising=False)
    assert blender_path() is None
    glb = moving_point(tmp_path / "dance.glb")
    with pytest.raises(DuendeError, match=r"^fbx needs Blender, .* install it or set DUENDE_BLENDER$"):
        write_fbx(glb, tmp_path / "dance.fbx")
    monkeypatch.setenv("DUENDE_BLENDER", "/no/such/blender")
    with pytest.raises(DuendeError, match="DUENDE_BLENDER names /no/such/blender"):
        write_fbx(glb, tmp_path / "dance.fbx")
    assert [path.name for path in tmp_path.iterdir()] == ["dance.glb"]


@pytest.mark.skipif(sys.platform == "win32", reason="a program here is a script with a line that names Python")
def test_what_blender_says_last_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "print('Blender 9\\nRuntimeError: Error: no room\\nError: script failed, file, exiting.\\nBlender quit')"
    failing = program(tmp_path / "blender", said, f"raise SystemExit({FAILED})")
    monkeypatch.setenv("DUENDE_BLENDER", str(failing))
    glb = moving_point(tmp_path / "dance.glb")
    with pytest.raises(DuendeError, match=r"says: no room$"):
        write_fbx(glb, tmp_path / "dance.fbx")
    assert not (tmp_path / "dance.fbx").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a program here is a script with a line that names Python")
def test_blender_is_told_rate_and_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["import sys, pathlib", "pathlib.Path(sys.argv[-3]).write_text(' '.join(sys.argv[1:-4] + sys.argv[-2:]))"]
    monkeypatch.setenv("DUENDE_BLENDER", str(program(tmp_path / "blender", *lines)))
    write_fbx(moving_point(tmp_path / "dance.glb"), tmp_path / "dance.fbx")
    told = (tmp_path / "dance.fbx").read_text()
    assert told.startswith(f"--background --factory-startup --python-exit-code {FAILED} --python ")
    assert told.endswith("export_fbx.py -- 2.0 2")


def test_a_file_without_a_dance_is_refused(tmp_path: Path) -> None:
    write_document(Document({"asset": {"version": "2.0"}}), tmp_path / "still.glb")
    with pytest.raises(DuendeError, match=r"still\.glb holds no animation"):
        write_fbx(tmp_path / "still.glb", tmp_path / "still.fbx")


@pytest.mark.blender
def test_a_file_without_a_figure_is_refused(blender: str, tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match="the file holds no skeleton that moves"):
        run_script("export_fbx.py", moving_point(tmp_path / "dance.glb"), tmp_path / "dance.fbx", "2.0", "2")


# The add-on.

INSIDE = """
import json, os, sys
sys.path[:0] = [ADDONS, SCRIPTS]
import bpy
import duende_dance
from inside import import_gltf

report = {"said": []}
bpy.ops.wm.read_factory_settings(use_empty=True)
duende_dance.register()
scene, settings = bpy.context.scene, bpy.context.scene.duende

def strips():
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences

def dance():
    try:
        bpy.ops.duende.dance()
    except RuntimeError as error:
        report["said"].append(str(error).strip())

scene.render.fps = 25
dance()
settings.song = "/no/song.ogg"
dance()
settings.song = SONG
path, os.environ["PATH"] = os.environ["PATH"], "/nowhere"
dance()
os.environ["PATH"] = path
bpy.ops.object.armature_add()
dance()
bpy.data.objects.remove(bpy.context.object)
import_gltf(CHARACTER)
armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
for thing in bpy.data.objects:
    thing.select_set(False)
before = set(bpy.data.objects.keys())
if SELECTED:
    armature.select_set(True)
    bpy.context.view_layer.objects.active = armature
    armature.location, armature.scale = (1, 2, 0), (1.2, 1.2, 1.2)
    bpy.ops.object.mode_set(mode="POSE")
    for name in ("spine_01", STILL):
        armature.pose.bones[name].rotation_mode = "XYZ"
        armature.pose.bones[name].rotation_euler = (0.5, 0.3, 0)
settings.style = "nonesuch"
dance()
report["untouched"] = [
    scene.render.fps, len(bpy.data.actions), len(strips()), armature.data.pose_position
]
settings.style, settings.first_frame, settings.seed, settings.more = "", 11, 4, "--candidates 2"
settings.start, settings.seconds, settings.clean_up = 2, 1.5, False
dance()
if SELECTED:
    dance()
else:
    armature = next(bpy.data.objects[name] for name in set(bpy.data.objects.keys()) - before if "Armature" in name)
report["strips"] = [
    [strip.frame_start, strip.frame_final_start, strip.frame_final_duration, strip.type] for strip in strips()
]
report["fps"], report["range"] = scene.render.fps / scene.render.fps_base, [scene.frame_start, scene.frame_end]
report["mode"], report["names"], report["heads"] = armature.mode, [bone.name for bone in armature.pose.bones], []
for frame in range(scene.frame_start, scene.frame_end + 1):
    scene.frame_set(frame)
    heads = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
    report["heads"].append([[head.x, head.z, -head.y] for head in heads])
duende_dance.unregister()
json.dump(report, open(REPORT, "w"))
"""

FAKE = """
import shutil, sys
sys.path.insert(0, TESTS)
from pathlib import Path
from test_blender import animated, read_document, write_document
words = [word for word in sys.argv[3:] if word != "--no-clean-up"]
given = dict(zip(words[::2], words[1::2]))
print("listening", file=sys.stderr, flush=True)
if "--style" in given:
    sys.exit("duende: no style nonesuch; choose another")
Path(HERE, "given.txt").write_text(" ".join(sys.argv[1:]))
danced = Path(given["-o"], "song.glb")
write_document(animated(read_document(given.get("--character", CHARACTER)), 60, 90), danced)
shutil.copy(danced, Path(HERE, "danced.glb"))
"""


def constants(values: dict[str, object]) -> list[str]:
    """Lines of Python that give names to values."""
    return [f"{name} = {value!r}" for name, value in values.items()]


def inside_blender(blender: str, values: dict[str, object], script: str, folder: Path) -> dict[str, Any]:
    """Run a script with the add-on and with programs of ``folder`` on the path; return its report."""
    values = values | {
        "ADDONS": str(ROOT / "addons"),
        "SCRIPTS": str(ROOT / "src" / "duende" / "formats" / "blender"),
        "REPORT": str(folder / "report.json"),
    }
    (folder / "inside.py").write_text("\n".join([*constants(values), script]))
    environment = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "DUENDE_NUMPY": str(Path(np.__file__).parents[1]),
    }
    command = [blender, "--background", "--factory-startup", "--python-exit-code", "3", "--python"]
    done = subprocess.run(
        [*command, str(folder / "inside.py")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "report.json").read_text())


@pytest.mark.blender
@pytest.mark.shared_data
@pytest.mark.skipif(sys.platform == "win32", reason="a program here is a script with a line that names Python")
@pytest.mark.parametrize("selected", [True, False])
def test_the_add_on_puts_a_dance_on_the_selected_armature(
    selected: bool, blender: str, shared_data: Path, tmp_path: Path
) -> None:
    values = {
        "TESTS": str(ROOT / "tests"),
        "HERE": str(tmp_path),
        "CHARACTER": str(shared_data / "characters" / "human-male.glb"),
        "SONG": str(ROOT / "src" / "duende" / "pretrained" / "demo_song.ogg"),
        "SELECTED": selected,
        "STILL": STILL,
    }
    program(tmp_path / "duende", *constants(values), FAKE)
    report = inside_blender(blender, values, INSIDE, tmp_path)
    assert report["said"] == [
        "Error: choose a song first",
        "Error: there is no song /no/song.ogg; choose another file",
        "Error: the program duende is not on the path; give it in the add-on's preferences",
        "Error: Armature bends no mesh; give it the character's mesh (Parent, Automatic Weights)",
        "Error: no style nonesuch; choose another",
    ]
    assert report["untouched"] == [25, 0, 0, "POSE"]
    given = (tmp_path / "given.txt").read_text()
    assert given.startswith(f"dance {values['SONG']} --formats glb -o ")
    assert given.endswith("--candidates 2")
    assert "--seed 4 --start 2 --seconds 1.5 --no-clean-up" in given
    assert ("--character" in given) == selected
    assert report["fps"] == 60
    assert report["range"] == [11, 100]
    assert report["strips"] == [[11 - 2 * 60, 11, 90, "SOUND"]]
    assert report["mode"] == ("POSE" if selected else "OBJECT")
    names, positions = joints_of(read_document(tmp_path / "danced.glb"))
    heads = np.array(report["heads"])[:, [report["names"].index(name) for name in names]]
    assert np.linalg.norm(heads - positions, axis=-1).max() < MILLIMETRE


REAL = """
import json, sys
sys.path[:0] = [ADDONS, SCRIPTS]
import bpy
import duende_dance
from inside import import_gltf

bpy.ops.wm.read_factory_settings(use_empty=True)
duende_dance.register()
scene, settings = bpy.context.scene, bpy.context.scene.duende
import_gltf(CHARACTER)
armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
bpy.context.view_layer.objects.active = armature
armature.select_set(True)
settings.song, settings.seconds = SONG, 3
finished = bpy.ops.duende.dance()
heads = []
for frame in range(scene.frame_start, scene.frame_end + 1):
    scene.frame_set(frame)
    heads.append([list(armature.pose.bones[name].head) for name in ("pelvis", "foot_l", "foot_r", "head")])
json.dump({"finished": list(finished), "heads": heads}, open(REPORT, "w"))
"""


@pytest.mark.blender
@pytest.mark.shared_data
@pytest.mark.skipif(sys.platform == "win32", reason="programs have other names there")
def test_the_add_on_with_the_real_program(blender: str, shared_data: Path, tmp_path: Path) -> None:
    program(tmp_path / "duende", "import sys", "from duende.cli.main import main", "sys.exit(main())")
    values: dict[str, object] = {
        "CHARACTER": str(shared_data / "characters" / "human-male.glb"),
        "SONG": str(ROOT / "src" / "duende" / "pretrained" / "demo_song.ogg"),
    }
    report = inside_blender(blender, values, REAL, tmp_path)
    assert report["finished"] == ["FINISHED"]
    pelvis, left, right, head = np.moveaxis(np.array(report["heads"]), 1, 0)
    assert len(pelvis) == 180
    assert (head[:, 2] > pelvis[:, 2] + 0.3).all()
    assert np.linalg.norm(np.diff(left, axis=0), axis=1).max() > 0.005
    # Some foot is near the floor, and no ankle under it, in Blender's axes.
    assert (np.minimum(left[:, 2], right[:, 2]) < 0.2).all()
    assert min(left[:, 2].min(), right[:, 2].min()) > 0.0
