"""Frames as OSC messages of the Virtual Motion Capture protocol (https://protocol.vmc.info/marionette-spec).

Programs that move avatars understand it: VSeeFace, Warudo, EVMC4U in Unity, VMC4UE in Unreal, VMC4B in Blender. Bones
have the names of Unity's ``HumanBodyBones`` and lie in Unity's axes: left-handed, Y up, +Z ahead, the dancer's *right*
at +X. Turns are those from a T-pose, local to the parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from scipy.spatial.transform import Rotation

from duende.motion import SMPL24, Motion, Skeleton
from duende.motion.chunks import MotionChunk
from duende.motion.humanoid import HUMANOID, straightened, with_stiff_upper_chest

LARGEST = 1400
"""Bytes of a datagram that no network cuts in two."""
CALIBRATED, NORMAL = 3, 0
"""Of ``/VMC/Ext/OK``: the state and the mode of calibration."""
MIRROR_POINT = np.array([-1.0, 1.0, 1.0])
MIRROR_TURN = np.array([1.0, -1.0, -1.0, 1.0])
IDENTITY = np.array([0.0, 0.0, 0.0, 1.0])
PLACE_AND_TURN = 7
BUNDLE_HEAD, SIZE_HEAD = 16, 4
"""Bytes before the first message of an OSC bundle, and before each message."""

BONES = tuple(joint for joint, name in enumerate(SMPL24.names) if name in HUMANOID)
"""SMPL's joints that are bones of a humanoid, the hips first."""
TRUNK = tuple(SMPL24.index(name) for name in ("pelvis", "spine1", "spine2", "spine3"))


def bone_name(joint: str) -> str:
    """Return Unity's name of a joint: ``left_hip`` is ``LeftUpperLeg``."""
    name = HUMANOID[joint]
    return name[0].upper() + name[1:]


@dataclass(frozen=True, eq=False)
class _Template:
    """A bundle, and where in it the numbers of a frame belong.

    Attributes:
        content: its bytes, ``(N,)`` uint8.
        places: of each of its numbers, where its four bytes are, ``(M, 4)``.
    """

    content: np.ndarray
    places: np.ndarray

    def filled(self, values: np.ndarray) -> list[bytes]:
        """Write ``values`` ``(T, M)`` into a copy for each frame."""
        copies = np.tile(self.content, (len(values), 1))
        copies[:, self.places] = np.ascontiguousarray(values, ">f4").view(np.uint8).reshape(len(values), -1, 4)
        return [copy.tobytes() for copy in copies]


class VmcEncoder:
    """Turns chunks of a dance on SMPL's joints into datagrams; what is the same in each frame is built once."""

    def __init__(self) -> None:
        rest = Motion(np.tile(IDENTITY, (1, len(SMPL24), 1)), np.zeros((1, 3)))
        posed = straightened(rest)
        self._offsets = posed.skeleton.offsets
        self._turns = posed.global_rotations[0]
        self._templates = _templates()

    def __call__(self, chunk: MotionChunk) -> list[list[bytes]]:
        """Write each frame as a few OSC bundles.

        The root is carried over the floor, the hips go up and down in it, and all other bones keep their places at
        rest, so that receivers which leave places aside still let the avatar travel.
        """
        values = self._values(chunk)
        ends = np.cumsum([len(template.places) for template in self._templates])[:-1]
        parts = np.split(values, ends, axis=1)
        bundles = [template.filled(part) for template, part in zip(self._templates, parts, strict=True)]
        return [list(frame) for frame in zip(*bundles, strict=True)]

    def _values(self, chunk: MotionChunk) -> np.ndarray:
        """All numbers of each frame ``(T, 1 + 7 + 7 * 22)``: time, the root, then the bones."""
        motion, frames, bones = chunk.motion, len(chunk.motion), list(BONES)
        placed = np.zeros((frames, 1 + len(bones), PLACE_AND_TURN))
        placed[:, 0, :3] = motion.root * MIRROR_POINT * [1.0, 0.0, 1.0]
        placed[:, 0, 3:] = IDENTITY
        placed[:, 1:, :3] = self._offsets[bones] * MIRROR_POINT
        placed[:, 1, :3] = motion.root * [0.0, 1.0, 0.0]
        placed[:, 1:, 3:] = self._posed(motion)[:, bones] * MIRROR_TURN
        times = np.arange(chunk.begin, chunk.end) / motion.fps
        return np.concatenate([times[:, None], placed.reshape(frames, -1)], axis=1)

    def _posed(self, motion: Motion) -> np.ndarray:
        """Local rotations ``(T, 24, 4)`` from the T-pose: :func:`straightened` and :func:`with_stiff_upper_chest`.

        They turn all joints of a whole dance one after another; a short chunk is turned here at once.
        """
        parents = [max(parent, 0) for parent in SMPL24.parents]
        before = self._turns[parents]
        before[0] = IDENTITY
        local = Rotation.from_quat(motion.rotations.reshape(-1, 4))
        first, last = (
            Rotation.from_quat(np.broadcast_to(turns, motion.rotations.shape).reshape(-1, 4))
            for turns in (before, self._turns)
        )
        turned = (first.inv() * local * last).as_quat().reshape(motion.rotations.shape)
        trunk = Motion(turned[:, list(TRUNK)], motion.root, motion.fps, self._trunk)
        turned[:, list(TRUNK)] = with_stiff_upper_chest(trunk).rotations
        return turned

    @cached_property
    def _trunk(self) -> Skeleton:
        names = tuple(SMPL24.names[joint] for joint in TRUNK)
        return Skeleton(names, tuple(range(-1, len(TRUNK) - 1)), self._offsets[list(TRUNK)])


def _templates() -> list[_Template]:
    """Lay the messages of a frame, their numbers zero, into as few bundles as datagrams have room for."""
    templates: list[_Template] = []
    builder, size, places = OscBundleBuilder(IMMEDIATELY), BUNDLE_HEAD, list[int]()

    def close() -> None:
        content = np.frombuffer(builder.build().dgram, np.uint8)
        templates.append(_Template(content, np.array(places)[:, None] + np.arange(4)))

    for address, words, numbers in _messages():
        message = OscMessageBuilder(address)
        for word in words:
            message.add_arg(word)
        for _ in range(numbers):
            message.add_arg(0.0)
        content = message.build()
        if size + SIZE_HEAD + content.size > LARGEST:
            close()
            builder, size, places = OscBundleBuilder(IMMEDIATELY), BUNDLE_HEAD, []
        builder.add_content(content)
        size += SIZE_HEAD + content.size
        # A message's numbers are its last bytes.
        places += range(size - 4 * numbers, size, 4)
    close()
    return templates


def _messages() -> list[tuple[str, list[str | int], int]]:
    """Messages of a frame: address, what stays the same, and how many numbers follow."""
    messages: list[tuple[str, list[str | int], int]] = [
        ("/VMC/Ext/OK", [1, CALIBRATED, NORMAL], 0),
        ("/VMC/Ext/T", [], 1),
        ("/VMC/Ext/Root/Pos", ["root"], PLACE_AND_TURN),
    ]
    for joint in BONES:
        messages.append(("/VMC/Ext/Bone/Pos", [bone_name(SMPL24.names[joint])], PLACE_AND_TURN))
    return messages
