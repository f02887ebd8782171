"""``duende live`` from its options to its report, with a dancer that needs no network."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from live_dance import FPS, chunks_of, clicks, swaying

from duende.audio.music import Beats
from duende.cli import live
from duende.cli.main import main
from duende.models.sampling import Sampling
from duende.motion.chunks import MotionChunk
from duende.systems.expressive_bailando import ExpressiveBailando


class Dance:
    """Dances the same to everything, half a second ahead of it."""

    def __init__(self, rate: int) -> None:
        self.rate, self.heard, self.waiting = rate, 0, chunks_of(swaying(0.6))
        self.listener = SimpleNamespace(beats=lambda ahead: Beats(np.zeros(0), np.zeros(0), 124.0))

    def hear(self, samples: np.ndarray) -> Iterator[MotionChunk]:
        self.heard += len(samples)
        while self.waiting and self.waiting[0].begin / FPS < self.heard / self.rate + 0.5:
            yield self.waiting.pop(0)

    def finish(self) -> Iterator[MotionChunk]:
        return iter(())


class Dancer(ExpressiveBailando):
    """Has no network, and keeps what it was asked."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(sampling=Sampling(), frame_rate=60.0)  # type: ignore[assignment]
        self.asked: dict[str, Any] = {}
        self.kind: type[Dance] = Dance

    def live(self, rate: int, **asked: Any) -> Any:
        self.asked = {"rate": rate, **asked}
        return self.kind(rate)


@pytest.fixture
def dancer(monkeypatch: pytest.MonkeyPatch) -> Dancer:
    made = Dancer()
    monkeypatch.setattr(live, "from_pretrained", lambda name: made)
    monkeypatch.setattr(live, "placed", lambda system, placement: system)
    monkeypatch.setattr(live, "chosen_threads", lambda options, system, processes: 1)
    return made


@pytest.fixture
def song(tmp_path: Path) -> Path:
    clicks(0.6).write(tmp_path / "clicks.wav")
    return tmp_path / "clicks.wav"


def test_a_song_is_danced_to_and_each_frame_sent(
    dancer: Dancer, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        words = ["live", str(song), "--no-page", "--udp", address, "--report", str(tmp_path / "report.json")]
        assert main([*words, "--seed", "4", "--style", "salsa", "--candidates", "2", "--delay", "0"]) == 0
        numbers = [struct.unpack_from("<I", listener.recv(1000), 4)[0] for _ in range(36)]
    assert numbers == list(range(36))
    assert dancer.asked["sampling"].candidates == 2
    assert (dancer.asked["rate"], dancer.asked["seed"], dancer.asked["style"]) == (8000, 4, "salsa")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["frames"], report["--udp"]["sent"], report["tempo"]) == (36, 36, 124.0)
    assert "36 frames in " in capsys.readouterr().out


def test_ctrl_c_ends_it_with_a_report(dancer: Dancer, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted(Dance):
        def hear(self, samples: np.ndarray) -> Iterator[MotionChunk]:
            yield MotionChunk(0, swaying(0.2))
            raise KeyboardInterrupt

    dancer.kind = Interrupted
    assert main(["live", str(song), "--no-page"]) == 0
    assert "12 frames" in capsys.readouterr().out


def test_a_page_is_printed_and_waited_for(
    dancer: Dancer, song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page_server = pytest.importorskip("duende.live.page_server")
    opened: list[str] = []
    monkeypatch.setattr(live.webbrowser, "open", opened.append)
    monkeypatch.setattr(page_server.PageServer, "wait_for_viewer", lambda server: None)
    monkeypatch.setenv("DISPLAY", ":9")
    assert main(["live", str(song), "--port", "0"]) == 0
    printed = capsys.readouterr().out
    assert len(opened) == 1
    assert printed.startswith(f"{opened[0]}  the dance")
    assert main(["live", str(song), "--port", "0", "--no-open"]) == 0
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nonesuch.mp3"], "no file nonesuch.mp3; check the name of the song"),
        (["-"], "- is the standard input, which live does not read; name a file, or say --microphone"),
        (["SONG", "--microphone"], "--microphone hears what is in the room: leave the song and --repeat out"),
        (["SONG", "--seconds", "-1"], "--seconds is 0 or above, got -1.0"),
        (["SONG", "--delay", "nan"], "--delay is 0 or above, got nan"),
        (["SONG", "--no-page", "--osc", "here"], "--osc here is no address; write HOST:PORT, such as 127.0.0.1:39539"),
        (["SONG", "--no-page", "--udp", "h:0"], "--udp h:0 is no address; write HOST:PORT, such as 127.0.0.1:39539"),
        (["SONG", "--steps", "3"], "this model does not know --steps"),
        (["SONG", "--port", "99999"], "cannot listen on 127.0.0.1, port 99999"),
    ],
)
def test_mistakes_end_in_one_sentence(
    words: list[str], sentence: str, dancer: Dancer, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", *(str(song) if word == "SONG" else word for word in words)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"duende: {sentence}")
    assert said.count("\n") == 1


def test_a_model_that_needs_the_whole_song_is_refused(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", str(song), "--model", "edge"]) == 2
    assert "a model of edge makes dances as a whole, not live; name another --model" in capsys.readouterr().err


def test_the_smallest_model_dances_live_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clicks(2.0, 22_050).write(tmp_path / "clicks.wav")
    words = [
        "live",
        str(tmp_path / "clicks.wav"),
        "--model",
        "debug",
        "--no-page",
        "--report",
        str(tmp_path / "it.json"),
    ]
    assert main(words) == 0
    report = json.loads((tmp_path / "it.json").read_text())
    assert report["frames"] >= 120
    assert report["first_frame"] > 0
