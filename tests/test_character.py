"""A character of the user's own: read, made to dance at its own proportions, written; joints where the dance has them.

Written files are judged by ``web.rig``, which poses them by plain matrices and shares nothing with what wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from web.browser import issues, packages, play
from web.rig import Rig
from web.vrm_models import write_vrm, write_vrm0

from duende.errors import DuendeError
from duende.formats.character import Character, read_character, write_character
from duende.formats.character.names import known_bones
from duende.formats.gltf.document import Document, read_document, write_document
from duende.formats.load import load_mocap
from duende.motion import SMPL24, Motion
from duende.motion.contacts import skate_ratio
from duende.motion.feet import plant_feet
from duende.motion.looping import looped
from duende.motion.own_proportions import leg_length, on_own_proportions, with_offsets

SIDES = {"left": 1.0, "right": -1.0}
BODY: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "hips": (None, (0.0, 1.0, -0.02)),
    "spine": ("hips", (0.0, 1.1, -0.01)),
    "chest": ("spine", (0.0, 1.22, 0.0)),
    "upperChest": ("chest", (0.0, 1.32, -0.01)),
    "neck": ("upperChest", (0.0, 1.5, -0.03)),
    "head": ("neck", (0.0, 1.58, 0.0)),
    "Shoulder": ("upperChest", (0.03, 1.45, 0.0)),
    "UpperArm": ("Shoulder", (0.16, 1.44, -0.03)),
    "LowerArm": ("UpperArm", (0.36, 1.25, -0.03)),
    "Hand": ("LowerArm", (0.53, 1.06, 0.0)),
    "MiddleProximal": ("Hand", (0.59, 0.99, 0.02)),
    "MiddleIntermediate": ("MiddleProximal", (0.62, 0.96, 0.02)),
    "UpperLeg": ("hips", (0.09, 0.94, 0.0)),
    "LowerLeg": ("UpperLeg", (0.1, 0.52, 0.02)),
    "Foot": ("LowerLeg", (0.11, 0.1, -0.03)),
    "Toes": ("Foot", (0.11, 0.03, 0.11)),
}
"""A body in an A-pose: VRM humanoid bone (of both sides where it begins with a capital), its parent, its place."""
SOLE = 0.01
"""Height of the soles of its mesh."""
JOINTS = {
    "Shoulder": "collar", "UpperArm": "shoulder", "LowerArm": "elbow", "Hand": "wrist",
    "UpperLeg": "hip", "LowerLeg": "knee", "Foot": "ankle", "Toes": "foot",
}  # fmt: skip
LIMBS = [
    (f"{side}_{start}", f"{side}_{end}")
    for side in SIDES
    for start, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
]
MIXAMO = {
    "spine": "Spine", "chest": "Spine1", "upperChest": "Spine2", "UpperArm": "Arm", "LowerArm": "ForeArm",
    "UpperLeg": "UpLeg", "LowerLeg": "Leg", "Toes": "ToeBase", "MiddleProximal": "HandMiddle1", "head": "Head",
    "neck": "Neck", "hips": "Hips",
}  # fmt: skip


def body(without: Iterable[str] = ()) -> dict[str, tuple[str | None, np.ndarray]]:
    """All bones of both sides: parent and place. What hung from a missing bone hangs from the one above it."""
    bones: dict[str, tuple[str | None, np.ndarray]] = {}
    for bone, (parent, place) in BODY.items():
        while parent is not None and parent in without:
            parent = BODY[parent][0]
        if bone in without:
            continue
        for side, sign in SIDES.items() if bone[0].isupper() else {"": 1.0}.items():
            above = side + parent if parent is not None and parent[0].isupper() else parent
            bones[side + bone] = (above, np.array(place) * [sign, 1.0, 1.0])
    return bones


def build(
    path: Path,
    names: Callable[[str], str] = lambda bone: bone,
    without: Iterable[str] = (),
    turn: Rotation | None = None,
    unit: float = 1.0,
    vrm: str = "",
    change: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write a rig whose joints have axes of their own.

    Args:
        path: of the file.
        names: of the node for each bone.
        without: bones that it lacks.
        turn: from our axes to the file's.
        unit: metres in the unit that joints and mesh are told in, under an armature that is scaled by it.
        vrm: ``"VRMC_vrm"`` or ``"VRM"`` to name the bones as VRM 1.0 or 0.x does.
        change: what else is done to the file's JSON.
    """
    turn = turn or Rotation.identity()
    bones = body(without)
    rng = np.random.default_rng(7)
    document = Document({"asset": {"version": "2.0"}, "scene": 0})
    document.add("nodes", {"name": "Armature", "scale": [unit] * 3, "children": []})
    numbers = {bone: number for number, bone in enumerate(bones, 1)}
    worlds = {}
    for bone, (parent, place) in bones.items():
        worlds[bone] = np.eye(4)
        worlds[bone][:3, :3] = Rotation.random(random_state=rng).as_matrix()
        worlds[bone][:3, 3] = turn.apply(place) / unit
        local = worlds[bone] if parent is None else np.linalg.inv(worlds[parent]) @ worlds[bone]
        node: dict[str, Any] = {"name": names(bone)}
        if bone == "leftLowerArm":
            node["matrix"] = local.T.reshape(-1).tolist()
        else:
            node["translation"] = local[:3, 3].tolist()
            node["rotation"] = Rotation.from_matrix(local[:3, :3]).as_quat().tolist()
        document.add("nodes", node)
        above = document.json["nodes"][0 if parent is None else numbers[parent]]
        above.setdefault("children", []).append(numbers[bone])
    bound = np.linalg.inv(np.stack(list(worlds.values()))).astype(np.float32)
    document.add("skins", {"joints": list(numbers.values()), "inverseBindMatrices": document.add_array(bound, "MAT4")})
    mesh = document.add("nodes", {"name": "Body", "mesh": 0, "skin": 0})
    document.add("meshes", {"primitives": [_feet(document, numbers, turn, unit)], "extras": {"targetNames": ["smile"]}})
    document.add("scenes", {"nodes": [0, mesh]})
    humanoid: Any = {bone: {"node": number} for bone, number in numbers.items()}
    if vrm == "VRM":
        humanoid = [{"bone": bone, "node": number} for bone, number in numbers.items()]
    if vrm:
        document.json["extensionsUsed"] = [vrm]
        document.json["extensions"] = {vrm: {"humanoid": {"humanBones": humanoid}, "meta": {"name": "Test"}}}
    if change is not None:
        change(document.json)
    write_document(document, path)
    return path


