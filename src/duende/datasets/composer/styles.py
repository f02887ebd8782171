"""What makes a style: patterns on a bar of sixteen steps, instruments and harmony, as data.

In drum rows ``X`` is accented, ``x`` plain, ``o`` soft. In bass rows ``R`` is the chord's root, ``3`` and ``5`` its
third and fifth, ``O`` the octave, ``A`` a step towards the next chord. In chord rows ``x`` strikes the chord,
``-`` holds
it. A row lasts one bar,
or as many as it is times sixteen steps long. Instruments are General MIDI programs (from 0) and
drum notes.
"""

from __future__ import annotations

from dataclasses import dataclass

KICK, RIM, SNARE, CLAP, HAT, OPEN, RIDE = 36, 37, 38, 39, 42, 46, 51
TOM, HIGH_TOM, CRASH, COWBELL, TAMBOURINE = 45, 47, 49, 56, 54
MUTE_CONGA, CONGA, LOW_CONGA, TIMBALE, LOW_TIMBALE, MARACAS, CLAVES, BLOCK, SHAKER = 62, 63, 64, 65, 66, 70, 75, 76, 82
BONGO, LOW_BONGO, TRIANGLE = 60, 61, 81

Drums = dict[int, str]


@dataclass(frozen=True)
class Style:
    """One style of dance music.

    Attributes:
        drums: variants of a bar, rows by drum note; the first two rows carry the pulse and play where little else does.
        bass: variants of a bar.
        chords: variants of a bar.
        basses: programs.
        keys: programs of the chords.
        pads: programs of held chords, none for a style without.
        leads: programs of the melody.
        progressions: roots of four bars in scale steps from 0.
        scales: names of scales, see :data:`SCALES`.
        swing: how far an off-beat sixteenth (or eighth) is late, as a share of the step.
        drone: whether root and fifth sound throughout.
        fill: drums that lead into the next section, none for a style without.
        broken: how often chords are played note by note, 0 to 1.
        sevenths: whether chords have four notes.
        drums_alone: whether intros begin without bass, and verses go without pads.
        tempi: usual beats a minute; others can be asked for.
    """

    drums: tuple[Drums, ...]
    bass: tuple[str, ...]
    chords: tuple[str, ...]
    basses: tuple[int, ...] = (33, 34)
    keys: tuple[int, ...] = (0, 4)
    pads: tuple[int, ...] = (48, 89)
    leads: tuple[int, ...] = (80, 81)
    progressions: tuple[tuple[int, ...], ...] = ((0, 5, 3, 4), (0, 3, 4, 3), (5, 3, 0, 4))
    scales: tuple[str, ...] = ("minor", "major")
    swing: float = 0.0
    drone: bool = False
    fill: tuple[int, ...] = (SNARE, TOM, HIGH_TOM)
    broken: float = 0.0
    sevenths: bool = False
    drums_alone: bool = False
    tempi: tuple[int, int] = (85, 130)


SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "bhairav": (0, 1, 4, 5, 7, 8, 11),
    "kafi": (0, 2, 3, 5, 7, 9, 10),
}

_FOUR = "X...X...X...X..."
_OFF = "..o...o...o...o."
_EIGHTHS = "x.o.x.o.x.o.x.o."
_BACK = "....X.......X..."
_CLAVE_32, _CLAVE_23 = "x..x..x...x.x...", "..x.x...x..x..x."
_TEENTAL_LOW = "X...x...x..xx...X...x...x..xx...X.......................x...x..x"
_TEENTAL_HIGH = "x.o.X.o.X.o.x.oox.o.X.o.X.o.x.oox.o.x.o.x.o.x.o.xoooX.o.X.o.x.oo"

