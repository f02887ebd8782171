"""Pictures of the dancer, drawn in software: a lit body on a stage, with its shadow.

Triangles are culled, shaded and painted from back to front with OpenCV at twice the size, then averaged down.
No graphics card and no OpenGL are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.body import Body, load_body
from duende.formats.camera import Camera, CameraStyle, film
from duende.formats.stage import Stage
from duende.motion import Motion

SUPERSAMPLING = 2
SUBPIXEL_BITS = 4
BLOCK = 64
KEY = np.array([-0.45, 0.75, 0.62])
"""Direction towards the main light."""
RIM = np.array([0.75, 0.35, -0.62])
"""Direction towards the light behind the dancer. Colours of light are linear, blue first."""
KEY_COLOUR = np.array([0.92, 0.96, 1.0]) * 0.98
RIM_COLOUR = np.array([1.0, 0.92, 0.85]) * 0.8
SKY = np.array([0.38, 0.35, 0.33])
GROUND = np.array([0.17, 0.18, 0.19])


class Renderer:
    """Draws the frames of one motion.

    Args:
        motion: the dance on SMPL24, at the frame rate of the pictures.
        size: width and height in pixels, both even.
        style: how it is filmed.
        body: the figure; the one of the package where left out.

    Raises:
        DuendeError: the size is too small or odd, or the motion is not on SMPL24.
    """

    def __init__(
        self,
        motion: Motion,
        size: tuple[int, int] = (1280, 720),
        style: CameraStyle | None = None,
        body: Body | None = None,
    ) -> None:
        width, height = size
        if min(size) < 32 or width % 2 or height % 2:
            raise DuendeError(f"a picture of {width}x{height} cannot be made: use even numbers of at least 32")
        self.motion = motion
        self.body = body or load_body()
        self.floor = standing_floor(motion, self.body)
        self.camera = film(motion, size, style, self.floor)
        self.size = size
        self._parts = _parts(self.body)
        self._albedo = _linear(self.body.colours[self.body.triangles[:, 0]])
        self._stage = Stage(self.camera, self.floor, KEY)

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        """Draw frames ``start``, ``start + step``, ... before ``stop``: images ``(H, W, 3)`` uint8 BGR, in order."""
        numbers = range(len(self.motion))[start:stop:step]
        for first in range(0, len(numbers), BLOCK):
            part = numbers[first : first + BLOCK]
            chosen = self.motion.taking(np.array(part))
            posed = zip(part, self.body.skin(chosen), self.body.skin_normals(chosen), strict=True)
            for number, vertices, normals in posed:
                yield self.draw(vertices, normals, number)

    def draw(self, vertices: np.ndarray, normals: np.ndarray, frame: int) -> np.ndarray:
        """Draw a posed body, ``(V, 3)`` each, as the camera of ``frame`` sees it: ``(H, W, 3)`` uint8 BGR."""
        shadow_parts = [vertices[part] for part in self._parts]
        picture = self._stage.draw(frame, shadow_parts)
        pixels, depth = self.camera.project(vertices, frame)
        low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 3, self.size)
        if (high <= low).any():
            return picture
        figure = self._paint(vertices, normals, pixels - low, depth, frame, high - low)
        window = picture[low[1] : high[1], low[0] : high[0]]
        _lay_over(window, figure)
        return picture

    def _paint(
        self,
        vertices: np.ndarray,
        normals: np.ndarray,
        pixels: np.ndarray,
        depth: np.ndarray,
        frame: int,
        extent: np.ndarray,
    ) -> np.ndarray:
        """Paint the figure alone: ``(H, W, 4)`` uint8, colours premultiplied by the coverage in the last channel."""
        triangles = self.body.triangles
        corners = pixels[triangles]
        first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        # The picture's y axis points down, so front faces turn the other way than in the world.
        facing = np.flatnonzero(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] < 0)
        order = facing[np.argsort(-depth[triangles[facing]].sum(axis=1))]
        colours = self._shade(vertices, normals, triangles[order], self._albedo[order], frame)
        # OpenCV puts pixel centres at whole numbers, the projection at halves.
        scaled = (corners[order] * SUPERSAMPLING - 0.5) * (1 << SUBPIXEL_BITS)
        points = np.rint(scaled).astype(np.int32)
        width, height = (extent * SUPERSAMPLING).tolist()
        canvas = np.zeros((height, width, 4), np.uint8)
        fill = cv2.fillConvexPoly
        for polygon, colour in zip(points, colours.tolist(), strict=True):
            fill(canvas, polygon, colour, 8, SUBPIXEL_BITS)
        return np.asarray(cv2.resize(canvas, tuple(extent.tolist()), interpolation=cv2.INTER_AREA))

    def _shade(
        self, vertices: np.ndarray, normals: np.ndarray, triangles: np.ndarray, albedo: np.ndarray, frame: int
    ) -> np.ndarray:
        """Light triangles ``(N, 3)``: ``(N, 4)`` BGR and full coverage."""
        normal = normals[triangles].sum(axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        place = vertices[triangles[:, 0]]
        view = self.camera.positions[frame].astype(np.float32) - place
        view /= np.linalg.norm(view, axis=1, keepdims=True)
        key = np.clip((normal @ _unit(KEY) + 0.2) / 1.2, 0, None) ** 1.2
        edge = np.clip(1 - np.sum(normal * view, axis=1), 0, 1) ** 3
        rim = np.clip(normal @ _unit(RIM) + 0.2, 0, None) * edge
        # Less light reaches the places near the floor.
        open_sky = np.clip(0.72 + 0.35 * (place[:, 1] - self.floor), 0, 1)
        upward = 0.5 + 0.5 * normal[:, 1]
        ambient = (GROUND + upward[:, None] * (SKY - GROUND)) * open_sky[:, None]
        light = ambient + key[:, None] * KEY_COLOUR
        colour = albedo * light + rim[:, None] * (RIM_COLOUR * (0.15 + 0.85 * albedo))
        result = np.full((len(triangles), 4), 255.0)
        result[:, :3] = 255 * np.clip(colour, 0, 1) ** (1 / 2.2)
        return result


def standing_floor(motion: Motion, body: Body) -> float:
    """Height in metres of the floor that this dance stands on: near 0, just under the lowest soles.

    Motion capture differs by some centimetres in where its floor lies below the toes; a body that hovers or sinks
    would show it at once.
    """
    lowest = motion.positions[:, list(motion.skeleton.feet), 1].min(axis=1)
    return float(np.clip(np.percentile(lowest, 10) - body.sole, -0.12, 0.12))


def contact_sheet(
    motion: Motion,
    times: Sequence[float],
    size: tuple[int, int] = (320, 480),
    style: CameraStyle | None = None,
) -> np.ndarray:
    """Draw the dance at ``times`` (seconds), side by side: ``(H, W * len(times), 3)`` uint8 BGR.

    Raises:
        DuendeError: no times are given, or the size cannot be drawn.
    """
    if not len(times):
        raise DuendeError("a contact sheet needs at least one time in seconds")
    renderer = Renderer(motion, size, style)
    frames = np.clip(np.rint(np.asarray(times) * motion.fps).astype(int), 0, len(motion) - 1)
    return np.concatenate([next(renderer.frames(int(frame), int(frame) + 1)) for frame in frames], axis=1)


def write_png(image: np.ndarray, path: str | Path) -> None:
    """Write ``(H, W, 3)`` uint8 BGR as a PNG file.

    Raises:
        DuendeError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def _lay_over(window: np.ndarray, figure: np.ndarray) -> None:
    """Lay a premultiplied figure over a part of the picture, in place."""
    uncovered = 255 - cv2.extractChannel(figure, 3)
    behind = cv2.multiply(window, cv2.merge([uncovered, uncovered, uncovered]), scale=1 / 255)
    window[:] = cv2.add(behind, cv2.cvtColor(figure, cv2.COLOR_BGRA2BGR))


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _linear(colours: np.ndarray) -> np.ndarray:
    """Turn sRGB ``(N, 3)`` uint8 into linear BGR."""
    return (colours[:, ::-1] / 255.0) ** 2.2


def _parts(body: Body) -> list[np.ndarray]:
    """Vertex numbers by the joint that carries them most; each part is near enough to convex to cast a shadow."""
    owner = body.joints[:, 0]
    return [np.flatnonzero(owner == joint) for joint in np.unique(owner)]


__all__ = ["Camera", "CameraStyle", "Renderer", "contact_sheet", "standing_floor", "write_png"]
