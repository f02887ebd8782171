"""The dance as a VRM animation: a T-pose at rest as VRM wants it, and avatars whose limbs point where the dance's do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from web.browser import drawn, issues, packages, play
from web.rig import Rig
from web.vrm_models import write_vrm, write_vrm0

from duende.errors import DuendeError
from duende.formats.aistpp import read_aistpp
from duende.formats.body import load_body
from duende.formats.gltf.document import Document, read_document
from duende.formats.renderer import standing_floor
from duende.formats.vrma import write_vrma
from duende.motion import SMPL24, Motion, Skeleton
from duende.motion.humanoid import HUMANOID, straightened, with_stiff_upper_chest

FRAMES = (0, 1, 57, 120, 239)
REQUIRED = {"hips", "spine", "head"} | {
    side + bone
    for side in ("left", "right")
    for bone in ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
}
LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
LONG_ARMED = replace(SMPL24, offsets=SMPL24.offsets * [1.2, 0.9, 1.0])


def bones_of(document: Document) -> dict[str, int]:
    bones = document.json["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    return {name: bone["node"] for name, bone in bones.items()}


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between directions ``(N, 3)``."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.degrees(np.arccos(np.clip((first * second).sum(axis=1) / lengths, -1, 1)))


def test_extension_says_which_node_is_which_bone(wavy_motion: Motion, tmp_path: Path) -> None:
    write_vrma(wavy_motion, tmp_path / "dance.vrma")
    document = read_document(tmp_path / "dance.vrma")
    assert document.json["extensionsUsed"] == ["VRMC_vrm_animation"]
    assert document.json["extensions"]["VRMC_vrm_animation"]["specVersion"] == "1.0"
    bones = bones_of(document)
    assert set(bones) == set(HUMANOID.values()) and set(bones) >= REQUIRED
    for name, node in bones.items():
        assert document.json["nodes"][node]["name"] == name
    for channel in document.json["animations"][0]["channels"]:
        node, path = channel["target"]["node"], channel["target"]["path"]
        assert node in bones.values()
        assert path == "rotation" or (path == "translation" and node == bones["hips"])


@pytest.mark.parametrize("skeleton", [SMPL24, LONG_ARMED])
def test_rest_is_the_t_pose_of_vrm(skeleton: Skeleton, wavy_motion: Motion, tmp_path: Path) -> None:
    write_vrma(replace(wavy_motion, skeleton=skeleton), tmp_path / "dance.vrma")
    rig = Rig(read_document(tmp_path / "dance.vrma"))
    assert not any("rotation" in node or "scale" in node for node in rig.nodes)
    for side, outwards in (("left", 1.0), ("right", -1.0)):
        arm = rig.places(tuple(side + bone for bone in ("UpperArm", "LowerArm", "Hand")))
        leg = rig.places(tuple(side + bone for bone in ("UpperLeg", "LowerLeg", "Foot")))
        assert np.abs(np.diff(arm, axis=0)[:, 1:]).max() < 1e-6 and (np.diff(arm[:, 0]) * outwards > 0.2).all()
        assert np.abs(np.diff(leg, axis=0)[:, [0, 2]]).max() < 1e-6 and (np.diff(leg[:, 1]) < -0.3).all()
        foot = rig.place(f"{side}Toes") - leg[2]
        assert abs(foot[0]) < 1e-6 and foot[2] > 0.1
    lowest = min(rig.place(f"{side}Toes")[1] for side in ("left", "right"))
    assert lowest == pytest.approx(load_body().sole, abs=1e-6)


@pytest.mark.parametrize("skeleton", [SMPL24, LONG_ARMED])
def test_joints_go_where_the_motion_goes(skeleton: Skeleton, wavy_motion: Motion, tmp_path: Path) -> None:
    motion = replace(wavy_motion, skeleton=skeleton)
    write_vrma(motion, tmp_path / "dance.vrma")
    rig = Rig(read_document(tmp_path / "dance.vrma"))
    ground = np.array([0.0, standing_floor(motion, load_body()), 0.0])
    exact = with_stiff_upper_chest(motion)
    below = [name for name in HUMANOID if name.split("_")[-1] in ("pelvis", "hip", "knee", "ankle", "foot", "spine1")]
    for frame in FRAMES:
        posed = rig.at(frame)
        for name, bone in HUMANOID.items():
            place, joint = posed.place(bone) + ground, SMPL24.index(name)
            assert np.abs(place - exact.positions[frame, joint]).max() < 1e-4
            assert name not in below or np.abs(place - motion.positions[frame, joint]).max() < 1e-4


def test_straightened_moves_nothing(wavy_motion: Motion) -> None:
    for skeleton in (SMPL24, LONG_ARMED):
        motion = replace(wavy_motion, skeleton=skeleton)
        assert np.abs(straightened(motion).positions - motion.positions).max() < 1e-9


def test_stiff_upper_chest_keeps_arms_and_head(wavy_motion: Motion) -> None:
    stiff, at = with_stiff_upper_chest(wavy_motion), SMPL24.index
    assert np.abs(stiff.rotations[:, at("spine3"), :3]).max() < 1e-9
    kept = [joint for joint, name in enumerate(SMPL24.names) if name not in ("spine1", "spine2")]
    same = (stiff.global_rotations[:, kept] * wavy_motion.global_rotations[:, kept]).sum(axis=2)
    assert np.abs(same).min() > 1 - 1e-9
    placed = [joint for joint, name in enumerate(SMPL24.names) if name != "spine2"]
    assert np.abs(stiff.positions[:, placed] - wavy_motion.positions[:, placed]).max() < 0.02


def test_standing_dancer_has_the_soles_at_height_0(tmp_path: Path) -> None:
    root = np.tile([0.0, SMPL24.rest_height + 0.03, 0.0], (30, 1))
    standing = Motion(np.tile([0.0, 0.0, 0.0, 1.0], (30, 24, 1)), root)
    write_vrma(standing, tmp_path / "dance.vrma")
    rig = Rig(read_document(tmp_path / "dance.vrma"))
    assert min(rig.at(10).place(f"{side}Toes")[1] for side in ("left", "right")) == pytest.approx(load_body().sole)


def test_other_joints_are_refused(tmp_path: Path) -> None:
    stick = Skeleton(("hip", "head"), (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    with pytest.raises(DuendeError, match="2 others; retarget"):
        write_vrma(Motion(np.tile([0, 0, 0, 1.0], (3, 2, 1)), np.zeros((3, 3)), 60.0, stick), tmp_path / "dance.vrma")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told(wavy_motion: Motion, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DuendeError, match=r"cannot write .*dance.vrma"):
        write_vrma(wavy_motion, tmp_path / "file" / "dance.vrma")


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_validator_finds_no_error(wavy_motion: Motion, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cache = packages(request.config.cache.mkdir("web"))
    write_vrma(wavy_motion, tmp_path / "dance.vrma")
    (found,) = issues(cache, tmp_path / "dance.vrma")
    # It does not know the extension, and tips of limbs are nodes without anything: both are notes, no warnings.
    assert {message["code"] for message in found["messages"]} == {"UNSUPPORTED_EXTENSION", "NODE_EMPTY"}
    assert found["numErrors"] == found["numWarnings"] == 0


@pytest.mark.browser
@pytest.mark.shared_data
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["1.0", "1.0 without upperChest", "0.x"])
def test_on_an_avatar(kind: str, shared_data: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cache = packages(request.config.cache.mkdir("web"))
    motion = read_aistpp(shared_data / "aistpp" / "motions" / "gLH_sBM_cAll_d17_mLH4_ch02.pkl")
    write_vrma(motion, tmp_path / "dance.vrma")
    character, model = shared_data / "characters" / "human-male.glb", tmp_path / "avatar.vrm"
    if kind == "0.x":
        write_vrm0(character, model)
    else:
        write_vrm(character, model, ("upperChest",) if "without" in kind else ())
    shown = motion.warped(np.arange(0, motion.duration, 0.7))
    job = {
        "model": "a.vrm",
        "animation": "d.vrma",
        "times": [0.7 * number for number in range(len(shown))],
        "bones": list(HUMANOID.values()),
        "picture": {"width": 80, "height": 120, "floor": 0.0, "places": shown.root[:, [0, 2]].tolist()},
    }
    report = play(cache, {"a.vrm": model, "d.vrma": tmp_path / "dance.vrma"}, job)
    assert report["complaints"] == []
    assert report["duration"] == pytest.approx((len(motion) - 1) / motion.fps)
    joints = np.array([[place or [np.nan] * 3 for place in seen["joints"]] for seen in report["frames"]])
    assert_limbs_point_alike(dict(zip(HUMANOID, joints.swapaxes(0, 1), strict=True)), shown)
    hips = list(HUMANOID).index("pelvis")
    scale = report["rest"][hips][1] / Rig(read_document(tmp_path / "dance.vrma")).place("hips")[1]
    path = shown.root - [0.0, standing_floor(motion, load_body()), 0.0]
    assert np.abs(joints[:, hips] - scale * path).max() < 1e-3
    # The avatar is orange, its stage is grey.
    blue, _, red = np.moveaxis(drawn(report).astype(int), 2, 0)
    assert (red - blue > 60).reshape(120, -1, 80).mean(axis=(0, 2)).min() > 0.05, "the avatar is not in its picture"


def assert_limbs_point_alike(avatar: dict[str, np.ndarray], dance: Motion) -> None:
    """Compare arms, legs and feet of an avatar, ``(T, 3)`` by joint, with those of the dance."""
    for side in ("left", "right"):
        for start, end in ((f"{side}_{a}", f"{side}_{b}") for a, b in (*LIMBS, ("ankle", "foot"))):
            ours = dance.positions[:, SMPL24.index(end)] - dance.positions[:, SMPL24.index(start)]
            apart = angles(avatar[end] - avatar[start], ours)
            if end.endswith("foot"):
                # How far a foot points down at rest is the avatar's own; to the side it points as the dancer's does.
                assert apart.max() < 8 and np.ptp(apart) < 0.5
            else:
                assert apart.max() < 0.1
