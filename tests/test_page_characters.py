"""Characters in the web page, in a browser: dropped ones dance as the dance does, the animated one as its file says."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_browser import as_file, carried, reported
from scipy.spatial.transform import Rotation, Slerp

from duende.errors import DuendeError
from duende.formats.gltf.document import INDICES, VERTICES, Document, read_document, write_document
from duende.formats.load import load_mocap
from duende.formats.page import write_page
from duende.motion import SMPL24, Motion
from duende.motion.contacts import foot_contacts

Nodes = list[dict[str, Any]]
FRAMES = (0, 37, 100, 181.5, 239)
LIMBS = {
    "upper_arm": ("shoulder", "elbow"),
    "lower_arm": ("elbow", "wrist"),
    "upper_leg": ("hip", "knee"),
    "lower_leg": ("knee", "ankle"),
}
UNREAL = {"upper_arm": "upperarm_{s}", "lower_arm": "lowerarm_{s}", "hand": "hand_{s}", "upper_leg": "thigh_{s}",
          "lower_leg": "calf_{s}", "foot": "foot_{s}", "toes": "ball_{s}"}  # fmt: skip
NEXT = {"upper_arm": "lower_arm", "lower_arm": "hand", "upper_leg": "lower_leg", "lower_leg": "foot"}


# --- rigs


def family(nodes: Nodes) -> Iterator[tuple[int, int]]:
    """Every node with its parent (-1 for none), parents first."""
    parents = {child: index for index, node in enumerate(nodes) for child in node.get("children", ())}
    waiting = [index for index in range(len(nodes)) if index not in parents]
    while waiting:
        index = waiting.pop()
        yield index, parents.get(index, -1)
        waiting.extend(nodes[index].get("children", ()))


def placed(nodes: Nodes) -> tuple[dict[str, np.ndarray], dict[str, Rotation]]:
    """World places and turns of all nodes by name; scales are one."""
    places: dict[int, np.ndarray] = {-1: np.zeros(3)}
    turns: dict[int, Rotation] = {-1: Rotation.identity()}
    for index, parent in family(nodes):
        node = nodes[index]
        places[index] = places[parent] + turns[parent].apply(node.get("translation", [0, 0, 0]))
        turns[index] = turns[parent] * Rotation.from_quat(node.get("rotation", [0, 0, 0, 1]))
    names = [node.get("name", "") for node in nodes]
    return {names[i]: p for i, p in places.items() if i >= 0}, {names[i]: r for i, r in turns.items() if i >= 0}


def least(start: np.ndarray, end: np.ndarray) -> Rotation:
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    length = np.linalg.norm(axis)
    return Rotation.from_rotvec(axis / max(length, 1e-12) * np.arctan2(length, start @ end))


def small_rig(names: dict[str, str], arms: float = 40.0, scale: float = 1.0) -> Document:
    """A stick figure of 1.1 m with arms ``arms`` degrees under the T-pose, each bone turned about its own axes.

    Args:
        names: by part (``hips``, ``spine``, ``neck``, ``head``, and limbs with ``{s}`` for the side as ``sides`` has it).
        arms: degrees.
        scale: of the node over all others, in whose units the bones are.
    """
    left, right = names.get("sides", "left right").split()
    drop = np.radians(arms)
    out = np.array([np.cos(drop), -np.sin(drop), 0.0])
    points: dict[str, tuple[str | None, np.ndarray]] = {
        "hips": (None, np.array([0, 0.6, 0])), "spine": ("hips", np.array([0, 0.68, 0])),
        "neck": ("spine", np.array([0, 0.9, 0])), "head": ("neck", np.array([0, 0.96, 0.01])),
    }  # fmt: skip
    for side, sign in ((left, 1.0), (right, -1.0)):
        flip = np.array([sign, 1, 1])
        shoulder = np.array([0.1, 0.86, 0])
        for part, parent, point in (
            ("upper_leg", "hips", [0.06, 0.57, 0]), ("lower_leg", "upper_leg", [0.07, 0.31, 0.01]),
            ("foot", "lower_leg", [0.07, 0.06, -0.01]), ("toes", "foot", [0.08, 0.015, 0.09]),
            ("collar", "spine", [0.03, 0.85, 0]), ("upper_arm", "collar", shoulder),
            ("lower_arm", "upper_arm", shoulder + 0.17 * out), ("hand", "lower_arm", shoulder + 0.33 * out),
        ):  # fmt: skip
            above = parent if parent in ("hips", "spine") else names[parent].format(s=side)
            points[names[part].format(s=side)] = (above, np.array(point) * flip)
    called = {part: names[part] for part in ("hips", "spine", "neck", "head")}
    points = {called.get(k, k): (called.get(p, p) if p else None, v) for k, (p, v) in points.items()}
    rng = np.random.default_rng(5)
    turns = {name: Rotation.random(random_state=int(rng.integers(1 << 30))) for name in points}
    document = Document({"asset": {"version": "2.0"}, "scene": 0})
    order = list(points)
    document.add("nodes", {"name": "armature", "scale": [scale] * 3, "children": [1]})
    for name in order:
        parent, point = points[name]
        base = turns[parent].inv() if parent else Rotation.identity()
        offset = base.apply(point - (points[parent][1] if parent else 0)) / scale
        children = [order.index(child) + 1 for child, (above, _) in points.items() if above == name]
        document.add("nodes", {"name": name, "translation": offset.tolist(), "rotation": (base * turns[name]).as_quat().tolist(),
                               **({"children": children} if children else {})})  # fmt: skip
    skinned(document, list(range(1, len(order) + 1)))
    return document


def skinned(document: Document, joints: list[int]) -> None:
    """Give it a triangle that hangs on its bones."""
    corners = np.array([[-0.1, 0, 0], [0.1, 0, 0], [0, 1.0, 0]], np.float32)
    primitive = {
        "attributes": {
            "POSITION": document.add_array(corners, "VEC3", VERTICES, bounds=True),
            "JOINTS_0": document.add_array(np.zeros((3, 4), np.uint8), "VEC4", VERTICES),
            "WEIGHTS_0": document.add_array(np.tile(np.array([1, 0, 0, 0], np.float32), (3, 1)), "VEC4", VERTICES),
        },
        "indices": document.add_array(np.arange(3, dtype=np.uint16), "SCALAR", INDICES),
    }
    document.add("meshes", {"primitives": [primitive]})
    document.add("skins", {"joints": joints})
    mesh = document.add("nodes", {"name": "body", "mesh": 0, "skin": 0})
    document.add("scenes", {"nodes": [0, mesh]})


RIGS: dict[str, dict[str, str]] = {
    "mixamo": {"sides": "Left Right", "hips": "mixamorig:Hips", "spine": "mixamorig:Spine", "neck": "mixamorig:Neck",
               "head": "mixamorig:Head", "upper_leg": "mixamorig:{s}UpLeg", "lower_leg": "mixamorig:{s}Leg",
               "foot": "mixamorig:{s}Foot", "toes": "mixamorig:{s}ToeBase", "collar": "mixamorig:{s}Shoulder",
               "upper_arm": "mixamorig:{s}Arm", "lower_arm": "mixamorig:{s}ForeArm", "hand": "mixamorig:{s}Hand"},
    "rigify": {"sides": "L R", "hips": "DEF-spine", "spine": "DEF-spine.003", "neck": "DEF-spine.004",
               "head": "DEF-spine.006", "upper_leg": "DEF-thigh.{s}", "lower_leg": "DEF-shin.{s}",
               "foot": "DEF-foot.{s}", "toes": "DEF-toe.{s}", "collar": "DEF-shoulder.{s}",
               "upper_arm": "DEF-upper_arm.{s}", "lower_arm": "DEF-forearm.{s}", "hand": "DEF-hand.{s}"},
    "vroid": {"sides": "L R", "hips": "J_Bip_C_Hips", "spine": "J_Bip_C_Spine", "neck": "J_Bip_C_Neck",
              "head": "J_Bip_C_Head", "upper_leg": "J_Bip_{s}_UpperLeg", "lower_leg": "J_Bip_{s}_LowerLeg",
              "foot": "J_Bip_{s}_Foot", "toes": "J_Bip_{s}_ToeBase", "collar": "J_Bip_{s}_Shoulder",
              "upper_arm": "J_Bip_{s}_UpperArm", "lower_arm": "J_Bip_{s}_LowerArm", "hand": "J_Bip_{s}_Hand"},
    "character creator": {"sides": "L R", "hips": "CC_Base_Hip", "spine": "CC_Base_Spine02", "neck": "CC_Base_NeckTwist01",
                          "head": "CC_Base_Head", "upper_leg": "CC_Base_{s}_Thigh", "lower_leg": "CC_Base_{s}_Calf",
                          "foot": "CC_Base_{s}_Foot", "toes": "CC_Base_{s}_ToeBase", "collar": "CC_Base_{s}_Clavicle",
                          "upper_arm": "CC_Base_{s}_Upperarm", "lower_arm": "CC_Base_{s}_Forearm",
                          "hand": "CC_Base_{s}_Hand"},
    "plain": {"sides": "Left Right", "hips": "Root", "spine": "Chest", "neck": "Neck", "head": "Head_012",
              "upper_leg": "{s}Hip", "lower_leg": "{s}Knee", "foot": "{s}Ankle", "toes": "{s}Toe_033",
              "collar": "{s}Collar", "upper_arm": "{s}Shoulder", "lower_arm": "{s}Elbow", "hand": "{s}Wrist"},
}  # fmt: skip


def in_bytes(document: Document, folder: Path) -> bytes:
    write_document(document, folder / "rig.glb")
    return (folder / "rig.glb").read_bytes()


# --- what is asked of a dancing rig


def between(one: np.ndarray, other: np.ndarray) -> float:
    """Degrees between two directions."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)))


