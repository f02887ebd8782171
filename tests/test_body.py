"""The body: a closed, light mesh that follows the skeleton without tearing or bleeding."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.body import Body, joint_transforms, load_body
from duende.formats.meshing import cut, decimate, face_normals, surface_nets
from duende.motion import SMPL24, Motion, Skeleton


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def posed(frames: int = 1, **turns: tuple[float, float, float]) -> Motion:
    """Stand at rest with some joints turned (degrees about x, y, z)."""
    rotations = np.zeros((frames, 24, 4))
    rotations[..., 3] = 1
    for name, angles in turns.items():
        rotations[:, SMPL24.index(name)] = Rotation.from_euler("xyz", angles, degrees=True).as_quat()
    return Motion(rotations, np.tile([0.0, SMPL24.rest_height, 0.0], (frames, 1)))


def volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    a, b, c = (vertices[triangles[:, k]].astype(float) for k in range(3))
    return float(np.sum(a * np.cross(b, c)) / 6)


def welded(body: Body) -> np.ndarray:
    _, number = np.unique(body.vertices, axis=0, return_inverse=True)
    return number.reshape(-1)[body.triangles]


def test_mesh_is_closed_light_and_of_human_size(body: Body) -> None:
    corners = welded(body)
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    forward = {tuple(edge) for edge in edges.tolist()}
    assert len(forward) == len(edges)
    assert all((b, a) in forward for a, b in forward)
    assert 3000 <= len(body.triangles) <= 5000
    extent = np.ptp(body.vertices, axis=0)
    assert 1.7 < extent[1] < 1.85 and 1.7 < extent[0] < 1.85 and extent[2] < 0.45
    assert 0.045 < volume(body.vertices, body.triangles) < 0.095
    assert 0.01 < body.sole < 0.04


def test_normals_point_outwards(body: Body) -> None:
    np.testing.assert_allclose(np.linalg.norm(body.normals, axis=1), 1, atol=1e-3)
    flat = face_normals(body.vertices, body.triangles)
    agree = np.sum(flat * body.normals[body.triangles].sum(axis=1), axis=1) > 0
    assert agree.mean() > 0.98


def test_every_joint_carries_something_and_weights_sum_to_one(body: Body) -> None:
    np.testing.assert_allclose(body.weights.sum(axis=1), 1, atol=1e-5)
    assert set(body.joints[:, 0].tolist()) == set(range(24))


def test_rest_pose_is_the_mesh_itself(body: Body) -> None:
    expected = body.vertices + np.array([0, SMPL24.rest_height, 0])
    np.testing.assert_allclose(body.skin_frame(posed(), 0), expected, atol=1e-5)


def test_whole_body_turns_rigidly(body: Body) -> None:
    turn = Rotation.from_euler("y", 70, degrees=True)
    expected = turn.apply(body.vertices) + np.array([0, SMPL24.rest_height, 0])
    motion = posed(pelvis=(0, 70, 0))
    np.testing.assert_allclose(body.skin_frame(motion, 0), expected, atol=1e-5)
    np.testing.assert_allclose(body.skin_normals(motion)[0], turn.apply(body.normals), atol=1e-5)


def test_blocks_and_single_frames_agree(body: Body, wavy_motion: Motion) -> None:
    motion = wavy_motion.cropped(0, 50)
    whole = body.skin(motion)
    assert whole.shape == (50, len(body.vertices), 3) and whole.dtype == np.float32
    np.testing.assert_allclose(np.concatenate(list(body.skin_blocks(motion, 7))), whole, atol=1e-5)
    np.testing.assert_allclose(body.skin_frame(motion, 31), whole[31], atol=1e-5)


def test_skin_equals_plain_linear_blending(body: Body, wavy_motion: Motion) -> None:
    motion = wavy_motion.cropped(60, 61)
    transforms = joint_transforms(motion)[0]
    chosen = np.arange(0, len(body.vertices), 97)
    for vertex in chosen:
        point = np.append(body.vertices[vertex], 1)
        expected = sum(
            weight * transforms[joint] @ point
            for joint, weight in zip(body.joints[vertex], body.weights[vertex], strict=True)
        )
        np.testing.assert_allclose(body.skin(motion)[0, vertex], expected, atol=1e-4)


def test_one_leg_does_not_pull_the_other(body: Body) -> None:
    moved = np.abs(body.skin_frame(posed(left_knee=(90, 0, 0), left_ankle=(40, 0, 0)), 0) - body.skin_frame(posed(), 0))
    right = (body.vertices[:, 0] < 0) & (body.vertices[:, 1] < -0.2)
    assert moved[right].max() < 1e-6
    assert moved.max() > 0.3


def test_lowered_arms_do_not_pull_the_hips_or_the_head(body: Body) -> None:
    lowered = posed(left_shoulder=(0, 0, -75), right_shoulder=(0, 0, 75))
    moved = np.linalg.norm(body.skin_frame(lowered, 0) - body.skin_frame(posed(), 0), axis=1)
    height = body.vertices[:, 1]
    assert moved[(height < 0.1) | (height > 0.62)].max() < 0.005


@pytest.mark.parametrize(
    "turns",
    [
        {"left_knee": (100, 0, 0), "right_knee": (100, 0, 0)},
        {"left_elbow": (0, -110, 0), "right_elbow": (0, 110, 0)},
        {"left_hip": (-80, 0, 0), "right_hip": (-80, 0, 0)},
        {"spine1": (25, 0, 0), "spine2": (25, 0, 0), "spine3": (10, 0, 0)},
    ],
)
def test_bends_keep_the_volume(body: Body, turns: dict[str, tuple[float, float, float]]) -> None:
    bent = body.skin_frame(posed(**turns), 0)
    assert volume(bent, body.triangles) == pytest.approx(volume(body.vertices, body.triangles), rel=0.06)


def test_other_skeletons_are_refused(body: Body) -> None:
    line = Skeleton(names=("root", "tip"), parents=(-1, 0), offsets=np.array([[0, 0, 0], [0, 1.0, 0]]))
    motion = Motion(np.tile([0.0, 0, 0, 1], (3, 2, 1)), np.zeros((3, 3)), 60.0, line)
    with pytest.raises(DuendeError, match="SMPL"):
        body.skin(motion)


def test_meshing_makes_a_ball_and_lightens_it() -> None:
    axis = np.linspace(-1.3, 1.3, 27)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    vertices, triangles = surface_nets(np.linalg.norm(grid, axis=-1) - 1, grid[0, 0, 0], axis[1] - axis[0])
    assert volume(vertices, triangles) == pytest.approx(4 / 3 * np.pi, rel=0.03)
    vertices, triangles = cut(vertices, triangles, vertices[:, 1] - 0.31)
    assert volume(vertices, triangles) == pytest.approx(4 / 3 * np.pi, rel=0.03)
    sides = np.sign(np.round(vertices[triangles][..., 1] - 0.31, 9))
    assert (np.ptp(sides, axis=1) <= 1).all()
    regions = (sides.sum(axis=1) > 0).astype(int)
    light, corners, kept = decimate(vertices, triangles, regions, np.ones(len(vertices)), 400)
    assert len(corners) <= 400 and len(kept) == len(corners)
    assert volume(light, corners) == pytest.approx(4 / 3 * np.pi, rel=0.05)
    border = np.intersect1d(corners[kept == 0], corners[kept == 1])
    np.testing.assert_allclose(light[border, 1], 0.31, atol=0.02)
