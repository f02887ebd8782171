"""The composer: pieces that are reproducible, playable, and on the beat that they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duende.audio.beats import track_beats
from duende.audio.music import Beats
from duende.datasets.composer import (
    STYLES,
    Composition,
    Note,
    Part,
    compose,
    compose_demo,
    find_soundfont,
    render,
)
from duende.datasets.composer.form import plan_form
from duende.datasets.composer.harmony import Harmony, folded
from duende.datasets.composer.render import to_midi
from duende.datasets.composer.styles import SCALES
from duende.errors import DuendeError

NAMES = sorted(STYLES)
MARKS = {"drums": "Xxo.", "bass": "R35OA.", "chords": "x-."}


@pytest.fixture(scope="module")
def synthesiser() -> Path:
    if shutil.which("fluidsynth") is None:
        pytest.skip("needs the program fluidsynth")
    try:
        return find_soundfont()
    except DuendeError:
        pytest.skip("needs a General MIDI sound font")


def click(drum: int, tempo: float, beats: int) -> Composition:
    times = np.arange(beats) * 60.0 / tempo
    notes = tuple(Note(float(beat), 0.2, drum, 110) for beat in range(beats))
    return Composition("click", tempo, 0, beats, (Part("drums", None, 110, notes),), Beats(times, times[::4], tempo))


@pytest.mark.parametrize("name", NAMES)
def test_style_data_are_well_formed(name: str) -> None:
    style = STYLES[name]
    rows = {
        "drums": [row for variant in style.drums for row in variant.values()],
        "bass": style.bass,
        "chords": style.chords,
    }
    for kind, patterns in rows.items():
        for pattern in patterns:
            assert len(pattern) % 16 == 0 and set(pattern) <= set(MARKS[kind]), (kind, pattern)
    assert set(style.scales) <= set(SCALES)
    assert all(0 <= p < 128 for p in style.basses + style.keys + style.pads + style.leads)
    assert all(35 <= drum <= 81 or drum == 82 for variant in style.drums for drum in variant)
    assert 40 <= style.tempi[0] < style.tempi[1] <= 240


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    beats=st.one_of(st.integers(1, 8), st.integers(8, 300)),
    seed=st.integers(0, 2**63),
    beats_per_bar=st.sampled_from([3, 4]),
    tempo=st.floats(40, 240),
)
def test_every_piece_is_playable(name: str, beats: int, seed: int, beats_per_bar: int, tempo: float) -> None:
    piece = compose(name, tempo, beats, seed, beats_per_bar)
    assert piece.seconds == pytest.approx(beats * 60 / tempo)
    assert len(piece.beats.times) == beats and piece.beats.times[0] == 0
    np.testing.assert_allclose(np.diff(piece.beats.times), 60 / tempo)
    np.testing.assert_array_equal(piece.beats.downbeats, piece.beats.times[::beats_per_bar])
    assert any(part.notes for part in piece.parts)
    assert len(piece.parts) <= 15
    for part in piece.parts:
        assert 0 < part.volume < 128
        for note in part.notes:
            assert note.start >= 0 and note.length > 0 and note.start + note.length <= beats + 1e-6
            assert 20 <= note.velocity <= 127
            low, high = {"drums": (35, 82), "bass": (27, 52), "lead": (62, 86)}.get(part.name, (36, 84))
            assert low <= note.pitch <= high, part.name


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_one_piece_and_another_seed_another(name: str) -> None:
    first, again, other = (compose(name, 110, 64, seed) for seed in (5, 5, 6))
    assert first.parts == again.parts and first.key == again.key
    assert first.parts != other.parts


def test_keys_and_keys_of_styles_differ_with_the_seed() -> None:
    assert len({compose("pop", 110, 8, seed).key for seed in range(40)}) > 8
    assert len({compose(name, 110, 8, 3).key for name in NAMES}) > 3


@pytest.mark.parametrize("name", NAMES)
def test_the_pulse_is_played(name: str) -> None:
    """Of the beats of a piece most carry an onset of drums, bass or chords."""
    shares = []
    for seed in range(6):
        piece = compose(name, 110, 96, seed)
        starts = {round(note.start, 3) for part in piece.parts if part.name != "lead" for note in part.notes}
        shares.append(np.mean([float(beat) in starts for beat in range(96)]))
    assert min(shares) > 0.45 and np.mean(shares) > 0.7


def test_melody_stays_in_the_scale() -> None:
    for seed in range(8):
        piece = compose("ballet", 100, 64, seed)
        lead = next(part for part in piece.parts if part.name == "lead")
        classes = {(note.pitch - piece.key) % 12 for note in lead.notes}
        assert classes <= set(SCALES["major"]) or classes <= set(SCALES["minor"])


def test_waltz_strikes_its_first_beat_and_fits_three() -> None:
    piece = compose("ballet", 120, 90, 1, beats_per_bar=3)
    bass = next(part for part in piece.parts if part.name == "bass")
    assert {note.start for note in bass.notes} >= {3.0 * bar for bar in range(30)}


@pytest.mark.parametrize("bars", [1, 2, 7, 11, 12, 40, 75])
def test_form_covers_every_bar_once(bars: int) -> None:
    for seed in range(20):
        sections = plan_form(bars, np.random.default_rng(seed))
        covered = [bar for section in sections for bar in range(section.first, section.first + section.bars)]
        assert covered == list(range(bars))


def test_energy_changes_within_a_long_piece() -> None:
    for seed in range(20):
        assert len({section.energy for section in plan_form(40, np.random.default_rng(seed))}) >= 2


def test_chords_are_stacked_in_the_scale() -> None:
    assert Harmony(0, SCALES["major"], (0, 4)).chord(1) == [55, 59, 62]
    assert Harmony(9, SCALES["minor"], (0,)).voiced(0, (55, 66)) == [57, 60, 64]


@given(st.integers(-30, 150))
def test_folding_keeps_the_pitch_class(pitch: int) -> None:
    assert 55 <= folded(pitch, (55, 66)) <= 66
    assert (folded(pitch, (55, 66)) - pitch) % 12 == 0


@pytest.mark.parametrize(
    "arguments",
    [("tango", 100, 8, 0), ("pop", 10, 8, 0), ("pop", 100, 0, 0), ("pop", 100, 8, -1), ("pop", 100, 8, 0, 5)],
)
def test_wrong_arguments_are_refused(arguments: tuple) -> None:
    with pytest.raises(DuendeError):
        compose(*arguments)


def test_missing_soundfont_is_named(tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match=r"nowhere\.sf2"):
        find_soundfont(tmp_path / "nowhere.sf2")


def test_midi_ends_every_note() -> None:
    for name in NAMES:
        sounding: dict[tuple[int, int], int] = {}
        for track in to_midi(compose(name, 100, 40, 2)).tracks:
            for message in track:
                if message.type in ("note_on", "note_off"):
                    change = 1 if message.type == "note_on" else -1
                    at = (message.channel, message.note)
                    sounding[at] = sounding.get(at, 0) + change
        assert set(sounding.values()) == {0}


@pytest.mark.parametrize(("drum", "tempo", "rate"), [(37, 120.0, 44_100), (42, 97.3, 30_720)])
def test_rendered_onsets_are_on_the_beats(synthesiser: Path, drum: int, tempo: float, rate: int) -> None:
    piece = click(drum, tempo, 24)
    song = render(piece, synthesiser, rate)
    assert song.rate == rate
    found = []
    for beat in piece.beats.times:
        first = max(0, int((beat - 0.05) * rate))
        heard = np.abs(song.samples[first : first + int(0.12 * rate)])
        found.append((first + int(np.argmax(heard > 0.3 * heard.max()))) / rate)
    assert np.abs(np.array(found) - piece.beats.times).max() < 0.008


@pytest.mark.parametrize("name", ["salsa", "indian", "pop", "ballet"])
def test_rendered_beats_can_be_tracked(synthesiser: Path, name: str) -> None:
    piece = compose(name, 104, 32, 4)
    song = render(piece, synthesiser)
    assert song.duration == pytest.approx(piece.seconds + 1.5, abs=0.01)
    assert np.abs(song.samples).max() == pytest.approx(0.89, abs=0.001)
    # Nothing rings on: the last samples are silent.
    assert np.abs(song.samples[-200:]).max() < 0.01
    heard = track_beats(song)
    assert min(abs(heard.tempo / (104 * octave) - 1) for octave in (0.5, 1, 2)) < 0.02
    lags = [np.abs(piece.beats.times - beat).min() for beat in heard.times if beat < piece.beats.times[-1]]
    assert np.median(lags) < 0.03


def test_demo_lasts_about_a_minute_and_changes() -> None:
    piece = compose_demo()
    assert 60 < piece.seconds < 70
    density = np.histogram([n.start for part in piece.parts for n in part.notes], bins=15)[0]
    assert density.max() > 1.5 * density.min()