def limb_errors(bones: dict[str, list[float]], joints: np.ndarray, names: dict[str, str]) -> dict[str, float]:
    """Degrees between each limb of a rig and the dance's."""
    errors = {}
    for side, own in zip(("left", "right"), names["sides"].split(), strict=True):
        for part, (start, end) in LIMBS.items():
            rig = [np.array(bones[names[each].format(s=own)]) for each in (part, NEXT[part])]
            ends = [joints[SMPL24.index(f"{side}_{each}")] for each in (start, end)]
            errors[f"{side} {part}"] = between(rig[1] - rig[0], ends[1] - ends[0])
    return errors


def wave(document: Document, frames: int) -> list[Nodes]:
    """Animate a rig at 60 fps; returns its nodes in every frame."""
    rng = np.random.default_rng(8)
    turning = [i for i, node in enumerate(document.json["nodes"]) if "translation" in node]
    seconds = np.arange(frames) / 60
    times = document.add_array(seconds.astype(np.float32), "SCALAR", bounds=True)
    channels, samplers = [], []
    shown: list[Nodes] = [[dict(node) for node in document.json["nodes"]] for _ in range(frames)]
    for node in turning:
        rest = Rotation.from_quat(document.json["nodes"][node]["rotation"])
        turns = 0.4 * np.sin(rng.uniform(0, 6, 3) + rng.uniform(2, 8, 3) * seconds[:, None])
        values = {"rotation": (rest * Rotation.from_rotvec(turns)).as_quat().astype(np.float32)}
        if node == turning[0]:
            path = np.stack([np.sin(seconds), 0.6 + 0.05 * np.sin(5 * seconds), np.cos(seconds)], axis=1)
            values["translation"] = path.astype(np.float32)
        for name, array in values.items():
            output = document.add_array(array, "VEC4" if name == "rotation" else "VEC3")
            samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
            channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": name}})
            for frame in range(frames):
                shown[frame][node][name] = array[frame].tolist()
    document.add("animations", {"channels": channels, "samplers": samplers})
    return shown


