"""BVH, the text format of motion capture: read any hierarchy, write ours with a T-pose at rest."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.files import replacing
from duende.motion import Motion, Skeleton

UNITS = {"cm": 100.0, "m": 1.0}
END_LENGTH = 0.08
"""Metres: length of the end sites that are written for joints without children."""


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[str] = field(default_factory=list)


def read_bvh(path: str | Path, fps: float | None = None, ends: bool = False) -> Motion:
    """Read a motion on the file's own skeleton, in the file's own unit.

    Args:
        path: of the file.
        fps: true frame rate where the header's is wrong.
        ends: also make a joint, called ``NAME end``, of each end site.

    Raises:
        DuendeError: the file is missing, is not BVH, or its hierarchy or frames are broken; the line is named.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8", errors="strict").splitlines()
    except FileNotFoundError:
        raise DuendeError(f"no file {path}; check the name") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DuendeError(f"{path} is not a BVH text file ({error}); export it again") from error
    numbered = iter(list(enumerate(lines, start=1)))
    joints = _hierarchy(numbered, path, ends)
    frames, interval, first = _motion_header(numbered, path)
    values = _values(lines[first:], frames, sum(len(joint.channels) for joint in joints), path, first)
    return _to_motion(joints, values, fps or 1.0 / interval, path)


