"""The web page: whole, offline, safe for any title; in a browser it shows the dance where Python says it is."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from duende.audio.music import Beats
from duende.audio.song import Song
from duende.errors import DuendeError
from duende.formats.page import STEPS, pack_quaternions, write_page
from duende.motion import SMPL24, Motion, Skeleton

BEATS = Beats(np.arange(0.25, 9, 0.5), np.arange(0.25, 9, 2.0), 120.0)


class Elements(HTMLParser):
    """Collects the text of elements as a browser would split them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self.stack.append(tag)
        if tag in ("script", "title", "h1", "style"):
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] in self.texts:
            self.texts[self.stack[-1]][-1] += data


def page_data(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Elements(path.read_text(encoding="utf-8")).texts["script"][0])
    return values


def tone(seconds: float, rate: int = 22_050, start: float = 0.0) -> Song:
    at = np.arange(round(seconds * rate)) / rate
    return Song((0.5 * np.sin(2 * np.pi * 440 * at) * (at >= start)).astype(np.float32), rate, "tone")


def decoded(mp3: bytes, folder: Path) -> np.ndarray:
    file = folder / "sound.mp3"
    file.write_bytes(mp3)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(file), "-f", "f32le", "-ac", "1", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4")


def unpacked(words: np.ndarray) -> np.ndarray:
    """The viewer's side of the packing, in Python."""
    largest = (words[..., 0] >> 15) | ((words[..., 1] >> 15) << 1)
    numbers = (words & 32_767) * (np.sqrt(2) / STEPS) - np.sqrt(0.5)
    rest = np.sqrt(np.maximum(0, 1 - (numbers**2).sum(axis=-1)))
    result = np.empty((*words.shape[:-1], 4))
    for missing in range(4):
        chosen = largest == missing
        result[chosen] = np.insert(numbers[chosen], missing, rest[chosen], axis=-1)
    return result


