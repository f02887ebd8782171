"""A study is blind, loses no rating, believes no request, and reports numbers that a hand computation confirms."""

from __future__ import annotations

import argparse
import contextlib
import csv
import http.client
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from chromium import chromium

from duende.cli import study as command
from duende.errors import DuendeError
from duende.study.creation import create_study
from duende.study.definition import QUESTIONS, Study
from duende.study.intervals import participant_interval, student_interval, wilson_interval
from duende.study.mp4 import video_seconds
from duende.study.results import Responses, opinion_scores, preferences
from duende.study.server import StudyServer, byte_range
from duende.study.tables import latex, markdown, ratings_table

KEYS = [question.key for question in QUESTIONS]


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def empty_film(seconds: int = 2, filling: bytes = b"\0" * 999) -> bytes:
    """The smallest mp4 that says how long it is; a browser would show nothing."""
    header = bytes(12) + (1000).to_bytes(4, "big") + (1000 * seconds).to_bytes(4, "big") + bytes(80)
    return box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", box(b"mvhd", header)) + box(b"mdat", filling)


def real_film(path: Path, colour: str) -> None:
    """One second with sound that a browser plays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture, sound = f"color={colour}:size=128x72:rate=20:duration=1", "sine=frequency=330:duration=1"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *inputs, *codecs, str(path)], check=True)


@pytest.fixture
def systems(tmp_path: Path) -> dict[str, Path]:
    """Three systems with videos of the same four songs, each of other content."""
    folders = {name: tmp_path / "out" / name.lower() for name in ("Ours", "EDGE", "Bailando")}
    for name, folder in folders.items():
        folder.mkdir(parents=True)
        for song in ("rumba", "swing", "tango", "waltz"):
            (folder / f"{song}.mp4").write_bytes(empty_film(filling=f"{name} {song} ".encode() * 99))
    return folders


class Client:
    """Speaks plain HTTP with a served study."""

    def __init__(self, server: StudyServer) -> None:
        self.host, self.port = server.server_address[:2]
        self.address, self.pages = server.address, list(server.page)

    def raw(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[Any, bytes]:
        connection = http.client.HTTPConnection(str(self.host), self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()

    def get(self, path: str) -> Any:
        response, body = self.raw("GET", path)
        assert response.status == 200
        return json.loads(body)

    def post(self, path: str, values: Any) -> tuple[int, Any]:
        response, body = self.raw("POST", path, json.dumps(values).encode())
        return response.status, json.loads(body)

    def join(self) -> dict[str, Any]:
        status, state = self.post("/api/participants", {})
        assert status == 201
        return dict(state)

    def rate(self, participant: str, trial: str, answers: dict[str, Any] | None = None, **more: Any) -> tuple[int, Any]:
        values = {"trial": trial, "answers": answers or dict.fromkeys(KEYS, 3), **more}
        return self.post(f"/api/participants/{participant}/ratings", values)

    def rate_all(self, answer: Callable[[dict[str, Any]], dict[str, int]], trials: int | None = None) -> str:
        """Take part: answer each trial that the server shows, in its order."""
        state = self.join()
        while state["next"] and (trials is None or state["done"] < trials):
            status, state = self.rate(state["participant"], state["next"]["trial"], answer(state["next"]))
            assert status == 200
        return str(state["participant"])

    def order(self, participant: str) -> list[str]:
        """The addresses of all videos in the order of a participant who has rated nothing yet."""
        shown, state = [], self.get(f"/api/participants/{participant}")
        while state["next"]:
            shown += state["next"]["videos"]
            state = self.rate(participant, state["next"]["trial"], dict.fromkeys(KEYS, 1))[1]
        return shown


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Client]:
    server = StudyServer(folder, port=0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Client(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def stored(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ratings_table(Responses.read(folder)))))


def systems_of(study: Study, videos: list[str]) -> list[str]:
    return [study.clip[Path(video).stem].system for video in videos]


def test_nothing_that_is_served_tells_the_system(systems: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "study"
    create_study(folder, systems, title="Which dance?")
    names = sorted(path.name for path in (folder / "videos").iterdir())
    assert len(names) == 12 and all(re.fullmatch(r"[0-9a-f]{16}\.mp4", name) for name in names)
    with serving(folder) as client:
        state = client.join()
        said = json.dumps([client.get("/api/study"), state])
        while state["next"]:
            state = client.rate(state["participant"], state["next"]["trial"])[1]
            said += json.dumps(state)
        for path in client.pages:
            said += client.raw("GET", path)[1].decode()
        headers = client.raw("GET", f"/videos/{names[0]}")[0].headers
        assert not {"last-modified", "etag", "content-disposition"} & {name.lower() for name in headers}
    assert not re.search(r"\b(Ours|EDGE|Bailando|rumba|swing|tango|waltz)\b", said)


def test_each_participant_sees_every_dance_once_in_an_order_of_their_own(
    systems: dict[str, Path], tmp_path: Path
) -> None:
    study = create_study(tmp_path / "study", {name: systems[name] for name in ("Ours", "EDGE")})
    with serving(tmp_path / "study") as client:
        orders = [client.order(client.join()["participant"]) for _ in range(3)]
    assert all(sorted(order) == sorted(f"videos/{clip.file}" for clip in study.clips) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_a_participant_goes_on_where_they_stopped(systems: dict[str, Path], tmp_path: Path) -> None:
    create_study(tmp_path / "study", systems)
    with serving(tmp_path / "study") as client:
        first = client.join()
        participant = first["participant"]
        _, second = client.rate(participant, first["next"]["trial"])
    # Also after the server was started again.
    with serving(tmp_path / "study") as client:
        again = client.get(f"/api/participants/{participant}")
    assert again == second
    assert again["done"] == 1 and again["total"] == 12
    assert again["next"]["trial"] != again["last"]["trial"] == first["next"]["trial"]


def test_a_rating_counts_once_and_only_the_last_can_be_changed(systems: dict[str, Path], tmp_path: Path) -> None:
    create_study(tmp_path / "study", systems)
    with serving(tmp_path / "study") as client:
        state = client.join()
        participant, first = state["participant"], state["next"]["trial"]
        for value in (4, 4, 2):
            status, state = client.rate(participant, first, dict.fromkeys(KEYS, value))
            assert (status, state["done"], state["last"]["answers"]["beat_alignment"]) == (200, 1, 4)
        status, state = client.rate(participant, first, dict.fromkeys(KEYS, 5), change=True)
        assert (status, state["done"], state["last"]["answers"]["beat_alignment"]) == (200, 1, 5)
        client.rate(participant, state["next"]["trial"], dict.fromkeys(KEYS, 1))
        assert client.rate(participant, first, dict.fromkeys(KEYS, 2), change=True)[0] == 400
    assert [row["beat_alignment"] for row in stored(tmp_path / "study")] == ["5", "1"]


def test_no_rating_is_lost_when_eight_rate_at_once(systems: dict[str, Path], tmp_path: Path) -> None:
    create_study(tmp_path / "study", systems)
    failures: list[BaseException] = []
    with serving(tmp_path / "study") as client:

        def take_part(value: int) -> None:
            try:
                client.rate_all(lambda _: dict.fromkeys(KEYS, value % 5 + 1))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=take_part, args=(value,)) for value in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            # Results can be read all the while.
            with contextlib.suppress(DuendeError):
                markdown(Responses.read(tmp_path / "study"))
        assert not failures
    responses = Responses.read(tmp_path / "study")
    assert len(responses.ratings) == 8 * 12 and responses.complete == 8


def test_forged_ratings_are_refused_and_nothing_is_stored(systems: dict[str, Path], tmp_path: Path) -> None:
    create_study(tmp_path / "study", systems)
    other = create_study(tmp_path / "other", systems)
    good = dict.fromkeys(KEYS, 3)
    with serving(tmp_path / "study") as client:
        state = client.join()
        participant, trial = state["participant"], state["next"]["trial"]
        path = f"/api/participants/{participant}/ratings"

        def refused(status: int, body: bytes, address: str = path, headers: dict[str, str] | None = None) -> None:
            response, answer = client.raw("POST", address, body, headers)
            assert response.status == status, (body, answer)
            values = json.loads(answer)
            assert list(values) == ["error"] and re.fullmatch(r"[A-Z].*\.", values["error"])

        for value in (0, 6, -1, 3.0, 2.5, "3", True, None, [3], {}, 10**30):
            refused(400, json.dumps({"trial": trial, "answers": {**good, KEYS[1]: value}}).encode())
        missing = dict.fromkeys(KEYS[1:], 3)
        for answers in (missing, {**good, "more": 3}, {**missing, "more": 3}, [3, 3, 3, 3], None, "3"):
            refused(400, json.dumps({"trial": trial, "answers": answers}).encode())
        for unknown in ("nothing", other.trials[0].id, "", None, 7, [trial], "\ud800"):
            refused(404, json.dumps({"trial": unknown, "answers": good}).encode())
        rating = json.dumps({"trial": trial, "answers": good}).encode()
        for forged in ("A" * 22, "nobody", "%00", "..", "' OR 1 = 1 --", participant[:-1], participant + "A"):
            refused(404, rating, f"/api/participants/{forged.replace(' ', '%20')}/ratings")
        for body in (b"", b"{", b"no json", b"[]", b"3", b"null", b"\xff\xfe{", b"[" * 4000):
            refused(400, body)
        refused(413, json.dumps({"trial": trial, "answers": good, "more": "x" * 5000}).encode())
        for length in ("-1", "many", "1e3"):
            refused(400, b"", headers={"Content-Length": length})
        refused(404, rating, "/api/else")
        with pytest.raises(DuendeError, match="no ratings yet"):
            Responses.read(tmp_path / "study")
        # The server goes on, for the same participant too.
        assert client.rate(participant, trial, good)[1]["done"] == 1
    assert len(stored(tmp_path / "study")) == 1


def test_paths_lead_nowhere_but_into_the_page_and_the_videos(systems: dict[str, Path], tmp_path: Path) -> None:
    study = create_study(tmp_path / "study", systems)
    (tmp_path / "study" / "videos" / "other.mp4").write_bytes(b"not of the study")
    with serving(tmp_path / "study") as client:
        secret = [
            "study.json",
            "ratings.sqlite",
            "videos/",
            "videos/other.mp4",
            "videos/../study.json",
            "../study.json",
        ]
        secret += ["videos/..%2fstudy.json", "videos/%2e%2e/study.json", "videos//etc/passwd", "page/index.html", "api"]
        secret += [
            "videos/..\\study.json",
            f"videos/{study.clips[0].id}",
            "/etc/passwd",
            "videos/\0.mp4".replace("\0", "%00"),
        ]
        for path in secret:
            response, body = client.raw("GET", f"/{path}")
            assert response.status == 404 and list(json.loads(body)) == ["error"], path
        for path in ("/", "/api/study", f"/videos/{study.clips[0].file}", "/nothing"):
            headers = client.raw("GET", path)[0].headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["Server"] == "duende"
        assert client.raw("DELETE", "/")[0].status == 501


def test_a_part_of_a_video_is_served_as_browsers_ask_for_it(systems: dict[str, Path], tmp_path: Path) -> None:
    study = create_study(tmp_path / "study", systems)
    clip = study.clips[5]
    whole = (systems[clip.system] / f"{clip.song}.mp4").read_bytes()
    with serving(tmp_path / "study") as client:

        def part(asked: str) -> tuple[int, str | None, bytes]:
            response, body = client.raw("GET", f"/videos/{clip.file}", headers={"Range": asked})
            assert int(response.headers["Content-Length"]) == len(body)
            return response.status, response.headers["Content-Range"], body

        size = len(whole)
        assert part("bytes=0-") == (206, f"bytes 0-{size - 1}/{size}", whole)
        assert part("bytes=10-19") == (206, f"bytes 10-19/{size}", whole[10:20])
        assert part("bytes=-5") == (206, f"bytes {size - 5}-{size - 1}/{size}", whole[-5:])
        assert part(f"bytes=100-{size * 9}") == (206, f"bytes 100-{size - 1}/{size}", whole[100:])
        assert part(f"bytes={size}-") == (416, f"bytes */{size}", b"")
        assert part("bytes=-0") == (416, f"bytes */{size}", b"")
        for unclear in ("bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=x-y"):
            assert part(unclear) == (200, None, whole)
        head, nothing = client.raw("HEAD", f"/videos/{clip.file}")
        assert head.headers["Content-Length"] == str(size) and nothing == b""
    assert byte_range("bytes=-9", 4) == (0, 4)


def test_opinion_scores_are_those_of_a_hand_computation(systems: dict[str, Path], tmp_path: Path) -> None:
    study = create_study(tmp_path / "study", {name: systems[name] for name in ("Ours", "EDGE")})
    with serving(tmp_path / "study") as client:
        # The first participant gives Ours 5 and EDGE 2, the second 4 and 2; the third stops after three dances.
        for ours in (5, 4):
            given = {"Ours": ours, "EDGE": 2}
            client.rate_all(
                lambda shown, given=given: dict.fromkeys(KEYS, given[systems_of(study, shown["videos"])[0]])
            )
        client.rate_all(lambda _: dict.fromkeys(KEYS, 3), trials=3)
        client.join()
    responses = Responses.read(tmp_path / "study")
    third = [study.clip[study.trial[rating.trial].clips[0]].system for rating in responses.ratings[16:]]
    values = [5] * 4 + [4] * 4 + [3] * third.count("Ours")
    score = opinion_scores(responses)["Ours"]["dance_dynamics"]
    mean = sum(values) / len(values)
    assert score is not None and score.naive is not None and score.mean == pytest.approx(mean)
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    # Two-sided 95 % quantiles of Student's t from a printed table.
    quantile = {7: 2.3646, 8: 2.3060, 9: 2.2622, 10: 2.2281}[len(values) - 1]
    assert score.naive[1] - mean == pytest.approx(quantile * deviation / len(values) ** 0.5, rel=1e-4)
    text = markdown(responses)
    edge = [2] * 8 + [3] * third.count("EDGE")
    assert f"| Ours | {mean:.2f}±{score.naive[1] - mean:.2f} |" in text and f"| EDGE | {np.mean(edge):.2f}" in text
    assert "| System | OE ↑ | GM ↑ | BA ↑ | DD ↑ |" in text
    assert "Participants with ratings: 3; 2 complete, 1 partial" in text
    assert "same answer to everything: participant 3 (" in text and "Not left out" in text
    assert rf"Ours & {mean:.2f}$\pm$" in latex(responses)


def test_the_interval_over_participants_is_wider_where_each_has_a_taste_of_their_own() -> None:
    rng = np.random.default_rng(1)
    tastes = rng.normal(3, 0.8, 24)[:, None]
    ratings = np.clip(np.rint(tastes + rng.normal(0, 0.3, (24, 10))), 1, 5).astype(int)
    naive = student_interval(ratings.ravel().tolist())
    clustered = participant_interval(ratings.sum(axis=1).tolist(), [10] * 24)
    of_means = student_interval(ratings.mean(axis=1).tolist())
    assert naive and clustered and of_means
    width = clustered[1] - clustered[0]
    assert width > 2 * (naive[1] - naive[0])
    # With as many ratings from each, redrawing participants is redrawing their means.
    assert width == pytest.approx(of_means[1] - of_means[0], rel=0.15)
    assert clustered == participant_interval(ratings.sum(axis=1).tolist(), [10] * 24)
    assert participant_interval([30, 0], [10, 0]) is None and student_interval([3]) is None


def test_wilson_intervals_are_those_of_the_formula() -> None:
    z, count, total = 1.959964, 18, 24
    share, width = count / total, 1 + z**2 / total
    middle = (share + z**2 / (2 * total)) / width
    half = z / width * (share * (1 - share) / total + z**2 / (4 * total**2)) ** 0.5
    assert wilson_interval(count, total) == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert wilson_interval(0, 0) is None


def test_pairs_show_two_systems_to_one_song_on_either_side_and_count_wins(
    systems: dict[str, Path], tmp_path: Path
) -> None:
    study = create_study(tmp_path / "study", systems, "pairs")
    assert len(study.trials) == 4 * 3
    sides: list[str] = []

    def prefer_ours(shown: dict[str, Any]) -> dict[str, int]:
        names = systems_of(study, shown["videos"])
        songs = {study.clip[Path(video).stem].song for video in shown["videos"]}
        assert len(set(names)) == 2 and len(songs) == 1
        sides.append(names[0])
        better = names.index("Ours") + 1 if "Ours" in names else 0
        return {**dict.fromkeys(KEYS, better), "beat_alignment": 0}

    with serving(tmp_path / "study") as client:
        someone = client.rate_all(prefer_ours)
        client.rate_all(prefer_ours)
        client.rate_all(lambda _: dict.fromkeys(KEYS, 1))
        last = client.get(f"/api/participants/{someone}")["last"]
        assert last["answers"] == prefer_ours(last)
        assert client.rate(someone, last["trial"], dict.fromkeys(KEYS, 3))[0] == 400
    assert {"Ours", "EDGE", "Bailando"} == set(sides)
    responses = Responses.read(tmp_path / "study")
    found = preferences(responses)
    against_edge = found["overall_expressiveness"][0]
    left = sum(
        row["shown_as_a"] == "Ours"
        for row in stored(tmp_path / "study")
        if row["participant"] == "3" and {row["first_system"], row["second_system"]} == {"Ours", "EDGE"}
    )
    assert (against_edge.first, against_edge.second) == ("Ours", "EDGE")
    assert (against_edge.wins, against_edge.ties, against_edge.losses) == (8 + left, 0, 4 - left)
    assert against_edge.rate == pytest.approx((8 + left) / 12)
    assert found["beat_alignment"][0].ties == 8
    assert found["overall_expressiveness"][2].ties == 8, "EDGE against Bailando"
    # Who always takes A is found out, although A is now the one system, now the other.
    assert responses.monotonous == [3]
    row = stored(tmp_path / "study")[0]
    assert row["beat_alignment"] == "" and row["overall_expressiveness"] in ("Ours", "")
    assert "| Ours | EDGE |" in markdown(responses) and "Ours & EDGE" in latex(responses)


def run(*arguments: str | Path) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    options = parser.parse_args([str(argument) for argument in arguments])
    command.run(options)


def test_mistakes_end_in_one_sentence_and_leave_nothing(systems: dict[str, Path], tmp_path: Path) -> None:
    folder, ours = tmp_path / "study", systems["Ours"]
    (tmp_path / "empty").mkdir()
    damaged = tmp_path / "damaged"
    shutil.copytree(ours, damaged)
    shutil.copytree(ours, tmp_path / "fewer")
    (tmp_path / "fewer" / "waltz.mp4").unlink()
    before = sorted(tmp_path.iterdir())

    def fails(match: str, *arguments: str | Path) -> None:
        with pytest.raises(DuendeError, match=match) as caught:
            run("new", folder, *arguments)
        assert "\n" not in str(caught.value)
        assert sorted(tmp_path.iterdir()) == before

    fails("no folder", "--system", f"A={tmp_path / 'nowhere'}")
    fails("no mp4", "--system", f"A={tmp_path / 'empty'}")
    fails("only one", "--system", f"A={ours}", "--mode", "pairs")
    fails("named twice", "--system", f"A={ours}", "--system", f"A={damaged}")
    for entry in (str(ours), f"={ours}", "A="):
        fails("NAME|name and a folder", "--system", entry)
    fails(
        "'B' has no video waltz.mp4", "--system", f"A={ours}", "--system", f"B={tmp_path / 'fewer'}", "--mode", "pairs"
    )
    fails("--introduction", "--system", f"A={ours}", "--introduction", tmp_path / "none.txt")
    film = (damaged / "swing.mp4").read_bytes()
    for content in (b"", film[:-10], b"no film at all, just words", film[:20], b"\0" * 64):
        (damaged / "swing.mp4").write_bytes(content)
        fails("swing.mp4 is no whole mp4", "--system", f"A={damaged}")
    run("new", folder, "--system", f"A={ours}")
    held = sorted(folder.rglob("*"))
    with pytest.raises(DuendeError, match="is there already"):
        run("new", folder, "--system", f"A={ours}")
    assert sorted(folder.rglob("*")) == held
    for step in ("serve", "results"):
        with pytest.raises(DuendeError, match="holds no study"):
            run(step, tmp_path / "empty")
    with pytest.raises(DuendeError, match="no ratings yet"):
        run("results", folder)
    with pytest.raises(DuendeError, match="cannot listen"):
        run("serve", folder, "--port", "70000")
    with StudyServer(folder, port=0) as server, pytest.raises(DuendeError, match="cannot listen"):
        run("serve", folder, "--port", str(server.server_address[1]))
    (folder / "study.json").write_text("{")
    with pytest.raises(DuendeError, match="damaged"):
        run("results", folder)


def test_served_from_the_command_line_until_ctrl_c_and_then_tabled(
    systems: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    names = [f"--system={name}={systems[name]}" for name in systems]
    run("new", folder, *names, "--title", "Año & 戦い")
    assert "12 dances to rate" in capsys.readouterr().out
    script = (
        "import argparse, sys; from duende.cli import study; parser = argparse.ArgumentParser(); "
        "study.add_arguments(parser); study.run(parser.parse_args(sys.argv[1:]))"
    )
    arguments = [sys.executable, "-c", script, "serve", str(folder), "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        address = re.match(r"http://127\.0\.0\.1:(\d+)/", served.stdout.readline())
        assert address is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=20)
        connection.request("POST", "/api/participants", b"{}")
        state = json.loads(connection.getresponse().read())
        rating = {"trial": state["next"]["trial"], "answers": dict.fromkeys(KEYS, 4)}
        connection.request("POST", f"/api/participants/{state['participant']}/ratings", json.dumps(rating))
        assert json.loads(connection.getresponse().read())["done"] == 1
        # The connection is kept open: the end does not wait for it.
        served.send_signal(signal.SIGINT)
        assert "1 ratings are stored" in served.stdout.read()
        connection.close()
    assert served.returncode == 0
    run("results", folder, "-o", tmp_path / "tables")
    assert "Participants with ratings: 1; 0 complete, 1 partial" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["ratings.csv", "results.md", "results.tex"]
    everything = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "tables").iterdir())
    assert state["participant"] not in everything and "Año & 戦い" in everything


def test_lengths_of_films_are_read(tmp_path: Path) -> None:
    real_film(tmp_path / "real.mp4", "red")
    assert video_seconds(tmp_path / "real.mp4") == pytest.approx(1.0, abs=0.1)
    (tmp_path / "made.mp4").write_bytes(empty_film(7))
    assert video_seconds(tmp_path / "made.mp4") == 7
    (tmp_path / "endless.mp4").write_bytes(empty_film(0))
    with pytest.raises(DuendeError, match="does not say how long"):
        video_seconds(tmp_path / "endless.mp4")


LAUNCH = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 20) for number in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """Headless Chromium, driven with its DevTools protocol over the pipes 3 and 4."""

    def __init__(self, chromium: str, profile: Path) -> None:
        options = "--headless --no-sandbox --no-first-run --disable-background-networking --disable-component-update"
        options += " --disable-sync --disable-gpu --mute-audio --remote-debugging-pipe --window-size=1280,800"
        commands, self.write = os.pipe()
        self.read, answers = os.pipe()
        arguments = [str(commands), str(answers), chromium, *options.split(), f"--user-data-dir={profile}"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *arguments, "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self.number, self.pending, self.events = 0, b"", list[dict[str, Any]]()
        self.session = ""
        pages = [target for target in self.call("Target.getTargets")["targetInfos"] if target["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "result" in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.read], [], [], 60)
            piece = os.read(self.read, 1 << 16) if ready else b""
            assert piece, "Chromium does not answer"
            self.pending += piece
        message, _, self.pending = self.pending.partition(b"\0")
        return dict(json.loads(message))

    def value(self, script: str) -> Any:
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        give_up = time.monotonic() + 60
        while not self.value(f"Boolean({condition})"):
            assert time.monotonic() < give_up, (condition, self.value("document.body.innerText"))
            time.sleep(0.05)

    def click(self, name: str) -> None:
        self.until(
            f"document.getElementById('{name}')?.checkVisibility() && !document.getElementById('{name}').disabled"
        )
        self.value(f"document.getElementById('{name}').click()")

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def watch(self) -> None:
        """Press play on each video that was not watched, and wait until the questions open."""
        self.until("document.querySelectorAll('fieldset').length == 4")
        for number in range(self.value("document.querySelectorAll('video').length")):
            assert self.value("[...document.querySelectorAll('fieldset')].every((box) => box.disabled)")
            self.value(f"document.querySelectorAll('.play')[{number}].click()")
            self.until(f"document.querySelectorAll('figure')[{number}].matches('.watched')")
        self.until("[...document.querySelectorAll('fieldset')].every((box) => !box.disabled)")

    def mistakes(self) -> list[dict[str, Any]]:
        """What the page threw or the browser complained of."""
        self.value("1")
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded")
        return [event for event in self.events if event.get("method") in kinds]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.write)
        os.close(self.read)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    browser = Browser(chromium(), tmp_path / "profile")
    try:
        yield browser
    finally:
        browser.close()


def test_in_chromium_a_participant_goes_through_a_study_with_a_reload_in_the_middle(
    browser: Browser, tmp_path: Path
) -> None:
    for name, colour in (("Ours", "red"), ("EDGE", "blue")):
        real_film(tmp_path / name / "tango.mp4", colour)
    folder = tmp_path / "study"
    systems = {name: tmp_path / name for name in ("Ours", "EDGE")}
    create_study(folder, systems, title="Tango", introduction="<b>Read</b> this.")
    with serving(folder) as client:
        browser.call("Page.navigate", url=client.address)
        browser.until("document.getElementById('introduction')?.innerText == '<b>Read</b> this.'")
        assert browser.value("document.getElementById('start').disabled"), "nobody has agreed yet"
        browser.click("agree")
        browser.click("start")
        browser.until("document.getElementById('count').innerText == 'Dance 1 of 2'")
        first = browser.value("document.querySelector('video').src")
        browser.press("5")
        browser.watch()
        assert browser.value("document.querySelectorAll('#questions input:checked').length") == 0, (
            "keys answer only what is open"
        )
        for key in "4251":
            browser.press(key)
        browser.click("save")
        browser.until("document.getElementById('count').innerText == 'Dance 2 of 2'")

        browser.call("Page.reload")
        browser.until("document.getElementById('count')?.innerText == 'Dance 2 of 2'")
        second = browser.value("document.querySelector('video').src")
        assert second != first
        browser.watch()
        for box in range(4):
            browser.value(f"document.querySelectorAll('fieldset')[{box}].querySelectorAll('input')[2].click()")
        # A double click counts once.
        browser.until("!document.getElementById('save').disabled")
        browser.value("for (const time of [1, 2]) document.getElementById('save').click()")
        browser.until("document.getElementById('thanks').checkVisibility()")

        browser.click("change-after")
        browser.until("document.querySelectorAll('#questions input:checked').length == 4")
        assert browser.value("document.querySelector('video').src") == second
        browser.value("document.querySelector('fieldset input').click()")
        browser.click("save")
        browser.until("document.getElementById('thanks').checkVisibility()")
        assert browser.mistakes() == []
    rows = stored(folder)
    assert [[row[key] for key in KEYS] for row in rows] == [["4", "2", "5", "1"], ["1", "3", "3", "3"]]
    assert {row["system"] for row in rows} == {"Ours", "EDGE"}
