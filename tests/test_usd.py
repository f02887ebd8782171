"""USD files as USD's own library reads, checks and skins them."""

from __future__ import annotations

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duende.errors import DuendeError
from duende.formats.body import load_body
from duende.formats.usd import write_usd
from duende.motion import SMPL24, Motion, Skeleton

TENTH_OF_A_MILLIMETRE = 1e-4


@pytest.fixture
def pxr() -> Any:
    """USD's Python package; tests that need it are skipped without it."""
    return pytest.importorskip("pxr", reason="needs usd-core: pip install 'duende[usd]'")


def opened(path: Path) -> Any:
    from pxr import Usd

    return Usd.Stage.Open(str(path))


def faults(path: Path) -> list[str]:
    """What USD's own checks say of the file: all of its validators, in versions before 26 its usdchecker."""
    from pxr import UsdUtils

    if hasattr(UsdUtils, "ComplianceChecker"):
        checker = UsdUtils.ComplianceChecker()
        checker.CheckCompliance(str(path))
        return [*checker.GetErrors(), *checker.GetFailedChecks(), *checker.GetWarnings()]
    from pxr import UsdValidation

    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 20
    stage = opened(path)
    return [error.GetMessage() for error in UsdValidation.ValidationContext(validators).Validate(stage)]


def posed(path: Path) -> tuple[Any, Any]:
    """The stage and the query for its skeleton."""
    from pxr import Usd, UsdSkel

    stage, cache = opened(path), UsdSkel.Cache()
    cache.Populate(UsdSkel.Root(stage.GetDefaultPrim()), Usd.PrimDefaultPredicate)
    return stage, cache.GetSkelQuery(UsdSkel.Skeleton(stage.GetPrimAtPath("/Dancer/Skeleton")))