def _feet(document: Document, numbers: dict[str, int], turn: Rotation, unit: float) -> dict[str, Any]:
    """A mesh of two shoes, each a heel and a tip, as triangles that reach down to the floor; with a face shape."""
    points, joints = [], []
    for side, sign in SIDES.items():
        ankle = numbers.get(f"{side}Foot", 1)
        carriers = ankle - 1, numbers.get(f"{side}Toes", ankle) - 1
        for carrier, lengths in zip(carriers, ((-0.08, 0.09), (0.1, 0.2)), strict=True):
            for ahead in lengths:
                for across in (0.07, 0.15):
                    points += [(sign * across, SOLE, ahead), (sign * across, 0.05, ahead)]
                    joints += [carrier, carrier]
    places = (turn.apply(np.array(points)) / unit).astype(np.float32)
    attributes = {
        "POSITION": document.add_array(places, "VEC3", bounds=True),
        "JOINTS_0": document.add_array((np.array(joints)[:, None] * [1, 0, 0, 0]).astype(np.uint8), "VEC4"),
        "WEIGHTS_0": document.add_array(np.tile(np.array([1, 0, 0, 0], np.float32), (len(points), 1)), "VEC4"),
    }
    target = {"POSITION": document.add_array(np.zeros_like(places), "VEC3", bounds=True)}
    return {"attributes": attributes, "mode": 0, "targets": [target]}


def in_our_axes(rig: Rig, character: Character, joint: str) -> np.ndarray:
    node = character.nodes[joint]
    return np.asarray(character.axes.apply(rig.world(rig.nodes[node]["name"])[:3, 3]))


def written(character: Character, dance: Motion, path: Path) -> Rig:
    write_character(character, dance, path)
    return Rig(read_document(path))


def farthest(rig: Rig, character: Character, dance: Motion, frames: Iterable[int]) -> float:
    """Metres by which a joint of the written file is farthest from the dance's, soles on the floor at 0."""
    error = 0.0
    for frame in frames:
        posed = rig.at(frame)
        for joint in character.nodes:
            place = in_our_axes(posed, character, joint) - [0.0, character.soles.depth, 0.0]
            error = max(error, float(np.abs(place - dance.positions[frame, character.skeleton.index(joint)]).max()))
    return error


RIGS: dict[str, dict[str, Any]] = {
    "VRM 1.0": {"vrm": "VRMC_vrm", "names": lambda bone: f"node {len(bone)} {bone[::-1]}"},
    "VRM 0.x, which looks along -Z": {
        "vrm": "VRM", "names": lambda bone: bone[::-1], "turn": Rotation.from_euler("y", 180, degrees=True),
    },
    "Mixamo in centimetres": {"names": lambda bone: mixamo(bone), "unit": 0.01},
    "Z up, looking along -Y": {"turn": Rotation.from_euler("x", 90, degrees=True)},
    "without toes, collars and upper chest": {"without": ("Toes", "Shoulder", "upperChest")},
    "one bone in the trunk, no neck": {"without": ("chest", "upperChest", "neck")},
    "without hands": {"without": ("Hand", "MiddleProximal", "MiddleIntermediate")},
}  # fmt: skip


