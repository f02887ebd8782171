"""Quaternion arithmetic and kinematics against scipy's Rotation, joint by joint."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from duende.motion import SMPL24, Motion, quaternions
from duende.motion.kinematics import forward_kinematics, global_rotations, local_rotations, resample_quaternions

CLOSE = 1e-12


@pytest.fixture
def turns() -> tuple[np.ndarray, np.ndarray]:
    """Two times more turns than a block holds."""
    count = 2 * quaternions.BLOCK + 3
    first, second = (Rotation.random(count, random_state=seed).as_quat() for seed in (0, 1))
    return first, second


def test_products_and_turned_vectors_are_scipys(turns: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = turns
    vectors = np.random.default_rng(0).normal(size=(len(first), 3))
    ours = quaternions.product(first, second)
    np.testing.assert_allclose(ours, (Rotation.from_quat(first) * Rotation.from_quat(second)).as_quat(), atol=CLOSE)
    np.testing.assert_allclose(
        quaternions.applied(first, vectors), Rotation.from_quat(first).apply(vectors), atol=CLOSE
    )
    np.testing.assert_allclose(
        quaternions.applied(first, vectors[0]), Rotation.from_quat(first).apply(vectors[0]), atol=CLOSE
    )
    back = quaternions.product(quaternions.inverse(first), first)
    np.testing.assert_allclose(back, np.tile([0.0, 0.0, 0.0, 1.0], (len(first), 1)), atol=CLOSE)


def test_shapes_are_broadcast(turns: tuple[np.ndarray, np.ndarray]) -> None:
    grid = turns[0][:24].reshape(6, 4, 4)
    ours = quaternions.product(grid, turns[1][:4])
    assert ours.shape == (6, 4, 4)
    np.testing.assert_array_equal(ours[3, 2], quaternions.product(grid[3, 2], turns[1][2]))
    assert quaternions.product(grid[:0], grid[:0]).shape == (0, 4, 4)


@pytest.mark.parametrize("apart", [None, 1e-3, 1e-9, 0.0])
def test_the_way_between_turns_is_the_short_one_at_an_even_pace(
    turns: tuple[np.ndarray, np.ndarray], apart: float | None
) -> None:
    first, second = turns
    if apart is not None:
        second = -quaternions.normalised(first + apart * second)
    share = np.random.default_rng(0).random(len(first))
    start, turn = Rotation.from_quat(first), Rotation.from_quat(first).inv() * Rotation.from_quat(second)
    expected = (start * Rotation.from_rotvec(turn.as_rotvec() * share[:, None])).as_quat()
    np.testing.assert_allclose(quaternions.between(first, second, share), expected, atol=CLOSE)


def test_the_shortest_turn_goes_there_even_where_it_is_half_a_turn() -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(size=(50, 3))
    target = rng.normal(size=(50, 3))
    source[0], target[0] = [0.0, 1.0, 0.0], [0.0, -2.0, 0.0]
    turn = quaternions.shortest_turn(source, target)
    np.testing.assert_allclose(quaternions.applied(turn, quaternions.unit(source)), quaternions.unit(target), atol=1e-9)
    angle = np.arccos(quaternions.dots(quaternions.unit(source), quaternions.unit(target)))
    np.testing.assert_allclose(Rotation.from_quat(turn).magnitude(), angle, atol=1e-6)


def test_kinematics_are_those_of_scipy_joint_by_joint(wavy_motion: Motion) -> None:
    rotations = np.tile(wavy_motion.rotations, (6, 1, 1)) * 1.5
    root = np.tile(wavy_motion.root, (6, 1))
    world: list[Rotation] = []
    places: list[np.ndarray] = []
    for joint, parent in enumerate(SMPL24.parents):
        turn = Rotation.from_quat(rotations[:, joint])
        world.append(turn if parent < 0 else world[parent] * turn)
        places.append(root if parent < 0 else places[parent] + world[parent].apply(SMPL24.offsets[joint]))
    ours = global_rotations(rotations, SMPL24)
    np.testing.assert_allclose(ours, np.stack([turn.as_quat() for turn in world], axis=1), atol=CLOSE)
    np.testing.assert_allclose(forward_kinematics(rotations, root, SMPL24), np.stack(places, axis=1), atol=CLOSE)
    np.testing.assert_allclose(local_rotations(ours, SMPL24), rotations / 1.5, atol=CLOSE)


def test_frames_between_frames_lie_on_the_sphere(wavy_motion: Motion) -> None:
    at = np.linspace(0, len(wavy_motion) - 1, 333)
    ours = resample_quaternions(wavy_motion.rotations, at)
    before = np.minimum(np.floor(at).astype(int), len(wavy_motion) - 1)
    after = np.minimum(before + 1, len(wavy_motion) - 1)
    joint = 16
    first, second = (Rotation.from_quat(wavy_motion.rotations[frames, joint]) for frames in (before, after))
    step = (first.inv() * second).as_rotvec() * (at - before)[:, None]
    np.testing.assert_allclose(ours[:, joint], (first * Rotation.from_rotvec(step)).as_quat(), atol=CLOSE)