def as_vrm0(document: Document, names: dict[str, str]) -> Document:
    """The same as VRM 0: in a T-pose, and looking towards -Z."""
    nodes = document.json["nodes"]
    nodes[0]["rotation"] = [0, 1, 0, 0]
    number = {node["name"]: index for index, node in enumerate(nodes)}
    bones = [{"bone": part, "node": number[names[part]]} for part in ("hips", "spine", "neck", "head")]
    vrm = {"upper_leg": "UpperLeg", "lower_leg": "LowerLeg", "foot": "Foot", "toes": "Toes", "collar": "Shoulder",
           "upper_arm": "UpperArm", "lower_arm": "LowerArm", "hand": "Hand"}  # fmt: skip
    for side, own in zip(("left", "right"), names["sides"].split(), strict=True):
        bones += [{"bone": side + bone, "node": number[names[part].format(s=own)]} for part, bone in vrm.items()]
    look = {"curve": [0, 0, 0, 1, 1, 1, 1, 0], "xRange": 90, "yRange": 10}
    ways = ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    document.json["extensionsUsed"] = ["VRM"]
    document.json["extensions"] = {"VRM": {
        "specVersion": "0.0", "meta": {"title": "small", "author": "test"}, "humanoid": {"humanBones": bones},
        "blendShapeMaster": {"blendShapeGroups": []}, "secondaryAnimation": {"boneGroups": [], "colliderGroups": []},
        "materialProperties": [], "firstPerson": {f"lookAt{way}": look for way in ways},
    }}  # fmt: skip
    return document


