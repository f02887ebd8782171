"""A skeleton: a tree of joints with rest offsets, and what its joints mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from duende.errors import DuendeError


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A tree of joints in its rest pose (T-pose, facing +Z, Y up, the body's left side towards +X).

    Attributes:
        names: joint names, parents before children.
        parents: index of each joint's parent, -1 for the root, which comes first.
        offsets: ``(J, 3)`` metres, each joint relative to its parent at rest.
        left_right: pairs of joint indices (left, right).
        lower: joints of the lower half-body; all others are the upper half.
        feet: heel-side and toe-side joints (left ankle, left toes, right ankle, right toes).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    left_right: tuple[tuple[int, int], ...] = ()
    lower: tuple[int, ...] = ()
    feet: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.names)
        offsets = np.asarray(self.offsets, dtype=np.float64)
        object.__setattr__(self, "offsets", offsets)
        if offsets.shape != (count, 3) or len(self.parents) != count:
            raise DuendeError(
                f"a skeleton of {count} joints needs {count} parents and offsets of shape ({count}, 3), "
                f"got {len(self.parents)} parents and offsets of shape {offsets.shape}"
            )
        for joint, parent in enumerate(self.parents):
            if (joint == 0) != (parent == -1) or parent >= joint:
                raise DuendeError(
                    f"joint {self.names[joint]!r} has parent index {parent}: the root comes first with -1, "
                    "and parents come before their children"
                )

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the index of the joint called ``name``.

        Raises:
            DuendeError: no joint has that name.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise DuendeError(f"no joint is called {name!r}; the joints are {', '.join(self.names)}") from None

    def leg_length(self, side: str) -> float:
        """Return metres from hip to ankle along the bones of one side, ``"left"`` or ``"right"``.

        Raises:
            DuendeError: the skeleton has no joints of SMPL's names there.
        """
        bones = [self.index(f"{side}_{end}") for end in ("knee", "ankle")]
        return float(np.linalg.norm(self.offsets[bones], axis=1).sum())

    @cached_property
    def upper(self) -> tuple[int, ...]:
        """Joints of the upper half-body."""
        return tuple(j for j in range(len(self)) if j not in self.lower)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each joint the indices of its children."""
        return tuple(tuple(c for c, parent in enumerate(self.parents) if parent == j) for j in range(len(self)))

    @cached_property
    def mirror_order(self) -> tuple[int, ...]:
        """For each joint the index of its counterpart on the other side (itself on the midline)."""
        order = list(range(len(self)))
        for left, right in self.left_right:
            order[left], order[right] = right, left
        return tuple(order)

    @cached_property
    def rest_positions(self) -> np.ndarray:
        """``(J, 3)`` metres, joints at rest with the root at the origin."""
        positions = np.zeros((len(self), 3))
        for joint, parent in enumerate(self.parents):
            positions[joint] = self.offsets[joint] + (positions[parent] if parent >= 0 else -self.offsets[joint])
        return positions

    @cached_property
    def rest_height(self) -> float:
        """Height in metres of the root above the lowest joint at rest."""
        return float(-self.rest_positions[:, 1].min())


SMPL24 = Skeleton(
    names=(
        "pelvis",
        "left_hip",
        "right_hip",
        "spine1",
        "left_knee",
        "right_knee",
        "spine2",
        "left_ankle",
        "right_ankle",
        "spine3",
        "left_foot",
        "right_foot",
        "neck",
        "left_collar",
        "right_collar",
        "head",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hand",
        "right_hand",
    ),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
    offsets=np.array(
        [
            [0.0, 0.0, 0.0],
            [0.05858135, -0.08228004, -0.01766408],
            [-0.06030973, -0.09051332, -0.01354254],
            [0.00443945, 0.12440352, -0.03838522],
            [0.04345142, -0.38646945, 0.008037],
            [-0.04325663, -0.38368791, -0.00484304],
            [0.00448844, 0.1379564, 0.02682033],
            [-0.01479032, -0.42687458, -0.037428],
            [0.01905555, -0.4200455, -0.03456167],
            [-0.00226458, 0.05603239, 0.00285505],
            [0.04105436, -0.06028581, 0.12204243],
            [-0.03483987, -0.06210566, 0.13032329],
            [-0.0133902, 0.21163553, -0.03346758],
            [0.07170245, 0.11399969, -0.01889817],
            [-0.08295366, 0.11247234, -0.02370739],
            [0.01011321, 0.08893734, 0.05040987],
            [0.12292141, 0.04520509, -0.019046],
            [-0.11322832, 0.04685326, -0.00847207],
            [0.2553319, -0.01564902, -0.02294649],
            [-0.26012748, -0.01436928, -0.03126873],
            [0.26570925, 0.01269811, -0.00737473],
            [-0.26910836, 0.00679372, -0.00602676],
            [0.08669055, -0.01063603, -0.01559429],
            [-0.0887537, -0.00865157, -0.01010708],
        ]
    ),
    left_right=((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23)),
    lower=(0, 1, 2, 4, 5, 7, 8, 10, 11),
    feet=(7, 10, 8, 11),
)
"""SMPL's 24 joints at zero shape: numeric facts from Stanford-TML/EDGE (MIT); the halves are Bailando's."""