def mixamo(bone: str) -> str:
    side = next((side for side in SIDES if bone.startswith(side)), "")
    part = bone.removeprefix(side)
    return f"mixamorig:{side.capitalize()}{MIXAMO.get(part, part)}"


@pytest.mark.parametrize("kind", RIGS)
def test_joints_of_the_file_are_where_the_dance_has_them(kind: str, wavy_motion: Motion, tmp_path: Path) -> None:
    character = read_character(build(tmp_path / "rig.glb", **RIGS[kind]))
    dance = character.dance(wavy_motion)
    rig = written(character, dance, tmp_path / "dance.glb")
    lacking = set(RIGS[kind].get("without", ()))
    assert (character.axes * RIGS[kind].get("turn", Rotation.identity())).magnitude() < 1e-6
    assert set(character.nodes) >= {f"left_{JOINTS[part]}" for part in JOINTS if part not in lacking}
    assert farthest(rig, character, dance, (0, 100, 239)) < 1e-4
    for start, end in LIMBS:
        if end in character.nodes:
            place = {joint: character.rest[character.nodes[joint], :3, 3] for joint in (start, end)}
            own = np.linalg.norm(place[end] - place[start])
            length = np.linalg.norm(dance.skeleton.offsets[dance.skeleton.index(end)])
            assert length == pytest.approx(own, rel=1e-6)


@pytest.mark.parametrize("kind", RIGS)
def test_limbs_point_where_the_dance_has_them(kind: str, wavy_motion: Motion, tmp_path: Path) -> None:
    """Before feet are planted: directions are the dance's, whatever pose the rig was modelled in."""
    character = read_character(build(tmp_path / "rig.glb", **RIGS[kind]))
    carried = with_offsets(wavy_motion, character.skeleton)
    rig = written(character, carried, tmp_path / "dance.glb").at(77)
    for start, end in LIMBS:
        if end in character.nodes:
            own = in_our_axes(rig, character, end) - in_our_axes(rig, character, start)
            a, b = (SMPL24.index(joint) for joint in (start, end))
            wanted = wavy_motion.positions[77, b] - wavy_motion.positions[77, a]
            assert own @ wanted / np.linalg.norm(own) / np.linalg.norm(wanted) > np.cos(np.radians(0.5))


def test_palms_follow_the_arm(tmp_path: Path) -> None:
    """An arm that hangs with the palm to the thigh has the palm down in the T-pose: it is raised, not rolled."""
    character = read_character(build(tmp_path / "rig.glb"))
    turn = character.turns[SMPL24.index("left_elbow")]
    assert np.abs(turn.as_rotvec()[0]) < 0.1 and turn.magnitude() == pytest.approx(np.radians(50), abs=0.1)


def test_standing_at_rest_has_soles_on_the_floor(tmp_path: Path) -> None:
    """SMPL standing upright at rest is the character standing with flat feet and its soles at height 0."""
    standing = Motion(
        np.tile([0.0, 0.0, 0.0, 1.0], (30, 24, 1)), np.tile([0.0, SMPL24.rest_height, 0.0], (30, 1)), 60.0
    )
    character = read_character(build(tmp_path / "rig.glb", unit=0.01))
    rig = written(character, character.dance(standing), tmp_path / "dance.glb")
    heights = np.concatenate(rig.at(15).skinned())[:, 1]
    assert heights.min() == pytest.approx(0.0, abs=0.002) and heights.max() < 0.05 - SOLE + 0.004


def test_foot_that_tilts_neither_sinks_in_nor_drags_its_toes(tmp_path: Path) -> None:
    """On its toes with the heel lifted the toes lie on the floor, bent; with the toes lifted the heel is on it."""
    tilted = np.tile([0.0, 0.0, 0.0, 1.0], (60, 24, 1))
    turns = np.radians(np.interp(np.arange(60), [0, 10, 50, 59], [0, 25, 25, 0]))
    for side, sign in SIDES.items():
        tilted[:, SMPL24.index(f"{side}_ankle")] = Rotation.from_rotvec(sign * turns[:, None] * [1.0, 0, 0]).as_quat()
    motion = Motion(tilted, np.tile([0.0, SMPL24.rest_height + 0.02, 0.0], (60, 1)), 60.0)
    character = read_character(build(tmp_path / "rig.glb"))
    rig = written(character, character.dance(motion), tmp_path / "dance.glb")
    for frame in (0, 12, 30, 48):
        assert np.concatenate(rig.at(frame).skinned())[:, 1].min() > -0.004
    toes = np.concatenate(rig.at(30).skinned())[8:16:2]
    assert np.ptp(toes[:, 1]) < 0.02
    rigid = with_offsets(motion, character.skeleton)
    rig = written(character, rigid, tmp_path / "rigid.glb")
    assert np.concatenate(rig.at(30).skinned())[:, 1].min() < -0.02