def as_vrm(document: Document) -> Document:
    """The Unreal rig as VRM 1: arms stretched to the sides, and its bones named by VRM."""
    nodes = document.json["nodes"]
    number = {node.get("name"): index for index, node in enumerate(nodes)}
    for side, out in (("l", [1.0, 0, 0]), ("r", [-1.0, 0, 0])):
        for bone, follower in (("upperarm", "lowerarm"), ("lowerarm", "hand")):
            places, turns = placed(nodes)
            turn = least(places[f"{follower}_{side}"] - places[f"{bone}_{side}"], np.array(out))
            node = nodes[number[f"{bone}_{side}"]]
            world = turns[f"{bone}_{side}"]
            parent = world * Rotation.from_quat(node["rotation"]).inv()
            node["rotation"] = (parent.inv() * turn * world).as_quat().tolist()
    bones = {
        "hips": "pelvis",
        "spine": "spine_01",
        "chest": "spine_02",
        "upperChest": "spine_03",
        "neck": "neck_01",
        "head": "head",
    }
    limbs = {"UpperLeg": "thigh", "LowerLeg": "calf", "Foot": "foot", "Toes": "ball", "Shoulder": "clavicle",
             "UpperArm": "upperarm", "LowerArm": "lowerarm", "Hand": "hand", "MiddleProximal": "middle_01"}  # fmt: skip
    bones |= {side + part: f"{bone}_{side[0]}" for side in ("left", "right") for part, bone in limbs.items()}
    document.json["extensionsUsed"] = ["VRMC_vrm"]
    document.json["extensions"] = {"VRMC_vrm": {
        "specVersion": "1.0",
        "meta": {"name": "male", "authors": ["test"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
        "humanoid": {"humanBones": {name: {"node": number[bone]} for name, bone in bones.items()}},
    }}  # fmt: skip
    return document


def bad_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Files that cannot dance, with what must be said of them."""
    good = in_bytes(small_rig(RIGS["mixamo"]), folder)
    draco, legless, bare, apart = (small_rig(RIGS["mixamo"]) for _ in range(4))
    draco.json["extensionsRequired"] = draco.json["extensionsUsed"] = ["KHR_draco_mesh_compression"]
    for index, node in enumerate(legless.json["nodes"]):
        node["name"] = f"part {index}"
    del bare.json["skins"], bare.json["nodes"][-1]["skin"]
    apart.json["images"] = [{"uri": "skin.png"}]
    return {
        "a.glb": (b"hello, this is text and no character", "not a binary glTF"),
        "b.glb": (in_bytes(bare, folder), "no skin"),
        "c.glb": (in_bytes(legless, folder), "no legs"),
        "d.glb": (in_bytes(draco, folder), "Draco"),
        "e.glb": (in_bytes(apart, folder), "other files"),
        "f.glb": (good[:200], "cut short"),
        "g.glb": (good[:4] + struct.pack("<I", 1) + good[8:], "old kind"),
    }


def test_characters_of_all_kinds_dance(wavy_motion: Motion, tmp_path: Path) -> None:
    animated = small_rig(RIGS["vroid"])
    shown = wave(animated, len(wavy_motion))
    rigs = {n: in_bytes(small_rig(names, scale=0.01 if n == "mixamo" else 1.0), tmp_path) for n, names in RIGS.items()}
    rigs["vrm"] = in_bytes(as_vrm0(small_rig(RIGS["vroid"], arms=0.0), RIGS["vroid"]), tmp_path)
    bad = bad_files(tmp_path)
    write_page(wavy_motion, tmp_path / "dance.html", title="Wave", character=in_bytes(animated, tmp_path))
    files = ", ".join(f"{json.dumps(name)}: {as_file(name + '.glb', data)}" for name, data in rigs.items())
    bad_ones = ", ".join(f"{json.dumps(name)}: {as_file(name, data)}" for name, (data, _) in bad.items())
    script = f"""
      const look = (frame) => {{
        duende.seek(frame / 60, false);
        const {{ dancers, holds, wearing }} = duende.state();
        return {{ bones: dancers[0].character, holds, wearing }};
      }};
      const frames = {list(FRAMES)};
      const carried = frames.map(look);
      press("v");
      const mannequin = look(3).bones;
      duende.play();
      await until(() => duende.state().time > 0.5);
      duende.pause();
      const said = {{}};
      for (const [name, file] of Object.entries({{ {bad_ones} }})) {{
        await duende.open(file);
        said[name] = element("notice").textContent;
      }}
      const large = new File(["glTF"], "large.glb");
      Object.defineProperty(large, "size", {{ value: 300 * 2 ** 20 }});
      await duende.open(large);
      said.large = element("notice").textContent;
      const unworn = duende.state().wearing;
      const seen = {{}};
      for (const [name, file] of Object.entries({{ {files} }})) {{
        await duende.open(file);
        seen[name] = frames.map(look);
      }}
      return {{ carried, mannequin, said, unworn, seen }};
    """
    report = reported(tmp_path / "dance.html", script)
    assert report["complaints"] == [] and report["requests"] == []
    floor = carried(tmp_path / "dance.html")["dances"][0]["floor"]
    for state, frame in zip(report["carried"], FRAMES, strict=True):
        assert state["wearing"] is True
        for name, place in animated_places(shown, frame).items():
            assert np.abs(np.array(state["bones"][name]) - [0, floor, 0] - place).max() < 0.001, (frame, name)
    assert report["mannequin"] is None and report["unworn"] is False
    for name, (_, words) in bad.items():
        assert words in report["said"][name] and report["said"][name].startswith(name), report["said"]
    assert "300 MB" in report["said"]["large"]
    for name, states in report["seen"].items():
        names = RIGS.get(name, RIGS["vroid"])
        for state, frame in zip(states, FRAMES, strict=True):
            joints = wavy_motion.warped(np.array([frame / 60])).positions[0]
            for limb, error in limb_errors(state["bones"], joints, names).items():
                planted = "leg" in limb and state["holds"]["right" in limb] > 0
                assert error < (30 if planted else 0.1), (name, frame, limb)


def animated_places(shown: list[Nodes], frame: float) -> dict[str, np.ndarray]:
    """World places of the bones at a time in frames; turns between two frames lie on the shorter way."""
    before, after = shown[int(frame)], shown[min(int(frame) + 1, len(shown) - 1)]
    nodes: Nodes = []
    for one, other in zip(before, after, strict=True):
        node = dict(one)
        if "rotation" in one:
            turns = Rotation.from_quat([one["rotation"], other["rotation"]])
            node["rotation"] = Slerp([0, 1], turns)(frame % 1).as_quat()
            node["translation"] = (1 - frame % 1) * np.array(one["translation"]) + frame % 1 * np.array(
                other["translation"]
            )
        nodes.append(node)
    return {name: place for name, place in placed(nodes)[0].items() if name not in ("armature", "body")}


def test_a_real_character_dances(shared_data: Path, tmp_path: Path) -> None:
    male = shared_data / "characters" / "human-male.glb"
    turned = read_document(male)
    turned.json["nodes"][-1]["rotation"] = [0, 1, 0, 0]
    files = {
        "male.glb": male.read_bytes(),
        "male.vrm": in_bytes(as_vrm(read_document(male)), tmp_path),
        "turned.glb": in_bytes(turned, tmp_path),
    }
    motion = load_mocap(shared_data / "aistpp" / "motions" / "gLH_sBM_cAll_d17_mLH4_ch02.pkl")
    write_page(motion, tmp_path / "dance.html")
    frames = list(range(0, len(motion), 6))
    script = f"""
      const files = [{", ".join(as_file(name, data) for name, data in files.items())}];
      const seen = [];
      for (const file of files) {{
        const given = new DataTransfer();
        given.items.add(file);
        const more = {{ dataTransfer: given, bubbles: true, cancelable: true }};
        document.body.dispatchEvent(new DragEvent("dragover", more));
        const invited = !element("drop").hidden;
        document.body.dispatchEvent(new DragEvent("drop", more));
        await until(() => element("notice").textContent === `${{file.name}} dances.`);
        const states = {frames}.map((frame) => {{
          duende.seek(frame / 60, false);
          return {{ bones: duende.state().dancers[0].character, holds: duende.state().holds }};
        }});
        seen.push({{ invited, states }});
      }}
      return {{ seen }};
    """
    report = reported(tmp_path / "dance.html", script)
    assert report["complaints"] == [] and report["requests"] == []
    first = report["seen"][0]
    for name, seen in zip(files, report["seen"], strict=True):
        assert seen["invited"] is True
        check_dance(name, seen["states"], motion, frames, carried(tmp_path / "dance.html")["dances"][0]["floor"])
        for state, other in zip(seen["states"], first["states"], strict=True):
            for bone in ("pelvis", "head", "hand_l", "foot_r"):
                assert np.linalg.norm(np.subtract(state["bones"][bone], other["bones"][bone])) < 0.04, (name, bone)


def check_dance(name: str, states: list[dict[str, Any]], motion: Motion, frames: list[int], floor: float) -> None:
    """Limbs lie along the dance's; feet that stand move no more than the dance's, and none is under the floor."""
    names = {**UNREAL, "sides": "l r"}
    for state, frame in zip(states, frames, strict=True):
        for limb, error in limb_errors(state["bones"], motion.positions[frame], names).items():
            planted = "leg" in limb and state["holds"]["right" in limb] > 0
            assert error < (16 if planted else 0.1), (name, frame, limb)
    for side, own in enumerate("lr"):
        toes = np.array([state["bones"][f"ball_{own}"] for state in states])
        firm = np.array([state["holds"][side] for state in states]) > 0.999
        dance = motion.positions[frames][:, SMPL24.feet[2 * side + 1]]
        both = firm[1:] & firm[:-1]
        slid = np.linalg.norm(np.diff(toes, axis=0)[both][:, [0, 2]], axis=1)
        danced = np.linalg.norm(np.diff(dance, axis=0)[both][:, [0, 2]], axis=1)
        assert both.sum() > 8 and np.all(slid < 1.1 * danced + 0.002), name
        assert toes[:, 1].min() - floor > -0.02, name


def test_contacts_in_the_page_are_those_of_the_motion(shared_data: Path, tmp_path: Path) -> None:
    motion = load_mocap(shared_data / "aistpp" / "motions" / "gLH_sBM_cAll_d17_mLH4_ch02.pkl")
    write_page(motion, tmp_path / "dance.html")
    report = reported(
        tmp_path / "dance.html",
        "return { holds: Array.from({ length: 240 }, (_, k) => { duende.seek(k / 60, false); return duende.state().holds; }) };",
    )
    data = carried(tmp_path / "dance.html")
    level = motion.positions - np.array([0, data["dances"][0]["floor"] + data["sole"], 0])
    stands = foot_contacts(level, 60.0)[:240].reshape(240, 2, 2).any(axis=2)
    holds = np.array(report["holds"])
    assert 0.2 < stands.mean() < 0.98
    assert np.all(holds[stands] == 1) and np.all(holds[~stands] < 1)


def test_something_else_than_a_glb_is_refused(wavy_motion: Motion, tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match="binary glTF"):
        write_page(wavy_motion, tmp_path / "dance.html", character=b"solid cube")
    assert not list(tmp_path.iterdir())
