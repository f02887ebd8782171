"""The dancer cut out of the picture: one frame of a dance as an image without a stage, with its place in metres."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from duende.formats.body import load_body
from duende.formats.camera import AIM, CameraStyle, film
from duende.formats.renderer import Renderer, standing_floor
from duende.motion import Motion

HEIGHT = 480
"""Pixels of the whole picture, about two and a half metres high at the dancer."""
LENS, PITCH = 16.0, 6.0
"""Degrees: a long lens, so that neighbours in a row of figures are seen alike."""
SHADOW = 0.22
"""How dark the floor is right under the body."""
SOFT = 12
"""Pixels over which the shadow fades."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A dancer without background.

    Attributes:
        image: ``(H, W, 4)`` uint8, red first, coverage last, colours not multiplied by it.
        left: metres from the root to the image's edges, to the right positive.
        right: the same.
        bottom: metres above the floor, in the upright plane through the root.
        top: the same.
    """

    image: np.ndarray
    left: float
    right: float
    bottom: float
    top: float


def portraits(motion: Motion, frames: np.ndarray, angle: float = 0.0) -> list[Portrait]:
    """Cut the dancer out of ``frames``, seen from ``angle`` degrees about the vertical (0: from +Z).

    Raises:
        DuendeError: the motion is not on SMPL24.
    """
    floor = standing_floor(motion, load_body())
    style = CameraStyle(angle=angle, pitch=PITCH, lens=LENS)
    return [_Cutter(motion.cropped(frame, frame + 1), style, floor).cut_out() for frame in frames.tolist()]


class _Cutter(Renderer):
    """The video's renderer for a single frame, with the floor of the whole dance."""

    def __init__(self, motion: Motion, style: CameraStyle, floor: float) -> None:
        super().__init__(motion, (HEIGHT, HEIGHT), style)
        self.floor = floor
        self.camera = film(motion, self.size, style, floor)

    def cut_out(self) -> Portrait:
        vertices, normals = self.body.skin(self.motion)[0], self.body.skin_normals(self.motion)[0]
        pixels, depth = self.camera.project(vertices, 0)
        fallen = vertices.copy()
        fallen[:, 1] = self.floor
        ground, _ = self.camera.project(fallen, 0)
        both = np.concatenate([pixels, ground])
        low, high = np.floor(both.min(axis=0)).astype(int) - SOFT, np.ceil(both.max(axis=0)).astype(int) + SOFT
        figure = self._paint(vertices, normals, pixels - low, depth, 0, high - low)
        image = _over_shadow(figure, self._shadow(ground - low, high - low))
        aim = np.array([self.motion.root[0, 0], self.floor + AIM, self.motion.root[0, 2]])
        metres = float(np.linalg.norm(self.camera.positions[0] - aim)) / self.camera.focal
        edges = (np.stack([low, high]) - np.array(self.size) / 2) * metres
        return Portrait(image, edges[0, 0], edges[1, 0], AIM - edges[1, 1], AIM - edges[0, 1])

    def _shadow(self, ground: np.ndarray, extent: np.ndarray) -> np.ndarray:
        """Coverage ``(H, W)`` of the soft shadow right below the body, whose points fell on the pixels ``ground``."""
        mask = np.zeros(tuple(extent[::-1].tolist()), np.uint8)
        for part in self._parts:
            cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(ground[part]).astype(np.int32)), 255)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), SOFT / 3)) / 255.0 * SHADOW


def _over_shadow(figure: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """Lay a premultiplied figure, blue first, over a black shadow; return straight colours, red first."""
    own = figure[..., 3] / 255.0
    coverage = own + shadow * (1 - own)
    colours = figure[..., 2::-1] / np.maximum(coverage, 1e-6)[..., None]
    return np.rint(np.concatenate([np.clip(colours, 0, 255), 255 * coverage[..., None]], axis=-1)).astype(np.uint8)