@pytest.mark.parametrize("figure", ["male", "female"])
def test_real_dance_on_real_characters(figure: str, shared_data: Path, tmp_path: Path) -> None:
    """Directions of limbs are the dance's; feet skate no more, soles stay out of the floor, the path is the dance's."""
    character = read_character(shared_data / "characters" / f"human-{figure}.glb")
    names = ("gHO_sBM_cAll_d20_mHO5_ch02", "gKR_sBM_cAll_d28_mKR2_ch02")
    for name in names:
        source = plant_feet(load_mocap(shared_data / "aistpp" / "motions" / f"{name}.pkl").cropped(0, 300))
        carried, dance = with_offsets(source, character.skeleton), character.dance(source)
        for start, end in LIMBS:
            a, b = SMPL24.index(start), SMPL24.index(end)
            own, wanted = (m.positions[:, b] - m.positions[:, a] for m in (carried, source))
            cosines = (own * wanted).sum(axis=1) / np.linalg.norm(own, axis=1) / np.linalg.norm(wanted, axis=1)
            assert np.degrees(np.arccos(cosines.min().clip(-1, 1))) < 1.0
        rig = written(character, dance, tmp_path / "dance.glb")
        assert farthest(rig, character, dance, (0, 150, 299)) < 1e-4
        lowest = [np.concatenate(rig.at(frame).skinned())[:, 1].min() for frame in range(0, 300, 50)]
        assert min(lowest) > -0.006
        before = skate_ratio(source.positions, source.fps)
        assert skate_ratio(dance.positions, dance.fps, character.skeleton) <= before + 0.01
        size = leg_length(character.skeleton) / leg_length(SMPL24)
        assert np.abs(dance.root[:, [0, 2]] - carried.root[:, [0, 2]]).max() < 1e-9 < size


@pytest.mark.parametrize(("write", "behind"), [(write_vrm, False), (write_vrm0, True)])
def test_real_avatars(
    write: Callable[..., None], behind: bool, shared_data: Path, wavy_motion: Motion, tmp_path: Path
) -> None:
    """The rest pose of a VRM is its nodes', though it was modelled in another; VRM 0.x looks along -Z."""
    write(shared_data / "characters" / "human-male.glb", tmp_path / "avatar.vrm")
    character = read_character(tmp_path / "avatar.vrm")
    assert np.allclose(character.axes.apply([0.0, 0.0, -1.0 if behind else 1.0]), [0.0, 0.0, 1.0])
    arm = character.rest[character.nodes["left_wrist"], :3, 3] - character.rest[character.nodes["left_shoulder"], :3, 3]
    assert np.allclose(arm / np.linalg.norm(arm), [-1.0 if behind else 1.0, 0.0, 0.0], atol=1e-3)
    dance = character.dance(wavy_motion)
    assert farthest(written(character, dance, tmp_path / "dance.vrm"), character, dance, (0, 200)) < 1e-4


def test_posed_file_is_taken_as_it_was_modelled(wavy_motion: Motion, tmp_path: Path) -> None:
    """Somebody saved the file with an arm raised and a finger bent: the bind pose is the rest pose."""

    def pose(json: dict[str, Any]) -> None:
        for node in json["nodes"]:
            if node["name"] in ("leftUpperArm", "hips", "leftMiddleProximal", "leftMiddleIntermediate"):
                posed = Rotation.from_quat(node["rotation"]) * Rotation.from_euler("x", 40, degrees=True)
                node["rotation"] = posed.as_quat().tolist()

    plain = read_character(build(tmp_path / "plain.glb"))
    posed = read_character(build(tmp_path / "posed.glb", change=pose))
    assert np.allclose(plain.skeleton.offsets, posed.skeleton.offsets, atol=1e-5)
    dance = posed.dance(wavy_motion)
    rig = written(posed, dance, tmp_path / "dance.glb")
    assert farthest(rig, posed, dance, (0, 100)) < 1e-4
    straight = written(plain, plain.dance(wavy_motion), tmp_path / "straight.glb")
    for finger in ("leftMiddleProximal", "leftMiddleIntermediate"):
        assert np.allclose(rig.at(100).place(finger), straight.at(100).place(finger), atol=1e-4)