STYLES: dict[str, Style] = {
    "salsa": Style(
        drums=(
            {COWBELL: "X...x...X...x...", CLAVES: _CLAVE_32, CONGA: "....x.......x.xx",
             LOW_CONGA: "......xx......xx", MARACAS: _EIGHTHS},
            {CONGA: "x...x...x...x.xx", CLAVES: _CLAVE_23, MUTE_CONGA: "..o...o...o...o.",
             COWBELL: "X.o.x.o.X.o.x.o.", TIMBALE: "............x.xx"},
            {BONGO: "x.oox.oox.oox.oo", CLAVES: _CLAVE_32, LOW_BONGO: "......x.......x.", COWBELL: "X...X...X...X..."},
        ),
        bass=("R.....5.....O...", "R.....5.....A...", "......R.....5..."),
        chords=("x.xx.x.xx.x.x.x.", "x..xx.x.x..xx.x.", "..x.x..x..x.x..x"),
        basses=(32, 33), keys=(0, 1), pads=(), leads=(56, 57, 73),
        progressions=((0, 3, 4, 3), (0, 5, 3, 4), (0, 0, 4, 4)), scales=("harmonic", "harmonic", "major"),
        fill=(TIMBALE, LOW_TIMBALE, CONGA), broken=0.8, tempi=(85, 110),
    ),
    "indian": Style(
        drums=(
            {LOW_CONGA: _TEENTAL_LOW, BONGO: _TEENTAL_HIGH, TRIANGLE: "x.......x......."},
            {LOW_CONGA: "X.....x.X.......", CONGA: "..x.x.....x.x...", MUTE_CONGA: "...o...o...o...o",
             TRIANGLE: "x...x...x...x..."},
            {LOW_CONGA: "X...X.......X...", CONGA: "..xx..xx..xx..xx", TAMBOURINE: "x...x...x...x..."},
            {LOW_BONGO: "X..X..x.X..X..x.", BONGO: ".xx.xx.x.xx.xx.x", TAMBOURINE: "....x.......x..."},
        ),
        bass=("R...............", "R.......5......."),
        chords=("x---------------",),
        basses=(43, 32), keys=(20, 107), pads=(48, 91), leads=(104, 68, 73), progressions=((0, 0, 0, 0), (0, 0, 6, 0)),
        scales=("bhairav", "kafi", "mixolydian"), drone=True, fill=(LOW_CONGA, CONGA, BONGO), tempi=(80, 120),
    ),
    "modern": Style(
        drums=(
            {BLOCK: "o.......o......."},
            {SHAKER: "x...o...x...o..."},
            {KICK: "x.......x.......", RIM: "....o.......o..."},
        ),
        bass=("R.......5.......", "R...5...O...5...", "R..............."),
        chords=("x...x...x...x...", "x-x-x-x-x-x-x-x-", "x.x.x.x.x.x.x.x."),
        basses=(42, 43), keys=(0,), pads=(48, 49, 52), leads=(40, 41, 71), scales=("minor", "major", "dorian"),
        fill=(), broken=0.6, tempi=(70, 110),
    ),
    "ballet": Style(
        drums=({TRIANGLE: "x..............."}, {TRIANGLE: "x.......x......."}),
        bass=("R.......5.......", "R...5...R...5..."),
        chords=("....x...x...x...", "..x...x...x...x.", "....x.x.....x.x."),
        basses=(0, 43), keys=(0,), pads=(48, 49), leads=(0, 73, 40), scales=("major", "major", "minor"),
        progressions=((0, 3, 4, 0), (0, 5, 1, 4), (0, 4, 5, 3)), fill=(), broken=0.35, tempi=(70, 130),
    ),
    "pop": Style(
        drums=(
            {KICK: "X.....x.X.x.....", SNARE: _BACK, HAT: _EIGHTHS},
            {KICK: _FOUR, CLAP: _BACK, HAT: _FOUR, OPEN: _OFF, SHAKER: "xoxoxoxoxoxoxoxo"},
            {KICK: "X..x..x.X..x..x.", SNARE: _BACK, OPEN: "..............x.", HAT: _EIGHTHS},
        ),
        bass=("R.R.R.R.R.R.R.R.", "R..R..R.R..R..A.", "R.....R.R...5..."),
        chords=("x---x---x---x---", "x..x..x.x..x..x.", "....x.......x..."),
        basses=(33, 38), keys=(0, 4, 5), pads=(50, 89), leads=(80, 81, 87),
        broken=0.25, tempi=(95, 128),
    ),
    "house": Style(
        drums=(
            {KICK: _FOUR, HAT: _FOUR, OPEN: _OFF, CLAP: _BACK},
            {KICK: _FOUR, HAT: _FOUR, OPEN: _OFF, CLAP: _BACK, SHAKER: "xoxoxoxoxoxoxoxo", RIM: "...x..x....x..x."},
            {KICK: _FOUR, HAT: "XoooXoooXoooXooo", OPEN: _OFF, SNARE: "....X..o....X.o."},
        ),
        bass=("R.R...R.R.R...R.", "R..R..R...O..R..", "R..O..R...R.O..."),
        chords=("x..x..x...x..x..", "x.x..x..x.x..x..", "x..x...x...x..x."),
        basses=(38, 39), keys=(4, 16, 0), pads=(89, 95), leads=(81, 80, 85), scales=("minor", "dorian"),
        sevenths=True, drums_alone=True, tempi=(115, 130),
    ),
    "hip_hop": Style(
        drums=(
            {KICK: "X......x..x.....", SNARE: _BACK, HAT: _EIGHTHS},
            {KICK: "X..x......xx....", SNARE: _BACK, HAT: "xoxoxoxoxoxoxoxo", OPEN: "..............x."},
            {KICK: "X.x.......x..x..", CLAP: _BACK, HAT: "x.o.x.oox.o.x.o."},
        ),
        bass=("R......R..5.....", "R..R......O.....", "R.........R..A.."),
        chords=("x-------x-------", "...x..x....x....", "x.....x.....x..."),
        basses=(38, 33), keys=(4, 5, 0), pads=(51, 92), leads=(73, 11, 82), scales=("minor", "dorian"),
        swing=0.18, sevenths=True, tempi=(80, 110),
    ),
    "break": Style(
        drums=(
            {KICK: "X.X.......XX....", SNARE: "....X..o.o..X..o", HAT: _EIGHTHS},
            {KICK: "X..X..x...X.....", SNARE: "....X..o....X..x", RIDE: _EIGHTHS},
            {KICK: "X.x...x...x.x...", SNARE: "....X.......X.oo", HAT: "x.x.x.x.x.x.x.x.", COWBELL: "x...x...x...x..."},
        ),
        bass=("R..R.5R...R.O.5.", "R.O.R..R..5.R...", "R..O..R.5...A..."),
        chords=("..x...x..x....x.", "....x..x....x..x"),
        basses=(33, 36, 37), keys=(7, 16, 28), pads=(), leads=(61, 56, 65), scales=("dorian", "mixolydian", "minor"),
        drums_alone=True, tempi=(100, 135),
    ),
    "krump": Style(
        drums=(
            {KICK: "X..X..X...X.X...", CLAP: _BACK, SNARE: "....X.......X..X", HAT: "x.xxx.xxx.xxx.xx"},
            {KICK: "X.X...X.X.X...X.", CLAP: "....X..X....X...", TOM: "..........x.x.x."},
        ),
        bass=("R..R..R...R.R...", "R.R...R.R.R...O."),
        chords=("x-----------x---", "x.......x......."),
        basses=(38, 87), keys=(62, 63, 30), pads=(90, 95), leads=(81, 61), scales=("minor", "bhairav"),
        progressions=((0, 0, 5, 4), (0, 0, 1, 0), (0, 5, 0, 4)), drums_alone=True, tempi=(75, 110),
    ),
    "lock": Style(
        drums=(
            {KICK: "X.X....x..X..x..", SNARE: "....X..o.o..X..o", HAT: "xoxoxoxoxoxoxoxo"},
            {KICK: "X.....x.X.x.....", SNARE: "....X..o....X.o.", HAT: _EIGHTHS, TAMBOURINE: "..x...x...x...x."},
        ),
        bass=("R.R..O.R..5.O.A.", "R...O.R.R..5..O.", "R.OR..R.5.O.R..."),
        chords=("..x..x....x..x..", "x..x..x.x..x..x.", "....xx......xx.x"),
        basses=(36, 37, 33), keys=(7, 28, 16), pads=(), leads=(61, 56, 65), scales=("mixolydian", "dorian"),
        swing=0.08, sevenths=True, tempi=(95, 120),
    ),
    "pop_lock": Style(
        drums=(
            {KICK: "X.....X...X.....", CLAP: _BACK, HAT: "x.x.x.x.x.x.x.x.", COWBELL: "..x..x....x..x.."},
            {KICK: "X..X....X.X.....", SNARE: _BACK, CLAP: _BACK, HAT: "xoxoxoxoxoxoxoxo"},
        ),
        bass=("R..R..O...R..5..", "R.R...O.R.R...5."),
        chords=("..x...x...x...x.", "x..x....x..x...."),
        basses=(38, 39), keys=(81, 62, 5), pads=(50, 90), leads=(80, 84), scales=("minor", "dorian"),
        drums_alone=True, tempi=(95, 120),
    ),
    "waack": Style(
        drums=(
            {KICK: _FOUR, HAT: _FOUR, OPEN: _OFF, SNARE: _BACK, TAMBOURINE: "XoooXoooXoooXooo"},
            {KICK: _FOUR, HAT: "X.ooX.ooX.ooX.oo", OPEN: _OFF, CLAP: _BACK, CONGA: "..x..xx...x..xx."},
        ),
        bass=("R.O.R.O.R.O.R.O.", "R..OR..OR..OR.A."),
        chords=("x.x...x.x.x...x.", "x..x..x...x..x.."),
        basses=(33, 36), keys=(27, 0, 4), pads=(48, 50), leads=(48, 56, 61), scales=("minor", "dorian", "major"),
        sevenths=True, tempi=(110, 130),
    ),
    "disco": Style(
        drums=(
            {KICK: _FOUR, HAT: _FOUR, OPEN: _OFF, SNARE: _BACK},
            {KICK: _FOUR, OPEN: _OFF, CLAP: _BACK, COWBELL: "x.xx..x.x.xx..x.", HAT: "X.o.X.o.X.o.X.o."},
        ),
        bass=("R.O.R.O.R.O.R.O.", "R.R.O.R.R.5.O.A."),
        chords=("x.x...x.x.x...x.", "x..x..x...x..x.."),
        basses=(33, 36), keys=(27, 4, 0), pads=(48, 49), leads=(56, 48, 61), scales=("minor", "major", "dorian"),
        sevenths=True, tempi=(110, 130),
    ),
    "street_jazz": Style(
        drums=(
            {KICK: "X.....x...X.....", SNARE: _BACK, HAT: _EIGHTHS, RIM: "...x......x....."},
            {KICK: "X..x....X.x.....", CLAP: _BACK, RIDE: _EIGHTHS},
        ),
        bass=("R.....R.5.....A.", "R..R....O..5...."),
        chords=("x..x..x.....x...", "..x...x..x......"),
        basses=(33, 32), keys=(4, 0, 5), pads=(89, 48), leads=(65, 66, 11), scales=("dorian", "minor", "major"),
        swing=0.12, sevenths=True, tempi=(85, 125),
    ),
    "la_hip_hop": Style(
        drums=(
            {KICK: "X.....xX..x.....", CLAP: _BACK, HAT: "xoxoxoxxxoxoxoxo"},
            {KICK: "X..x..x...x..x..", SNARE: _BACK, CLAP: _BACK, HAT: _EIGHTHS, SHAKER: "..x...x...x...x."},
        ),
        bass=("R.....RR..5.....", "R..R..O...R..A.."),
        chords=("x--x--x---x--x--", "x-------....x---"),
        basses=(38, 39), keys=(5, 4, 88), pads=(90, 89), leads=(81, 80, 75), scales=("minor",),
        swing=0.06, tempi=(85, 110),
    ),
    "jazz": Style(
        drums=(
            {RIDE: "X...x.x.X...x.x.", HAT: _BACK, KICK: "o...o...o...o..."},
            {RIDE: "X...x.x.X...x.x.", HAT: _BACK, SNARE: ".......o......o.", KICK: "o...o...o...o..."},
        ),
        bass=("R...3...5...A...", "R...5...3...A...", "R...O...5...A..."),
        chords=("......x.......x.", "x.....x.........", "...x......x....."),
        basses=(32,), keys=(0, 26, 4), pads=(), leads=(56, 65, 66, 71), scales=("major", "dorian", "minor"),
        progressions=((1, 4, 0, 0), (0, 5, 1, 4), (2, 5, 1, 4)), swing=0.3, fill=(SNARE,), sevenths=True, tempi=(90,
        180),
    ),
}  # fmt: skip
