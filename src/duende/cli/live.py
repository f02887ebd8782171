"""Dance to a song or a microphone while it plays: in the browser, and as frames for other programs."""

from __future__ import annotations

import argparse
import json
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duende.audio.song import Song
from duende.cli.dance import DEMO_SONG
from duende.cli.placing import add_placement_arguments, chosen_placement
from duende.cli.sampling import add_sampling_arguments, chosen_sampling
from duende.cli.threads import add_threads_argument, chosen_threads, threads
from duende.errors import DuendeError
from duende.files import replacing
from duende.live.measurements import Measurements
from duende.live.receivers import Receiver, hand_out
from duende.live.sources import FileSource, SoundSource
from duende.motion.chunks import MotionChunk
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem
from duende.systems.storage import SHIPPED, from_pretrained, placed, shipped_folder
from duende.systems.streaming import LiveDance

if TYPE_CHECKING:
    from duende.live.page_server import PageServer

FILE_DELAY = 0.2
"""Seconds by which a song is heard and its dance shown later than danced to, so that nothing need hurry."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende live``."""
    parser.add_argument("song", nargs="?", help="any sound file; without one, a song of the project's own")
    parser.add_argument(
        "--microphone", nargs="?", const="", metavar="NAME", help="dance to what is heard there, in place of a song"
    )
    parser.add_argument("--seconds", type=float, help="how long at most; default: to the end of the song, or Ctrl-C")
    parser.add_argument("--repeat", action="store_true", help="begin the song again where it ends, until Ctrl-C")
    parser.add_argument("--seed", type=int, default=0, help="another number gives another dance")
    parser.add_argument("--style", help="a style that the model knows, see duende info; default: from the music")
    parser.add_argument(
        "--no-clean-up", dest="clean_up", action="store_false", help="leave trembling and sliding feet as decoded"
    )
    parser.add_argument("--model", default=SHIPPED, help="name or folder of a model that can dance live")
    add_sampling_arguments(parser)
    add_placement_arguments(parser)
    add_threads_argument(parser)
    parser.add_argument("--port", type=int, default=8765, help="of the page; 0: any that is free")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines see the page")
    parser.add_argument("--no-page", dest="page", action="store_false", help="no page, and no waiting for a browser")
    parser.add_argument("--no-open", dest="open", action="store_false", help="print the page's address, open nothing")
    parser.add_argument("--osc", metavar="HOST:PORT", help="send each frame to programs that know the VMC protocol")
    parser.add_argument("--udp", metavar="HOST:PORT", help="send each frame as one plain packet, see docs/live.md")
    parser.add_argument(
        "--delay",
        type=float,
        help=f"seconds from sound to picture; default: {FILE_DELAY:g} with a song, whose sound waits too, else 0",
    )
    parser.add_argument("--report", metavar="FILE", help="write how it went as JSON")


def run(options: argparse.Namespace) -> None:
    """Dance until the sound ends or Ctrl-C is pressed, and print how it went."""
    for option, value in (("--seconds", options.seconds), ("--delay", options.delay)):
        if value is not None and not 0 <= value < float("inf"):
            raise DuendeError(f"{option} is 0 or above, got {value}")
    source = _source(options)
    system = from_pretrained(options.model)
    with threads(chosen_threads(options, system, 1)):
        _dance(options, source, placed(system, chosen_placement(options)))


def _dance(options: argparse.Namespace, source: SoundSource, system: AnySystem) -> None:
    if not isinstance(system, ExpressiveBailando):
        raise DuendeError(f"a model of {system.config.system} makes dances as a whole, not live; name another --model")
    dance = system.live(
        source.rate,
        seed=options.seed,
        sampling=chosen_sampling(options, system.config.sampling),
        style=options.style,
        clean_up=options.clean_up,
    )
    measurements = Measurements()
    receivers = _receivers(options, source, system.config.frame_rate, measurements)
    chunks = _danced(dance, source, measurements)
    try:
        hand_out(chunks, source, receivers, measurements)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    print(measurements.report)
    if options.report is not None:
        _write_report(options.report, measurements, receivers)


def _danced(dance: LiveDance, source: SoundSource, measurements: Measurements) -> Iterator[MotionChunk]:
    for samples in source.chunks():
        for chunk in dance.hear(samples):
            measurements.report.tempo = dance.listener.beats(0.0).tempo or None
            yield chunk
    yield from dance.finish()


def _source(options: argparse.Namespace) -> SoundSource:
    """Open what is danced to, before anything that takes longer."""
    if options.microphone is not None:
        from duende.live.microphone import MicrophoneSource

        if options.song is not None or options.repeat:
            raise DuendeError("--microphone hears what is in the room: leave the song and --repeat out")
        return MicrophoneSource(options.microphone or None, options.seconds)
    if options.song == "-":
        raise DuendeError("- is the standard input, which live does not read; name a file, or say --microphone")
    path = Path(options.song) if options.song else shipped_folder("").parent / "pretrained" / DEMO_SONG
    return FileSource(Song.read(path), options.seconds, options.repeat)


def _receivers(
    options: argparse.Namespace, source: SoundSource, fps: float, measurements: Measurements
) -> list[Receiver]:
    """Open everything that frames go to; all of it or nothing. With a page, wait until somebody looks at it."""
    delay = options.delay
    if delay is None:
        delay = FILE_DELAY if isinstance(source, FileSource) else 0.0
    receivers: list[Receiver] = []
    with ExitStack() as opened:

        def add(receiver: Receiver) -> None:
            opened.callback(receiver.close)
            receivers.append(receiver)

        for option, address in (("--osc", options.osc), ("--udp", options.udp)):
            if address is not None:
                add(_sender(option, address, lambda: source.moment, delay))
        if options.page:
            page = _page(options, source, fps, delay, measurements)
            add(page)
            _invite(page, options.open)
        opened.pop_all()
    return receivers


def _sender(option: str, address: str, moment: Callable[[], float | None], delay: float) -> Receiver:
    from duende.live.datagrams import DatagramSender
    from duende.live.frames import udp_packets

    if option == "--udp":
        return DatagramSender(address, option, udp_packets, moment, delay)
    try:
        from duende.live.vmc import VmcEncoder
    except ModuleNotFoundError as error:
        raise DuendeError(f"--osc needs {error.name}; install it with: pip install 'duende[live]'") from error
    return DatagramSender(address, option, VmcEncoder(), moment, delay)


def _page(
    options: argparse.Namespace, source: SoundSource, fps: float, delay: float, measurements: Measurements
) -> PageServer:
    try:
        from duende.live.page_server import PageServer, Show
    except ModuleNotFoundError as error:
        raise DuendeError(
            f"the page needs {error.name}; install it with: pip install 'duende[live]', or say --no-page"
        ) from error

    def status() -> dict[str, Any]:
        report = measurements.report
        return {"tempo": report.tempo, "underruns": report.underruns, "late_at_start": report.late_at_start}

    sound = source if isinstance(source, FileSource) else None
    show = Show(source.title, fps, lambda: source.moment, delay, sound, status)
    return PageServer(show, options.host, options.port)


def _invite(page: PageServer, open_it: bool) -> None:
    print(f"{page.address}  the dance; it begins when a browser shows it, Ctrl-C ends it", flush=True)
    # Where there is no screen, a browser for the terminal would open in its place.
    if open_it and (
        sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        webbrowser.open(page.address)
    page.wait_for_viewer()


def _write_report(path: str, measurements: Measurements, receivers: list[Receiver]) -> None:
    values = measurements.report.values()
    for receiver in receivers:
        values |= receiver.measured()
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(f"{path}  the same as JSON")