def test_packed_quaternions_err_by_less_than_a_hundredth_of_a_degree() -> None:
    rng = np.random.default_rng(0)
    quaternions = rng.standard_normal((4000, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    special = np.concatenate([np.eye(4), -np.eye(4), np.full((1, 4), 0.5), [[0, np.sqrt(0.5), 0, -np.sqrt(0.5)]]])
    quaternions = np.concatenate([special, quaternions])
    packed = pack_quaternions(quaternions)
    assert packed.dtype == np.uint16
    same = np.abs((unpacked(packed) * quaternions).sum(axis=1))
    assert np.degrees(2 * np.arccos(np.clip(same, 0, 1))).max() < 0.01


def test_movement_in_the_page_is_the_motion(wavy_motion: Motion, tmp_path: Path) -> None:
    write_page(wavy_motion, tmp_path / "dance.html", None, BEATS, "Wave")
    data = page_data(tmp_path / "dance.html")
    words = np.frombuffer(base64.b64decode(data["turns"]), "<u2").reshape(len(wavy_motion), 24, 3)
    root = np.frombuffer(base64.b64decode(data["root"]), "<f4").reshape(-1, 3)
    again = Motion(unpacked(words), root, data["fps"])
    assert np.abs(again.positions - wavy_motion.positions).max() < 0.0005
    assert data["fps"] == 60 and data["duration"] == pytest.approx(4.0)
    assert data["names"] == list(SMPL24.names) and data["parents"] == list(SMPL24.parents)
    assert data["beats"] == [0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75]
    assert data["downbeats"] == [0.25, 2.25]
    assert "audio" not in data


def test_page_needs_nothing_from_outside(wavy_motion: Motion, tmp_path: Path) -> None:
    write_page(wavy_motion, tmp_path / "dance.html", tone(4), BEATS, "Wave")
    text = (tmp_path / "dance.html").read_text(encoding="utf-8")
    page = Elements(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    assert "@import" not in page.texts["style"][0] and "url(" not in page.texts["style"][0]
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in str(policy[0])
    assert "{{" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)
    # Three.js asks that its notice stays with every copy.
    assert "Copyright © 2010-2026 three.js authors" in text and "Permission is hereby granted" in text


@pytest.mark.parametrize(
    "title",
    ["</script><script>alert(1)</script>", "</title><b>&amp; \"x\" 'y'", "{{data}} \\1 \\g<0>", "<!--", "Año 戦い 🎵"],
)
def test_any_title_is_shown_as_it_is(title: str, wavy_motion: Motion, tmp_path: Path) -> None:
    write_page(wavy_motion.cropped(0, 5), tmp_path / "dance.html", None, None, title)
    text = (tmp_path / "dance.html").read_text(encoding="utf-8")
    page = Elements(text)
    assert page.texts["title"][0].startswith(title)
    assert page.texts["h1"] == [title]
    assert len(page.texts["script"]) == 2
    assert json.loads(page.texts["script"][0])["fps"] == 60


def test_empty_title_gets_a_name(wavy_motion: Motion, tmp_path: Path) -> None:
    write_page(wavy_motion.cropped(0, 5), tmp_path / "dance.html", title=" \n")
    assert Elements((tmp_path / "dance.html").read_text(encoding="utf-8")).texts["h1"] == ["dance"]


@pytest.mark.parametrize("seconds", [1.5, 30.0])
def test_sound_is_as_long_as_the_dance_and_in_time(seconds: float, wavy_motion: Motion, tmp_path: Path) -> None:
    write_page(wavy_motion, tmp_path / "dance.html", tone(seconds, start=0.5), None, "Tone")
    data = page_data(tmp_path / "dance.html")
    sound = decoded(base64.b64decode(data["audio"]), tmp_path)
    assert len(sound) / 44_100 == pytest.approx(4.0, abs=0.03)
    assert np.argmax(np.abs(sound) > 0.25) / 44_100 == pytest.approx(0.5, abs=0.01)
    late = np.abs(sound[round(2.0 * 44_100) : round(3.5 * 44_100)]).max()
    assert late > 0.4 if seconds > 4 else late < 0.01
    loudness = np.frombuffer(base64.b64decode(data["loudness"]), np.uint8)
    assert loudness.max() == 255 and loudness[: len(loudness) // 10].max() < 3


@pytest.mark.parametrize("song", [Song(np.zeros(0), 44_100), Song(np.zeros(8_000), 8_000), Song([np.nan] * 99, 8_000)])
def test_songs_without_sound_do_no_harm(song: Song, wavy_motion: Motion, tmp_path: Path) -> None:
    write_page(wavy_motion, tmp_path / "dance.html", song, Beats(np.zeros(0), np.zeros(0), 0.0), "Silence")
    data = page_data(tmp_path / "dance.html")
    assert len(decoded(base64.b64decode(data["audio"]), tmp_path)) > 3.9 * 44_100
    assert data["tempo"] == 0


def test_sixty_seconds_fit_in_1600_kilobytes(wavy_motion: Motion, tmp_path: Path) -> None:
    minute = wavy_motion.warped(np.abs((np.arange(3600) / 60) % 8 - 4))
    write_page(minute, tmp_path / "dance.html", None, BEATS, "Minute")
    assert (tmp_path / "dance.html").stat().st_size < 1_600_000


def test_fast_motion_is_reduced_and_slow_kept(wavy_motion: Motion, tmp_path: Path) -> None:
    for fps, kept in ((120.0, 60.0), (30.0, 30.0)):
        write_page(replace(wavy_motion, fps=fps), tmp_path / "dance.html")
        data = page_data(tmp_path / "dance.html")
        assert data["fps"] == kept
        assert data["duration"] == pytest.approx(240 / fps)


def test_another_skeleton_is_refused(tmp_path: Path) -> None:
    stick = Skeleton(("hip", "head"), (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    motion = Motion(np.tile([0, 0, 0, 1.0], (3, 2, 1)), np.zeros((3, 3)), 60.0, stick)
    with pytest.raises(DuendeError, match="retarget"):
        write_page(motion, tmp_path / "dance.html")
    assert not list(tmp_path.iterdir())


def test_bundle_is_built_from_its_sources() -> None:
    web = Path(__file__).resolve().parents[1] / "src" / "duende" / "formats" / "web"
    if not (web / "node_modules" / ".bin" / "esbuild").exists():
        pytest.skip("needs esbuild: npm ci in src/duende/formats/web")
    built = subprocess.run(
        [
            "node_modules/.bin/esbuild",
            *json.loads((web / "package.json").read_text())["scripts"]["build"].split()[1:-1],
        ],
        cwd=web,
        capture_output=True,
        check=True,
    )
    assert built.stdout == (web / "viewer.bundle.js").read_bytes(), "run npm run build"


PROBE = """
<script>
(async () => {
  const until = async (good) => { while (!good()) await new Promise((then) => setTimeout(then, 20)); };
  const errors = [];
  window.addEventListener("error", (event) => errors.push(event.message));
  await until(() => window.duende && (!duende.state().sound || duende.state().sound.ready >= 3));
  const seen = [0, 1, 59, 120.5, 239].map((frame) => { duende.seek(frame / 60); return duende.state(); });
  duende.seek(0.5);
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: ".", bubbles: true }));
  const stepped = duende.state();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  const skipped = duende.state();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
  const started = duende.state();
  await until(() => duende.state().time > skipped.time + 0.5);
  const played = duende.state();
  duende.pause();
  console.log("REPORT" + JSON.stringify({ seen, stepped, skipped, started, played, errors }) + "END");
})();
</script>
"""


def report_from(command: list[str], log: Path) -> dict[str, Any]:
    """Run a browser until the page has logged its report."""
    with log.open("wb") as errors:
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
    try:
        give_up = time.monotonic() + 150
        while time.monotonic() < give_up:
            found = re.search(r"REPORT(\{.*\})END", log.read_text(errors="replace"))
            if found:
                report: dict[str, Any] = json.loads(found.group(1))
                return report
            time.sleep(0.2)
        raise AssertionError("the page did not come to life: " + log.read_text(errors="replace")[-2000:])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()


@pytest.mark.slow
@pytest.mark.parametrize("with_song", [True, False])
def test_in_chromium(with_song: bool, wavy_motion: Motion, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium on the path")
    file = tmp_path / "dance.html"
    write_page(wavy_motion, file, tone(4) if with_song else None, BEATS, "Wave")
    file.write_text(file.read_text(encoding="utf-8").replace("</body>", PROBE + "</body>"), encoding="utf-8")
    options = "--headless --no-sandbox --no-first-run --disable-background-networking --disable-component-update"
    options += " --disable-sync --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader"
    options += " --window-size=480,360 --mute-audio --autoplay-policy=no-user-gesture-required --enable-logging=stderr"
    command = [chromium, *options.split(), f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()]
    report = report_from(command, tmp_path / "log")
    assert report["errors"] == []
    for state, frame in zip(report["seen"], (0, 1, 59, 120.5, 239), strict=True):
        expected = wavy_motion.warped(np.array([frame / 60])).positions[0]
        assert np.abs(np.array(state["joints"]) - expected).max() < 0.001
        assert np.abs(np.array(state["root"]) - expected[0]).max() < 0.001
        assert abs(state["frame"] - frame) <= 0.5
    assert report["stepped"]["time"] == pytest.approx(31 / 60)
    assert report["skipped"]["time"] == pytest.approx(31 / 60 + 1)
    # Drawn without a GPU on a busy machine, one frame may outlast the dance: only the start is sure to be seen playing.
    assert report["started"]["playing"] is True
    if with_song:
        assert report["played"]["time"] == pytest.approx(report["played"]["sound"]["time"], abs=0.2)
