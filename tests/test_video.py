"""Pictures and videos: the dancer is whole, in the frame, on the floor; the file is whole or absent."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from duende.errors import DuendeError
from duende.formats import video
from duende.formats.body import load_body
from duende.formats.camera import CameraStyle, film
from duende.formats.renderer import Renderer, contact_sheet, standing_floor, write_png
from duende.formats.video import write_video
from duende.motion import SMPL24, Motion

SMALL = (320, 180)


def still(frames: int = 30, root: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Motion:
    rotations = np.zeros((frames, 24, 4))
    rotations[..., 3] = 1
    return Motion(rotations, np.tile(np.add(root, [0.0, SMPL24.rest_height, 0.0]), (frames, 1)))


def song(seconds: float, rate: int = 22050) -> Any:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return SimpleNamespace(samples=wave.astype(np.float32), rate=rate, name="tone")


def streams(path: Path) -> str:
    probe = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(probe, capture_output=True, text=True, check=False).stderr


def decoded_audio(path: Path) -> np.ndarray:
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "f32le",
        "-ac",
        "1",
        "-",
    ]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


def decoded_frames(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        good, image = capture.read()
        if not good:
            return frames
        frames.append(image)


def test_all_of_the_body_stays_in_the_picture(wavy_motion: Motion) -> None:
    leap = wavy_motion.root.copy()
    leap[100:140, 1] += 0.6 * np.sin(np.linspace(0, np.pi, 40))
    leap[:, 0] += np.linspace(-2, 2, len(leap))
    motion = Motion(wavy_motion.rotations, leap)
    vertices = load_body().skin(motion)
    for style in (CameraStyle(), CameraStyle(angle=90), CameraStyle(follow=False)):
        camera = film(motion, SMALL, style)
        for frame in range(0, len(motion), 7):
            pixels, _ = camera.project(vertices[frame], frame)
            assert (pixels >= 0).all() and (pixels <= SMALL).all()


def test_a_standing_dancer_fills_seven_tenths_of_the_height() -> None:
    motion = still()
    pixels, _ = film(motion, (1280, 720)).project(load_body().skin(motion)[0], 0)
    assert 0.6 < np.ptp(pixels[:, 1]) / 720 < 0.75


def test_camera_moves_smoothly_after_a_shaking_dancer() -> None:
    rng = np.random.default_rng(0)
    motion = still(600)
    shaken = Motion(motion.rotations, motion.root + rng.normal(0, 0.05, (600, 3)))
    path = film(shaken, SMALL).positions
    assert np.abs(np.diff(path, n=2, axis=0)).max() < 0.002


def test_floor_homography_agrees_with_the_projection() -> None:
    camera = film(still(), SMALL, CameraStyle(angle=30, pitch=12))
    spots = np.array([[0.3, 0.02, -0.4], [-0.5, 0.02, 0.2]])
    mapped = np.column_stack([spots[:, [0, 2]], np.ones(2)]) @ camera.floor_homography(0, 0.02).T
    np.testing.assert_allclose(mapped[:, :2] / mapped[:, 2:], camera.project(spots, 0)[0], atol=1e-6)


def test_soles_stand_on_the_floor() -> None:
    body = load_body()
    for lift in (0.0, 0.04, -0.03):
        motion = still(root=(0, lift, 0))
        assert standing_floor(motion, body) == pytest.approx(body.skin(motion)[0, :, 1].min(), abs=1e-4)


def test_picture_shows_the_body_where_it_is_and_its_shadow() -> None:
    renderer = Renderer(still(), SMALL)
    image = next(renderer.frames())
    assert image.shape == (180, 320, 3) and image.dtype == np.uint8
    # The red top covers the middle of the chest, and nothing red is far from the body.
    chest = renderer.camera.project(np.array([[0.0, SMPL24.rest_height + 0.25, 0.1]]), 0)[0][0].astype(int)
    blue, _, red = image[chest[1], chest[0]].astype(int)
    assert red > blue + 60
    reddish = np.argwhere(image[..., 2].astype(int) > image[..., 0].astype(int) + 60)
    assert np.abs(reddish[:, 1] - chest[0]).max() < 80
    empty = renderer._stage.draw(0, [np.full((3, 3), 50.0)])
    beside = renderer.camera.project(np.array([[0.25, renderer.floor, -0.30]]), 0)[0][0].astype(int)
    assert int(image[beside[1], beside[0]].sum()) < int(empty[beside[1], beside[0]].sum()) - 40


def test_no_holes_in_the_body() -> None:
    renderer = Renderer(still(), (640, 360))
    vertices = renderer.body.skin(renderer.motion)[0]
    normals = renderer.body.skin_normals(renderer.motion)[0]
    pixels, depth = renderer.camera.project(vertices, 0)
    coverage = renderer._paint(vertices, normals, pixels, depth, 0, np.array([640, 360]))[..., 3]
    outline = np.zeros_like(coverage)
    contours, _ = cv2.findContours((coverage > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(outline, contours, -1, 255, cv2.FILLED)
    assert len(contours) == 1
    assert (coverage[cv2.erode(outline, np.ones((5, 5))) > 0] == 255).mean() > 0.999


def test_frames_do_not_depend_on_how_they_are_shared_out(wavy_motion: Motion) -> None:
    renderer = Renderer(wavy_motion, SMALL)
    whole = list(renderer.frames(0, 9))
    odd = list(renderer.frames(1, 9, 2))
    assert len(odd) == 4
    for image, expected in zip(odd, whole[1::2], strict=True):
        assert np.abs(image.astype(int) - expected).max() <= 40 and (image != expected).mean() < 0.001


def test_video_has_the_length_of_the_dance_and_the_music(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "dance.mp4"
    seen: list[tuple[int, int]] = []
    write_video(still(90), path, song(3.0), size=SMALL, progress=lambda done, count: seen.append((done, count)))
    said = streams(path)
    assert "h264" in said and "yuv420p" in said and "aac" in said and "320x180" in said
    assert len(decoded_frames(path)) == 45
    assert seen[-1] == (45, 45) and len(seen) == 45
    sound = decoded_audio(path)
    assert len(sound) / 22050 == pytest.approx(1.5, abs=0.1)
    assert np.std(sound[3000:20000]) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert [entry.name for entry in path.parent.iterdir()] == ["dance.mp4"]


def test_several_processes_draw_the_same_video(tmp_path: Path, wavy_motion: Motion) -> None:
    motion = wavy_motion.cropped(0, 42)
    write_video(motion, tmp_path / "one.mp4", size=SMALL, processes=1)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(video, "FRAMES_PER_PROCESS", 5)
        write_video(motion, tmp_path / "two.mp4", size=SMALL, processes=2)
    one, two = decoded_frames(tmp_path / "one.mp4"), decoded_frames(tmp_path / "two.mp4")
    assert len(one) == len(two) == 21
    for first, second in zip(one, two, strict=True):
        assert np.abs(first.astype(int) - second).mean() < 0.5


def test_colours_survive_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "dance.mp4"
    write_video(still(30), path, size=SMALL)
    expected = next(Renderer(still(30), SMALL).frames())
    assert np.abs(decoded_frames(path)[3].astype(int) - expected).mean() < 4


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dance.avi", {}, "mp4"),
        ("dance.mp4", {"fps": 0}, "frames per second"),
        ("dance.mp4", {"size": (321, 180)}, "even"),
    ],
)
def test_what_cannot_be_made_is_said(tmp_path: Path, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DuendeError, match=message):
        write_video(still(), tmp_path / name, **{"size": SMALL, **options})
    assert not list(tmp_path.iterdir())


def test_a_failing_encoder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = video._command
    monkeypatch.setattr(video, "_command", lambda *given: [*command(*given)[:-1], "-c:v", "nonsense", str(given[0])])
    with pytest.raises(DuendeError, match="ffmpeg stopped"):
        write_video(still(), tmp_path / "dance.mp4", size=SMALL)
    assert not list(tmp_path.iterdir())


def test_a_worker_that_dies_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "FRAMES_PER_PROCESS", 1)
    monkeypatch.setattr(video.sys, "executable", "/bin/false")
    with pytest.raises(DuendeError, match="stopped at frame 0"):
        write_video(still(), tmp_path / "dance.mp4", size=SMALL, processes=2)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(DuendeError, match="free some space"):
        video._encode(
            (video.to_yuv(image) for image in Renderer(still(), SMALL).frames()),
            30, full, None, 30, SMALL, tmp_path / "log", Path("dance.mp4"), None,
        )  # fmt: skip


def test_contact_sheet_and_png(tmp_path: Path, wavy_motion: Motion) -> None:
    sheet = contact_sheet(wavy_motion, [0.5, 1.0, 99.0], (80, 120))
    assert sheet.shape == (120, 240, 3)
    write_png(sheet, tmp_path / "sheet.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet.png")), sheet)
    with pytest.raises(DuendeError, match="at least one"):
        contact_sheet(wavy_motion, [])
