"""The live page in Chromium: the dance where Python has it, in step with its sound; breaks, late frames, clicks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from live_dance import FPS, clicks, danced_to, swaying

pytest.importorskip("websockets", reason="the live page needs the package websockets")

from live_browser import Browser

from duende.formats.body import load_body
from duende.live.measurements import Measurements
from duende.live.page_server import PageServer, Show
from duende.live.receivers import hand_out
from duende.live.sources import FileSource

pytestmark = pytest.mark.browser
SECONDS = 90.0
"""Longer than any test needs."""
MOTION = swaying(SECONDS)


class Performance:
    """A server with a dance that goes on in a thread; ``heard`` says whether the page plays the song."""

    def __init__(self, port: int = 0, heard: bool = True, ahead: float = 0.8, seconds: float = SECONDS) -> None:
        self.source = FileSource(clicks(seconds, 44_100))
        sound, delay = (self.source, 0.2) if heard else (None, 0.0)
        show = Show("Clicks <b>", FPS, lambda: self.source.moment, delay, sound, lambda: {"tempo": 120.0})
        self.server = PageServer(show, port=port)
        self.measured, self.stopped = Measurements(), False
        motion = MOTION.cropped(0, round(seconds * FPS))
        self.chunks = danced_to(self._sound(), self.source.rate, motion, ahead)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.address.rsplit(":", 1)[1].strip("/"))

    def _sound(self) -> Iterator[np.ndarray]:
        for piece in self.source.chunks():
            if self.stopped:
                raise InterruptedError
            yield piece

    def _run(self) -> None:
        self.server.wait_for_viewer()
        with contextlib.suppress(InterruptedError):
            hand_out(self.chunks, self.source, [self.server], self.measured)

    def close(self) -> None:
        self.stopped = True
        self.server._ready.set()
        self.thread.join()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes things that are closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
            made = kind(*arguments, **options)
            stack.callback(made.close)
            return made

        yield make


def expected_joints(time: float) -> np.ndarray:
    joints: np.ndarray = MOTION.warped(np.array([time])).positions[0]
    return joints + np.array([0.0, load_body().sole, 0.0])


def test_the_page_shows_the_dance_where_python_has_it_in_step_with_its_sound(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    show, browser = opened(Performance), opened(Browser, tmp_path / "profile")
    browser.open(show.server.address)
    browser.until("duende.state().time > 3")
    off, apart, against_server = [], [], []
    for _ in range(20):
        state = browser.state()
        off.append(np.linalg.norm(np.array(state["joints"]) - expected_joints(state["time"]), axis=1).max())
        apart.append(abs(state["apart"]))
        against_server.append(abs(state["sound"]["heard"] - (state["moment"] - 0.2)))
    assert max(off) < 0.002
    assert np.median(apart) < 1 / FPS
    assert np.median(against_server) < 0.05
    assert browser.value("document.getElementById('title').innerText") == "Clicks <b>"
    browser.until("document.getElementById('status').innerText.includes('buffer')")
    assert "120 bpm" in browser.value("document.getElementById('byline').innerText")
    picture = cv2.imdecode(np.frombuffer(browser.picture(), np.uint8), cv2.IMREAD_COLOR)
    # The mannequin's shirt is red: blue, green, red.
    assert ((picture[..., 2] > 120) & (picture[..., 1] < 90) & (picture[..., 0] < 90)).sum() > 300
    browser.value("document.getElementById('mute').click()")
    assert browser.state()["sound"]["muted"]
    assert browser.complaints() == []
    assert all(address.startswith(show.server.address) for address in browser.requests())
    browser.until(f"{state['shown']} < duende.state().shown")


def test_the_dance_begins_with_a_click_where_the_browser_wants_one(opened: Callable[..., Any], tmp_path: Path) -> None:
    show, browser = opened(Performance), opened(Browser, tmp_path / "profile", autoplay=False)
    browser.open(show.server.address)
    browser.until("document.getElementById('start').checkVisibility()")
    browser.until("duende.state().connected")
    assert show.source.moment is None, "nothing plays for nobody"
    browser.click("document.getElementById('start')")
    browser.until("duende.state().time > 1 && duende.state().sound.heard !== null")
    assert not browser.value("document.getElementById('start').checkVisibility()")


def test_a_page_comes_back_when_the_server_does_and_joins_late(opened: Callable[..., Any], tmp_path: Path) -> None:
    first, browser = Performance(), opened(Browser, tmp_path / "profile")
    browser.open(first.server.address)
    browser.until("duende.state().time > 1")
    run = browser.state()["hello"]["run"]
    first.close()
    browser.until("!duende.state().connected")
    assert "does not answer" in browser.value("document.getElementById('status').innerText")
    second = opened(Performance, port=first.port)
    browser.until(f"duende.state().connected && duende.state().hello.run !== '{run}' && duende.state().time > 1")
    assert abs(browser.state()["time"] - second.source.moment) < 2
    browser.call("Page.reload")
    browser.until("window.duende && duende.state().time > 3")
    state = browser.state()
    assert np.linalg.norm(np.array(state["joints"]) - expected_joints(state["time"]), axis=1).max() < 0.002


def test_frames_that_come_late_are_shown_a_little_later_where_there_is_no_sound(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    show, browser = opened(Performance, heard=False, ahead=-0.1), opened(Browser, tmp_path / "profile")
    browser.open(show.server.address)
    browser.until("duende.state().late > 0.09")
    assert browser.state()["underruns"] > 0
    assert browser.state()["sound"] is None
    browser.until("document.getElementById('status').innerText.includes('ms late')")


def test_the_page_stays_in_the_last_pose_at_the_end(opened: Callable[..., Any], tmp_path: Path) -> None:
    show, browser = opened(Performance, seconds=3.0), opened(Browser, tmp_path / "profile")
    browser.open(show.server.address)
    browser.until("duende.state().over")
    show.thread.join()
    browser.until("document.getElementById('status').innerText === 'the end'")
    assert np.abs(np.array(browser.state()["joints"]) - expected_joints(179 / FPS)).max() < 0.002
    assert browser.state()["underruns"] == 0


@pytest.mark.shared_data
def test_a_character_of_ones_own_dances_live(opened: Callable[..., Any], shared_data: Path, tmp_path: Path) -> None:
    show, browser = opened(Performance), opened(Browser, tmp_path / "profile")
    browser.open(show.server.address)
    browser.until("duende.state().time > 0.5")
    browser.choose_file("file", shared_data / "characters" / "human-male.glb")
    browser.until("duende.state().wearing")
    browser.until("document.getElementById('notice').innerText.includes('dances')")
    browser.value("document.getElementById('figure').click()")
    assert not browser.state()["wearing"]
    browser.choose_file("file", Path(__file__))
    browser.until("document.getElementById('notice').innerText.includes('is not a binary glTF file')")
    assert browser.complaints() == []