def _hierarchy(lines: Iterator[tuple[int, str]], path: Path, ends: bool) -> list[_Joint]:
    joints: list[_Joint] = []
    stack: list[int] = []
    in_end_site = False
    for number, line in lines:
        words = line.split()
        if not words:
            continue
        keyword = words[0].upper()
        if keyword == "HIERARCHY":
            continue
        if keyword == "MOTION":
            if stack:
                raise DuendeError(f"{path}, line {number}: a closing brace is missing before MOTION; mend it")
            if not joints:
                raise DuendeError(f"{path}, line {number}: MOTION comes before any joint; mend the hierarchy")
            return joints
        try:
            if keyword in ("ROOT", "JOINT"):
                name = " ".join(words[1:]).split(":")[-1]
                if any(joint.name == name for joint in joints):
                    raise DuendeError(f"{path}, line {number}: joint {name!r} comes twice; rename one")
                if (keyword == "ROOT") != (not joints):
                    raise DuendeError(f"{path}, line {number}: one ROOT is expected, and first; mend the hierarchy")
                joints.append(_Joint(name, stack[-1] if stack else -1))
            elif keyword == "END":
                if ends:
                    joints.append(_Joint(f"{joints[stack[-1]].name} end", stack[-1]))
                in_end_site = not ends
            elif keyword == "{":
                stack.append(stack[-1] if in_end_site else len(joints) - 1)
            elif keyword == "}":
                stack.pop()
                in_end_site = False
            elif keyword == "OFFSET":
                if not in_end_site:
                    joints[-1].offset = [float(word) for word in words[1:4]]
                if len(words) != 4:
                    raise ValueError("three numbers are expected")
            elif keyword == "CHANNELS":
                joints[-1].channels = [word.lower() for word in words[2:]]
                known = {f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation")}
                if len(words) != 2 + int(words[1]) or not set(joints[-1].channels) <= known:
                    raise ValueError("channels do not match their count or are unknown")
            else:
                raise ValueError(f"{words[0]!r} is unknown")
        except (ValueError, IndexError) as error:
            raise DuendeError(f"{path}, line {number}: not a valid BVH hierarchy ({error}); export it again") from error
    raise DuendeError(f"{path} holds no MOTION section; it is cut short or not a BVH file, export it again")


def _motion_header(lines: Iterator[tuple[int, str]], path: Path) -> tuple[int, float, int]:
    found: dict[str, float] = {}
    for number, line in lines:
        if not line.strip():
            continue
        name, _, value = line.partition(":")
        try:
            found[name.strip().lower()] = float(value)
        except ValueError:
            raise DuendeError(
                f"{path}, line {number}: 'Frames:' and 'Frame Time:' are expected after MOTION; export it again"
            ) from None
        if len(found) == 2:
            break
    frames, interval = int(found.get("frames", 0)), found.get("frame time", 0.0)
    if frames < 1 or not interval > 0:
        raise DuendeError(f"{path} holds {frames} frames of {interval} seconds; at least one frame is needed")
    return frames, interval, number


def _values(lines: list[str], frames: int, channels: int, path: Path, first: int) -> np.ndarray:
    rows = [line for line in lines if line.strip()]
    try:
        values = np.array(" ".join(rows[:frames]).split(), dtype=np.float64)
    except ValueError as error:
        raise DuendeError(f"{path}: a frame holds something that is no number ({error}); export it again") from error
    if len(rows) < frames:
        raise DuendeError(f"{path} announces {frames} frames and holds {len(rows)}; it is cut short, copy it again")
    if values.size != frames * channels:
        wrong = next((i for i, row in enumerate(rows) if len(row.split()) != channels), 0)
        raise DuendeError(
            f"{path}, line {first + wrong + 1}: {len(rows[wrong].split())} values for {channels} channels; "
            "export it again"
        )
    return values.reshape(frames, channels)


def _to_motion(joints: list[_Joint], values: np.ndarray, fps: float, path: Path) -> Motion:
    offsets = np.array([joint.offset for joint in joints])
    rotations = np.zeros((len(values), len(joints), 4))
    rotations[..., 3] = 1.0
    root = np.tile(offsets[0], (len(values), 1))
    column = 0
    for index, joint in enumerate(joints):
        own = values[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        turns = [i for i, channel in enumerate(joint.channels) if channel.endswith("rotation")]
        if index == 0:
            for i, channel in enumerate(joint.channels):
                if channel.endswith("position"):
                    root[:, "xyz".index(channel[0])] = own[:, i]
        if turns:
            order = "".join(joint.channels[i][0] for i in turns).upper()
            rotations[:, index] = Rotation.from_euler(order, own[:, turns], degrees=True).as_quat()
    if not (np.isfinite(rotations).all() and np.isfinite(root).all()):
        raise DuendeError(f"{path} holds values that are not finite numbers; export it again")
    skeleton = Skeleton(tuple(joint.name for joint in joints), tuple(joint.parent for joint in joints), offsets)
    return Motion(rotations, root, fps, skeleton)


def write_bvh(motion: Motion, path: str | Path, unit: str = "cm") -> None:
    """Write a motion of any skeleton; the rest pose is its T-pose, with the root at the origin.

    The root's offset is zero, since some programs add it to the root's position and others replace it. Joints come
    depth first, as the hierarchy has them. The frame time has all digits of a double, so that a reader finds the very
    frame rate. Angles go on from frame to frame without jumps of a whole or half turn, so that programs may
    interpolate them.

    Args:
        motion: what to write; spaces in names of joints become underscores.
        path: of the file.
        unit: ``"cm"`` (what most tools expect) or ``"m"``.

    Raises:
        DuendeError: the unit is unknown, two joints have one name, or the file cannot be written.
    """
    if unit not in UNITS:
        raise DuendeError(f"a unit is one of {', '.join(UNITS)}, got {unit!r}")
    scale, skeleton = UNITS[unit], motion.skeleton
    order = _depth_first(skeleton)
    lines = ["HIERARCHY", *_joint_lines(skeleton, _file_names(skeleton), 0, scale, 0)]
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1.0 / float(motion.fps)!r}"]
    angles = _continuous_angles(motion.rotations[:, order])
    table = np.concatenate([motion.root * scale, angles.reshape(len(motion), -1)], axis=1)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        np.savetxt(file, table, fmt="%.5f")


def _file_names(skeleton: Skeleton) -> list[str]:
    names = ["_".join(name.split()) for name in skeleton.names]
    for name in names:
        if not name or names.count(name) > 1:
            raise DuendeError(f"a BVH file needs a name of its own for each joint, {name!r} is not; rename that joint")
    return names


def _continuous_angles(rotations: np.ndarray) -> np.ndarray:
    """Turn local quaternions ``(T, J, 4)`` into Z, X and Y angles ``(T, J, 3)`` in degrees, continuous in time.

    A rotation has two triples of such angles, each up to whole turns: the one nearest to the frame before is taken.
    """
    frames, joints = rotations.shape[:2]
    with warnings.catch_warnings():
        # Where the first and the last axis coincide scipy sets one angle to zero, says so, and the rotation is right.
        warnings.filterwarnings("ignore", message="Gimbal lock")
        first = Rotation.from_quat(rotations.reshape(-1, 4)).as_euler("ZXY", degrees=True)
    first = first.reshape(frames, joints, 3)
    both = np.stack([first, first * [1, -1, 1] + 180.0])
    angles = first.copy()
    every = np.arange(joints)
    for frame in range(1, frames):
        before = angles[frame - 1]
        choices = both[:, frame] + 360.0 * np.round((before - both[:, frame]) / 360.0)
        nearest = np.abs(choices - before).sum(axis=-1).argmin(axis=0)
        angles[frame] = choices[nearest, every]
    return angles


def _depth_first(skeleton: Skeleton) -> list[int]:
    order, waiting = [], [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(skeleton.children[joint]))
    return order


def _joint_lines(skeleton: Skeleton, names: list[str], joint: int, scale: float, depth: int) -> list[str]:
    indent = "\t" * depth
    offset = skeleton.offsets[joint] * scale if depth else np.zeros(3)
    children = skeleton.children[joint]
    position = "" if depth else "Xposition Yposition Zposition "
    lines = [
        f"{indent}{'JOINT' if depth else 'ROOT'} {names[joint]}",
        f"{indent}{{",
        f"{indent}\tOFFSET {offset[0]:.6f} {offset[1]:.6f} {offset[2]:.6f}",
        f"{indent}\tCHANNELS {3 if depth else 6} {position}Zrotation Xrotation Yrotation",
    ]
    for child in children:
        lines += _joint_lines(skeleton, names, child, scale, depth + 1)
    if not children:
        end = _end_direction(skeleton.offsets[joint]) * END_LENGTH * scale
        lines += [
            f"{indent}\tEnd Site",
            f"{indent}\t{{",
            f"{indent}\t\tOFFSET {end[0]:.6f} {end[1]:.6f} {end[2]:.6f}",
            f"{indent}\t}}",
        ]
    return [*lines, f"{indent}}}"]


def _end_direction(offset: np.ndarray) -> np.ndarray:
    """The axis nearest to a bone at rest: up for a head, sideways for hands, forward for toes; up for no bone."""
    axis = int(np.abs(offset).argmax()) if offset.any() else 1
    direction = np.zeros(3)
    direction[axis] = np.sign(offset[axis]) or 1.0
    return direction
