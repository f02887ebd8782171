"""The stage: a softly tiled floor that fades into the backdrop, and the dancer's shadow on it."""

from __future__ import annotations

import cv2
import numpy as np

from duende.formats.camera import Camera

TILE = 0.9
"""Metres."""
TILE_PIXELS = 128
TILES = 16
"""Tiles along each side of the floor's texture, an even number: neighbours differ in tone."""
FADE_NEAR, FADE_FAR = 4.0, 11.0
"""Metres from the camera between which the tiles fade away."""
BACKDROP_TOP = np.array([150.0, 132.0, 122.0])
BACKDROP_LOW = np.array([226.0, 219.0, 212.0])
FLOOR = np.array([205.0, 201.0, 198.0])
SHADOW_METRES = 4.0
SHADOW_PIXELS = 256
SHADOW_DARKNESS = 0.33
CONTACT_DARKNESS = 0.40
CONTACT_HEIGHT = 0.16
"""Metres above the floor where a foot no longer darkens it."""


class Stage:
    """Floor and backdrop of one camera path.

    Args:
        camera: the path.
        floor: height of the floor in metres.
        light: direction towards the light that casts the shadow.
    """

    def __init__(self, camera: Camera, floor: float, light: np.ndarray) -> None:
        self.camera = camera
        self.floor = floor
        self.slope = np.array([light[0], light[2]]) / light[1]
        self._texture = _tiles()
        self._rays_down = self._down_share()
        self._horizon = int(np.argmax(self._rays_down > 0.004))
        self._base, self._fade = self._still_parts()

    def draw(self, frame: int, parts: list[np.ndarray]) -> np.ndarray:
        """Draw the empty stage with the shadow of body parts, each ``(N, 3)`` metres: ``(H, W, 3)`` uint8 BGR."""
        width, height = self.camera.size
        picture = self._base.copy()
        top = self._horizon
        homography = self.camera.floor_homography(frame, self.floor)
        # Tiles and shadows are soft: half of the resolution is enough for them.
        homography = np.array([[0.5, 0, 0], [0, 0.5, -0.5 * top], [0, 0, 1.0]]) @ homography
        dark = self._floor_pattern(frame, homography)
        self._add_shadow(dark, parts, homography)
        dark = cv2.resize(dark, (width, height - top), interpolation=cv2.INTER_LINEAR)
        ground = picture[top:]
        cv2.subtract(ground, cv2.merge([dark, dark, dark]), dst=ground)
        return picture

    def _floor_pattern(self, frame: int, homography: np.ndarray) -> np.ndarray:
        # The texture repeats every two tiles, so it follows the camera in whole periods: the floor seems endless.
        period = 2 * TILE
        x, _, z = self.camera.positions[frame]
        corner = np.floor(np.array([x, z]) / period) * period - TILES * TILE / 2
        ahead = np.rint(self.camera.axes[2, [0, 2]] * TILES * TILE * 0.4 / period) * period
        corner = corner + ahead
        metres = TILE / TILE_PIXELS
        to_floor = np.array([[metres, 0, corner[0]], [0, metres, corner[1]], [0, 0, 1.0]])
        size = self._fade.shape[::-1]
        pattern = cv2.warpPerspective(self._texture, homography @ to_floor, size, flags=cv2.INTER_LINEAR)
        return np.asarray(cv2.multiply(pattern, self._fade, scale=1 / 255))

    def _add_shadow(self, dark: np.ndarray, parts: list[np.ndarray], homography: np.ndarray) -> None:
        """Darken ``dark`` in place: one soft shadow away from the light, one right under what is near the floor."""
        everything = np.concatenate(parts)
        middle = everything[:, [0, 2]].mean(axis=0) - 0.9 * self.slope * 0.5
        corner = middle - SHADOW_METRES / 2
        scale = SHADOW_PIXELS / SHADOW_METRES
        cast = np.zeros((SHADOW_PIXELS, SHADOW_PIXELS), np.uint8)
        contact = np.zeros_like(cast)
        for part in parts:
            height = part[:, 1] - self.floor
            fallen = (part[:, [0, 2]] - height[:, None] * self.slope - corner) * (scale * 16)
            _fill_hull(cast, fallen, round(255 * SHADOW_DARKNESS))
            near = 1 - max(float(height.min()), 0.0) / CONTACT_HEIGHT
            if near > 0:
                below = (part[height < CONTACT_HEIGHT][:, [0, 2]] - corner) * (scale * 16)
                _fill_hull(contact, below, round(255 * CONTACT_DARKNESS * near))
        both = cv2.add(cv2.GaussianBlur(cast, (0, 0), 0.035 * scale), cv2.GaussianBlur(contact, (0, 0), 0.02 * scale))
        to_floor = np.array([[1 / scale, 0, corner[0]], [0, 1 / scale, corner[1]], [0, 0, 1.0]])
        whole = homography @ to_floor
        ends = np.array([[0, 0, 1], [SHADOW_PIXELS, 0, 1], [0, SHADOW_PIXELS, 1], [SHADOW_PIXELS, SHADOW_PIXELS, 1]])
        seen = ends @ whole.T
        if (seen[:, 2] <= 0.05).any():
            low, high = np.zeros(2, int), np.array(dark.shape[::-1])
        else:
            pixels = seen[:, :2] / seen[:, 2:]
            low = np.clip(np.floor(pixels.min(axis=0)), 0, dark.shape[::-1]).astype(int)
            high = np.clip(np.ceil(pixels.max(axis=0)), 0, dark.shape[::-1]).astype(int)
        if (high <= low).any():
            return
        shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
        shadow = cv2.warpPerspective(both, shift @ whole, tuple((high - low).tolist()), flags=cv2.INTER_LINEAR)
        window = dark[low[1] : high[1], low[0] : high[0]]
        window[:] = cv2.add(window, shadow)

    def _down_share(self) -> np.ndarray:
        """How steeply the ray through each row goes down ``(H,)``: its fall per metre ahead."""
        _, height = self.camera.size
        rows = (np.arange(height) + 0.5 - height / 2) / self.camera.focal
        rays = self.camera.axes[2] + rows[:, None] * self.camera.axes[1]
        return -rays[:, 1] / np.hypot(rays[:, 0], rays[:, 2])

    def _still_parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Backdrop and bare floor ``(H, W, 3)``, and how much of the tiles shows at half size."""
        width, height = self.camera.size
        camera_height = float(np.median(self.camera.positions[:, 1])) - self.floor
        distance = camera_height / np.maximum(self._rays_down, 1e-3)
        near = np.clip((FADE_FAR - distance) / (FADE_FAR - FADE_NEAR), 0, 1)
        near = near * near * (3 - 2 * near)
        up = np.clip((self._horizon - np.arange(height)) / max(self._horizon, 1), 0, 1)[:, None]
        sky = BACKDROP_LOW + (BACKDROP_TOP - BACKDROP_LOW) * up**1.3
        rows = sky + (FLOOR - BACKDROP_LOW) * near[:, None]
        x = (np.arange(width) + 0.5) / width * 2 - 1
        y = (np.arange(height) + 0.5) / height * 2 - 1
        vignette = 1 - 0.13 * (x[None] ** 2 + 0.5 * y[:, None] ** 2)
        base = rows[:, None] * vignette[..., None]
        # A little noise hides the bands that 8 bits and the video codec make of slow gradients.
        base += np.random.default_rng(0).uniform(-0.7, 0.7, (height, width, 1))
        fade = np.repeat(np.rint(255 * near[self._horizon :: 2, None]), width // 2, axis=1)
        return np.clip(np.rint(base), 0, 255).astype(np.uint8), fade.astype(np.uint8)


def _tiles() -> np.ndarray:
    """Darkness of the floor ``(TILES * TILE_PIXELS, same)`` uint8: two tones and a soft joint between tiles."""
    place = np.arange(2 * TILE_PIXELS)
    tone = 15.0 * ((place[:, None] // TILE_PIXELS + place[None] // TILE_PIXELS) % 2)
    inside = np.minimum(place % TILE_PIXELS, TILE_PIXELS - 1 - place % TILE_PIXELS) + 0.5
    joint = np.clip(1.5 - np.minimum(inside[:, None], inside[None]) / 1.5, 0, 1)
    pair = np.clip(tone + 22 * joint, 0, 255)
    texture = np.tile(pair, (TILES // 2, TILES // 2)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(texture, (0, 0), 1.0))


def _fill_hull(mask: np.ndarray, points: np.ndarray, value: int) -> None:
    """Fill the convex hull of ``(N, 2)`` points in sixteenths of a pixel, where it is darker than the mask."""
    if len(points) < 3:
        return
    hull = cv2.convexHull(points.astype(np.int32))
    cv2.fillConvexPoly(mask, hull, value, 8, 4)