def joint_positions(path: Path, times: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of the joints and their places ``(T, J, 3)`` at some time codes."""
    _stage, query = posed(path)
    names = [joint.split("/")[-1] for joint in query.GetJointOrder()]
    return names, np.array([np.array(query.ComputeJointSkelTransforms(float(time)))[:, 3, :3] for time in times])


@pytest.mark.parametrize("suffix", [".usda", ".usdc"])
def test_usd_finds_no_fault_and_each_joint_in_its_place(
    suffix: str, wavy_motion: Motion, pxr: Any, tmp_path: Path
) -> None:
    path = tmp_path / f"dance{suffix}"
    write_usd(wavy_motion, path)
    assert faults(path) == []
    names, positions = joint_positions(path, np.arange(len(wavy_motion)))
    assert names == list(SMPL24.names)
    assert np.abs(positions - wavy_motion.positions).max() < TENTH_OF_A_MILLIMETRE


def test_the_validators_do_find_faults(wavy_motion: Motion, pxr: Any, tmp_path: Path) -> None:
    write_usd(wavy_motion.cropped(0, 2), tmp_path / "dance.usda")
    text = (tmp_path / "dance.usda").read_text(encoding="utf-8")
    assert 'upAxis = "Y"' in text
    (tmp_path / "broken.usda").write_text(text.replace('upAxis = "Y"', ""), encoding="utf-8")
    assert faults(tmp_path / "broken.usda") != []


def test_usd_skins_the_mannequin_as_we_do(wavy_motion: Motion, pxr: Any, tmp_path: Path) -> None:
    from pxr import Gf, UsdGeom, UsdSkel

    motion = wavy_motion.cropped(0, 40)
    write_usd(motion, tmp_path / "dance.usda")
    stage = opened(tmp_path / "dance.usda")
    assert UsdSkel.BakeSkinning(UsdSkel.Root(stage.GetDefaultPrim()), Gf.Interval(0, 39))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Dancer/Body"))
    body = load_body()
    for frame in (0, 17, 39):
        points, normals = (np.array(read.Get(frame)) for read in (mesh.GetPointsAttr(), mesh.GetNormalsAttr()))
        assert np.abs(points - body.skin_frame(motion, frame)).max() < TENTH_OF_A_MILLIMETRE
        ours = body.skin_normals(motion.cropped(frame, frame + 1))[0]
        cosines = (normals * ours).sum(axis=1) / np.linalg.norm(normals, axis=1) / np.linalg.norm(ours, axis=1)
        assert cosines.min() > 0.999


def test_the_scene_says_its_units_axes_length_and_rate(wavy_motion: Motion, pxr: Any, tmp_path: Path) -> None:
    from pxr import UsdGeom

    title = 'Señorita "x" { } #\nlast line'
    write_usd(replace(wavy_motion, fps=29.97), tmp_path / "dance.usda", title)
    stage = opened(tmp_path / "dance.usda")
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert stage.GetTimeCodesPerSecond() == stage.GetFramesPerSecond() == 29.97
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, len(wavy_motion) - 1)
    assert stage.GetDefaultPrim().GetDisplayName() == title
    assert stage.GetRootLayer().customLayerData["creator"].startswith("duende")


def test_the_mannequin_rests_on_the_floor_in_linear_colours(wavy_motion: Motion, pxr: Any, tmp_path: Path) -> None:
    from pxr import UsdGeom

    write_usd(wavy_motion.cropped(0, 3), tmp_path / "dance.usda")
    stage, query = posed(tmp_path / "dance.usda")
    mesh, body = UsdGeom.Mesh(stage.GetPrimAtPath("/Dancer/Body")), load_body()
    points = np.array(mesh.GetPointsAttr().Get())
    assert points[:, 1].min() == pytest.approx(0, abs=1e-5)
    assert points[:, 1].max() == pytest.approx(np.ptp(body.vertices[:, 1]), abs=1e-5)
    np.testing.assert_allclose(
        np.array(query.ComputeJointSkelTransforms(0, True)), np.array(query.GetJointWorldBindTransforms()), atol=1e-6
    )
    shown = np.array(mesh.GetDisplayColorAttr().Get())
    back = np.where(shown <= 0.0031308, shown * 12.92, 1.055 * shown ** (1 / 2.4) - 0.055)
    assert np.abs(back * 255 - body.colours).max() < 0.01


def test_the_boxes_hold_the_dancer_and_not_more(wavy_motion: Motion, pxr: Any, tmp_path: Path) -> None:
    from pxr import UsdSkel

    write_usd(wavy_motion, tmp_path / "dance.usda")
    stage = opened(tmp_path / "dance.usda")
    extent = UsdSkel.Root(stage.GetDefaultPrim()).GetExtentAttr()
    for frame in (0, 100):
        skinned = load_body().skin_frame(wavy_motion, frame)
        np.testing.assert_allclose(np.array(extent.Get(frame)), [skinned.min(axis=0), skinned.max(axis=0)], atol=1e-5)


def test_between_frames_the_movement_goes_on(wavy_motion: Motion, pxr: Any, tmp_path: Path) -> None:
    flipped = wavy_motion.rotations * np.where(np.arange(len(wavy_motion)) % 2, 1.0, -1.0)[:, None, None]
    write_usd(replace(wavy_motion, rotations=flipped), tmp_path / "dance.usda")
    times = np.arange(20, 40) + 0.5
    _, positions = joint_positions(tmp_path / "dance.usda", times)
    expected = wavy_motion.warped(times / wavy_motion.fps).positions
    assert np.abs(positions - expected).max() < TENTH_OF_A_MILLIMETRE


def test_a_dance_on_other_bones_is_a_skeleton_alone(wavy_motion: Motion, pxr: Any, tmp_path: Path) -> None:
    tall = replace(SMPL24, offsets=SMPL24.offsets * 1.2)
    motion = replace(wavy_motion, skeleton=tall)
    write_usd(motion, tmp_path / "dance.usda")
    assert faults(tmp_path / "dance.usda") == []
    assert not opened(tmp_path / "dance.usda").GetPrimAtPath("/Dancer/Body")
    _, positions = joint_positions(tmp_path / "dance.usda", np.arange(len(motion)))
    assert np.abs(positions - motion.positions).max() < TENTH_OF_A_MILLIMETRE


def test_any_tree_of_joints_is_written_with_names_that_usd_allows(pxr: Any, tmp_path: Path) -> None:
    tree = Skeleton(("root bone", "1st", "leg"), (-1, 0, 0), np.array([[0, 0, 0], [1.0, 0, 0], [0, -1.0, 0]]))
    motion = Motion(np.tile([0.0, 0, 0, 1], (2, 3, 1)), np.zeros((2, 3)), 30, tree)
    write_usd(motion, tmp_path / "tree.usda")
    assert faults(tmp_path / "tree.usda") == []
    assert joint_positions(tmp_path / "tree.usda", np.arange(1))[0] == ["root_bone", "_st", "leg"]
    with pytest.raises(DuendeError, match="'a_b'"):
        write_usd(replace(motion, skeleton=replace(tree, names=("root", "a b", "a_b"))), tmp_path / "twins.usda")
    assert not (tmp_path / "twins.usda").exists()


def test_a_suffix_that_is_not_usds_is_refused(wavy_motion: Motion, tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match=r"dance\.txt.*\.usda"):
        write_usd(wavy_motion, tmp_path / "dance.txt")


def test_without_usd_core_the_sentence_says_what_to_install(
    wavy_motion: Motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.split(".")[0] == "pxr":
            raise ModuleNotFoundError("No module named 'pxr'", name="pxr")
        return imported(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DuendeError, match=r"pip install 'duende\[usd\]'"):
        write_usd(wavy_motion, tmp_path / "dance.usda")
    assert not list(tmp_path.iterdir())