def test_bones_that_lie_side_by_side_go_along(wavy_motion: Motion, tmp_path: Path) -> None:
    """A rig without a hierarchy, as some exporters write it: joints are moved as well as turned, and hair follows."""

    def flatten(json: dict[str, Any]) -> None:
        rig = Rig(Document(json))
        json["nodes"][numbers["leftLowerArm"]].update(_parts(json["nodes"][numbers["leftLowerArm"]].pop("matrix")))
        worlds = {node["name"]: rig.world(node["name"]) for node in json["nodes"]}
        joints = json["skins"][0]["joints"]
        for number in joints:
            node = json["nodes"][number]
            node.pop("children", None)
            node["translation"] = worlds[node["name"]][:3, 3].tolist()
            node["rotation"] = Rotation.from_matrix(worlds[node["name"]][:3, :3]).as_quat().tolist()
        json["nodes"][0]["children"] = list(joints)

    numbers = {bone: number for number, bone in enumerate(body(), 1)}
    character = read_character(build(tmp_path / "flat.glb", change=flatten))
    dance = character.dance(wavy_motion)
    rig = written(character, dance, tmp_path / "dance.glb")
    assert farthest(rig, character, dance, (0, 100)) < 1e-4
    finger, hand = (
        np.linalg.inv(rig.at(frame).world("leftHand")) @ rig.at(frame).world("leftMiddleIntermediate")
        for frame in (0, 100)
    )
    assert np.allclose(finger, hand, atol=1e-5)


def _parts(matrix: list[float]) -> dict[str, Any]:
    local = np.array(matrix).reshape(4, 4).T
    return {
        "translation": local[:3, 3].tolist(), "rotation": Rotation.from_matrix(local[:3, :3]).as_quat().tolist()
    }  # fmt: skip


def test_compressed_mesh_has_no_soles_and_dances_all_the_same(wavy_motion: Motion, tmp_path: Path) -> None:
    def compress(json: dict[str, Any]) -> None:
        del json["accessors"][json["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]["bufferView"]

    character = read_character(build(tmp_path / "rig.glb", change=compress))
    assert character.soles.depth == 0
    dance = character.dance(wavy_motion)
    rig = written(character, dance, tmp_path / "dance.glb")
    assert farthest(rig, character, dance, (100,)) < 1e-4


def test_everything_else_is_kept(wavy_motion: Motion, tmp_path: Path) -> None:
    """Extensions, face shapes, materials and meshes stay; animations that were there give way to the dance."""

    def add(json: dict[str, Any]) -> None:
        json["extensions"]["VRMC_springBone"] = {"specVersion": "1.0", "springs": [{"joints": [{"node": 3}]}]}
        json["materials"] = [{"name": "cloth", "extensions": {"KHR_materials_unlit": {}}}]
        sampler = {"input": 0, "output": 0, "interpolation": "STEP"}
        json["animations"] = [
            {"name": "old", "channels": [{"sampler": 0, "target": {"node": 1, "path": "scale"}}], "samplers": [sampler]}
        ]

    path = build(tmp_path / "rig.vrm", vrm="VRMC_vrm", change=add)
    before = read_document(path)
    character = read_character(path)
    write_character(character, character.dance(wavy_motion), tmp_path / "dance.vrm", title="samba \udcff")
    after = read_document(tmp_path / "dance.vrm")
    for group in ("meshes", "materials", "skins", "scenes", "extensions", "extensionsUsed", "asset"):
        assert after.json[group] == before.json[group]
    assert after.binary[: len(before.binary)] == before.binary
    count = len(before.json["accessors"])
    assert after.json["accessors"][:count] == before.json["accessors"]
    assert [animation["name"] for animation in after.json["animations"]] == ["samba ?"]
    turned = {channel["target"]["node"] for channel in after.json["animations"][0]["channels"]}
    assert turned <= set(character.nodes.values())
    assert json.dumps(character.document.json) == json.dumps(before.json)


def test_size_and_proportions_do_not_matter(wavy_motion: Motion) -> None:
    """The same body ten times as large dances the same dance ten times as large."""
    short = replace(SMPL24, offsets=SMPL24.offsets * [1.3, 0.8, 1.0])
    giant = replace(short, offsets=short.offsets * 10)
    small, large = (on_own_proportions(wavy_motion, skeleton) for skeleton in (short, giant))
    assert np.allclose(small.positions * 10, large.positions, atol=1e-6)
    assert np.allclose(with_offsets(wavy_motion, SMPL24).positions, wavy_motion.positions)


OTHER_BUILD = replace(SMPL24, offsets=SMPL24.offsets * [1.2, 0.85, 1.1])


def seam(motion: Motion) -> float:
    """Metres by which joints of the legs miss, over the seam of a loop, where they were going."""
    legs = [SMPL24.index(f"{side}_{part}") for side in SIDES for part in ("knee", "ankle", "foot")]
    before, last, first = motion.positions[[-2, -1, 0]][:, legs]
    return float(np.linalg.norm(first - 2 * last + before, axis=-1).max())


def test_loop_stays_a_loop(shared_data: Path) -> None:
    dance = plant_feet(load_mocap(shared_data / "aistpp" / "motions" / "gLH_sBM_cAll_d17_mLH4_ch02.pkl"))
    loop = looped(dance, 240, True)
    own = on_own_proportions(loop, OTHER_BUILD, cyclic=True)
    assert len(own) == len(loop) and seam(own) < seam(loop) + 0.002
    assert seam(on_own_proportions(loop, OTHER_BUILD)) > 0.02


def test_feet_of_a_dance_in_its_place_slide_on(shared_data: Path) -> None:
    """They are not nailed down while the body is held back: legs stretch no farther than when it travels."""
    dance = plant_feet(
        load_mocap(shared_data / "aistpp" / "motions" / "gPO_sBM_cAll_d11_mPO1_ch02.pkl").cropped(0, 240)
    )
    slid = replace(dance, root=dance.root - np.linspace(0, 1.6, 240)[:, None] * [1.0, 0.0, 0.0])
    travelling, held = (on_own_proportions(motion, OTHER_BUILD) for motion in (dance, slid))
    ankles = [SMPL24.index("left_ankle"), SMPL24.index("right_ankle")]
    one, other = (motion.positions[:, ankles] - motion.root[:, None] for motion in (travelling, held))
    assert np.linalg.norm(one - other, axis=-1).mean() < 0.03


KNOWN_NAMES = {
    "Mixamo": "mixamorig:Hips mixamorig:Neck mixamorig:Head mixamorig:{Left|Right}Shoulder Arm ForeArm Hand UpLeg Leg Foot ToeBase",
    "Mixamo, numbered": "mixamorig9_Hips mixamorig9_Neck mixamorig9_Head mixamorig9_{Left|Right}Shoulder Arm ForeArm Hand UpLeg Leg Foot ToeBase",
    "Ready Player Me": "Hips Neck Head {Left|Right}Shoulder Arm ForeArm Hand UpLeg Leg Foot ToeBase",
    "Unreal": "pelvis neck_01 head clavicle{_l|_r} upperarm lowerarm hand thigh calf foot ball",
    "VRoid": "J_Bip_C_Hips J_Bip_C_Neck J_Bip_C_Head J_Bip_{L_|R_}Shoulder UpperArm LowerArm Hand UpperLeg LowerLeg Foot ToeBase",
    "Rigify": "DEF-spine DEF-spine.004 DEF-spine.006 DEF-shoulder{.L|.R} DEF-upper_arm DEF-forearm DEF-hand DEF-thigh DEF-shin DEF-foot DEF-toe",
    "Biped": "Bip01_Pelvis Bip01_Neck Bip01_Head Bip01_{L_|R_}Clavicle UpperArm Forearm Hand Thigh Calf Foot Toe0",
    "Character Creator": "CC_Base_Hip CC_Base_NeckTwist01 CC_Base_Head CC_Base_{L_|R_}Clavicle Upperarm Forearm Hand Thigh Calf Foot ToeBase",
    "Daz": "hip neckLower head {l|r}Collar ShldrBend ForearmBend Hand ThighBend Shin Foot Toe",
    "VRChat": "Hips Neck Head {Left_|Right_}shoulder arm elbow wrist leg knee ankle toe",
    "SMPL": "pelvis neck head {left_|right_}collar shoulder elbow wrist hip knee ankle foot",
}
NOISE = {
    "Unreal": ["ik_foot_l", "ik_hand_l", "upperarm_twist_01_l", "thigh_twist_01_l", "root"],
    "Rigify": ["hips", "head", "neck", "ORG-spine", "ORG-thigh.L", "hand_ik.L", "DEF-thigh.L.001"],
    "Character Creator": ["CC_Base_Pelvis", "CC_Base_L_ThighTwist01"],
    "SMPL": ["left_hand", "right_hand"],
    "Mixamo": ["mixamorig:HeadTop_End", "mixamorig:LeftToe_End", "mixamorig:LeftHandThumb1"],
}


def names_of(style: str) -> dict[str, str]:
    """Humanoid bone to name, out of one line of :data:`KNOWN_NAMES`: the marks of the sides stand where a name has them."""
    words = KNOWN_NAMES[style].split()
    start = next(number for number, word in enumerate(words) if "{" in word)
    names = dict(zip(("hips", "neck", "head"), words[:start], strict=True))
    before, marks, after = words[start].replace("}", "{").split("{")
    for side, mark in zip(SIDES, marks.split("|"), strict=True):
        for part, word in zip(JOINTS, [after or before, *words[start + 1 :]], strict=True):
            names[side + part] = f"{before}{mark}{word}" if after else f"{word}{mark}"
    return names


@pytest.mark.parametrize("style", KNOWN_NAMES)
def test_bones_are_known_by_their_names(style: str) -> None:
    names = names_of(style)
    nodes = [*NOISE.get(style, []), *names.values()]
    found = known_bones(nodes, range(len(nodes)))
    assert {bone: nodes[node] for bone, node in found.items()} == names


def test_numbers_behind_names_do_not_matter() -> None:
    nodes = [f"{name}_0{number}" for number, name in enumerate(["root", *names_of("Mixamo").values()], 10)]
    assert len(known_bones(nodes, range(len(nodes)))) == 19


def test_long_trunk_turns_in_three_places(tmp_path: Path) -> None:
    """Of five bones the first, the middle and the last are turned."""
    renamed = {"spine": "spine_01", "chest": "spine_02", "upperChest": "spine_04", "neck": "spine_05"}

    def lengthen(json: dict[str, Any]) -> None:
        head = next(number for number, node in enumerate(json["nodes"]) if node["name"] == "head")
        chest = next(number for number, node in enumerate(json["nodes"]) if node["name"] == "spine_02")
        json["nodes"].append({"name": "spine_03", "children": json["nodes"][chest]["children"]})
        json["nodes"][chest]["children"] = [len(json["nodes"]) - 1]
        assert json["nodes"][head]["name"] == "head"

    character = read_character(build(tmp_path / "rig.glb", names=lambda bone: renamed.get(bone, bone), change=lengthen))
    trunk = [character.tree.names[character.nodes[joint]] for joint in ("spine1", "spine2", "spine3")]
    assert trunk == ["spine_01", "spine_03", "spine_05"]


def test_names_from_a_list(wavy_motion: Motion, tmp_path: Path) -> None:
    """A rig of which nothing is known dances once the user says which bone is which."""
    path = build(tmp_path / "rig.glb", names=lambda bone: f"x{bone[::-1]}")
    with pytest.raises(DuendeError, match=r"hips, spine, head, .*leftUpperArm.*joints are called xspih, xenips.*YAML"):
        read_character(path)
    listed = {bone: f"x{bone[::-1]}" for bone in body() if not bone.endswith(("Proximal", "Intermediate"))}
    (tmp_path / "names.yaml").write_text("bones: " + json.dumps(listed))
    character = read_character(path, tmp_path / "names.yaml")
    dance = character.dance(wavy_motion)
    assert farthest(written(character, dance, tmp_path / "dance.glb"), character, dance, (50,)) < 1e-4


def test_a_list_mends_one_bone(tmp_path: Path) -> None:
    path = build(tmp_path / "rig.glb", names=lambda bone: {"hips": "Ground"}.get(bone, bone))
    (tmp_path / "names.yaml").write_text("bones: {hips: Ground}")
    character = read_character(path, tmp_path / "names.yaml")
    assert character.tree.names[character.nodes["pelvis"]] == "Ground" and len(character.nodes) == 22


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bones: [hips", "cannot be read as YAML"),
        ("hips: MyHip", "holds no names of bones"),
        ("[1, 2]", "holds no names of bones"),
        ("bones: {hipps: Hips}", "hipps is no bone that dances; the bones are hips, spine"),
        ("bones: {hips: Missing}", "hips should be Missing, and there is no such node; its joints are called hips"),
        ("bones: {leftFoot: rightFoot, rightFoot: rightFoot}", "rightFoot cannot be both leftFoot and rightFoot"),
    ],
)
def test_wrong_list(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text(text)
    with pytest.raises(DuendeError, match=message):
        read_character(build(tmp_path / "rig.glb"), tmp_path / "names.yaml")


def test_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match=r"no file .*none\.yaml with names of bones"):
        read_character(build(tmp_path / "rig.glb"), tmp_path / "none.yaml")


def _without_skin(json: dict[str, Any]) -> None:
    del json["skins"], json["nodes"][-1]["skin"]


def _circle(json: dict[str, Any]) -> None:
    json["nodes"][0]["children"] = []
    json["nodes"][3]["children"].append(1)


def _two_parents(json: dict[str, Any]) -> None:
    json["nodes"][0]["children"].append(3)


def _stray_child(json: dict[str, Any]) -> None:
    json["nodes"][3]["children"].append(999)


def _stray_joint(json: dict[str, Any]) -> None:
    json["skins"][0]["joints"][0] = 999


def _stretched(json: dict[str, Any]) -> None:
    json["nodes"][0]["scale"] = [1.0, 2.0, 1.0]


def _flat_matrices(json: dict[str, Any]) -> None:
    json["skins"][0]["inverseBindMatrices"] = 999


def _no_nodes(json: dict[str, Any]) -> None:
    json["nodes"] = []


def _bad_turn(json: dict[str, Any]) -> None:
    json["nodes"][2]["rotation"] = "left"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"without": ("UpperLeg", "LowerLeg")},
            "no bones are known as leftUpperLeg, rightUpperLeg, leftLowerLeg, right",
        ),
        ({"vrm": "VRMC_vrm", "without": ("Foot", "head")}, "the VRM lacks the bones head, leftFoot, rightFoot"),
        ({"vrm": "VRM", "without": ("spine", "chest", "upperChest")}, "the VRM lacks the bones spine"),
        ({"change": _without_skin}, "has no skinned mesh"),
        ({"change": _circle}, "hangs from itself in a circle"),
        ({"change": _two_parents}, "node 3 hangs from two others"),
        ({"change": _stray_child}, "node 3 has a child 999 that is not in the file"),
        ({"change": _stray_joint}, "its skin 0 has joints that are not in the file"),
        ({"change": _stretched}, "is mirrored or not scaled alike along its axes"),
        ({"change": _flat_matrices}, "array 999 of the file is damaged"),
        ({"change": _no_nodes}, "it has no nodes"),
        ({"change": _bad_turn}, "its nodes are damaged"),
    ],
)
def test_files_that_cannot_dance(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "rig.glb"
    with pytest.raises(DuendeError, match=message) as told:
        read_character(build(path, **options))
    assert str(told.value).startswith(str(path)) and "\n" not in str(told.value)


def test_text_is_no_character(tmp_path: Path) -> None:
    (tmp_path / "rig.glb").write_text("hello")
    with pytest.raises(DuendeError, match="is not a binary glTF file"):
        read_character(tmp_path / "rig.glb")


def test_huge_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "rig.glb").open("wb") as file:
        file.truncate(600 * 2**20)
    with pytest.raises(DuendeError, match="at most 512 are read"):
        read_character(tmp_path / "rig.glb")


def test_of_two_skins_the_one_that_is_a_body(wavy_motion: Motion, tmp_path: Path) -> None:
    """A prop with a skin of its own comes first in the file."""

    def add(json: dict[str, Any]) -> None:
        json["nodes"] += [{"name": "handle", "children": [len(json["nodes"]) + 1]}, {"name": "spine"}]
        json["skins"].insert(0, {"joints": [len(json["nodes"]) - 2, len(json["nodes"]) - 1]})
        json["nodes"][-3]["skin"] = 1

    character = read_character(build(tmp_path / "rig.glb", change=add))
    assert len(character.nodes) == 22 and character.tree.parents[character.nodes["spine1"]] == character.nodes["pelvis"]


def test_dance_of_another_body_is_refused(wavy_motion: Motion, tmp_path: Path) -> None:
    character = read_character(build(tmp_path / "rig.glb"))
    with pytest.raises(DuendeError, match=r"carry it over with Character\.dance"):
        write_character(character, wavy_motion, tmp_path / "dance.glb")


@pytest.mark.browser
def test_validator_finds_nothing_new(
    shared_data: Path, wavy_motion: Motion, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cache = packages(request.config.cache.mkdir("web"))
    files = [shared_data / "characters" / "human-male.glb", build(tmp_path / "mixamo.glb", names=mixamo, unit=0.01)]
    write_vrm(files[0], tmp_path / "avatar.vrm")
    for number, path in enumerate([*files, tmp_path / "avatar.vrm"]):
        character = read_character(path)
        written_file = tmp_path / f"dance{number}.glb"
        write_character(character, character.dance(wavy_motion), written_file)
        before, after = issues(cache, path, written_file)
        assert after["numErrors"] == before["numErrors"] == 0
        assert after["numWarnings"] <= before["numWarnings"]


@pytest.mark.browser
def test_other_readers_see_the_dance(
    shared_data: Path, wavy_motion: Motion, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Joints of a played file in three.js are where the dance has them, with the soles at height 0."""
    cache = packages(request.config.cache.mkdir("web"))
    character = read_character(shared_data / "characters" / "human-male.glb")
    dance = character.dance(wavy_motion)
    write_character(character, dance, tmp_path / "dance.glb")
    joints = [character.skeleton.index(joint) for joint in character.nodes]
    bones = [character.tree.names[node] for node in character.nodes.values()]
    frames = (0, 90, 239)
    job = {"model": "dance.glb", "bones": bones, "times": [frame / 60 for frame in frames], "stride": 0}
    report = play(cache, {"dance.glb": tmp_path / "dance.glb"}, job)
    for frame, seen in zip(frames, report["frames"], strict=True):
        wanted = dance.positions[frame, joints] + [0.0, character.soles.depth, 0.0]
        assert np.abs(np.array(seen["joints"]) - wanted).max() < 1e-4
