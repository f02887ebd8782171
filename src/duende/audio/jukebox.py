"""Features of Jukebox, computed elsewhere: its 5-billion prior needs a large graphics processor and 10 GB of weights.

Layout: one folder; ``NAME.npy`` in it belongs to the song whose file is called ``NAME`` but for its suffix. Each holds
a float array ``(T, 4800)``, layer 66 of the 5b prior at 30 rows a second from the beginning of the song, as EDGE
computes it (Tseng et al., 2023). ``T`` may differ from 30 times the song's seconds by up to 15, half a second: what is
too much is cut, and what is missing repeats the last row.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from duende.audio.feature_sets import ROWS_A_SECOND, row_count
from duende.errors import DuendeError

WIDTH = 4800
FRAMES_A_SECOND = 30
FRAMES_IN_ROW = round(FRAMES_A_SECOND / ROWS_A_SECOND)
TOLERANCE = 0.5
"""Seconds that the length may be off by."""
BLOCK = 1 << 20


def jukebox_rows(folder: str | Path, song_name: str, seconds: float) -> np.ndarray:
    """Read the features of a song, those of a pose code beside each other.

    Args:
        folder: in the layout above.
        song_name: name of the song's file without its suffix.
        seconds: duration of the song.

    Returns:
        ``(rows, 4 * 4800)`` float16 at 7.5 rows a second with ``rows = ceil(7.5 * seconds)``, at least one; row ``i``
        holds the frames ``4 i`` to ``4 i + 3`` in the order of time.

    Raises:
        DuendeError: there is no such file, it is damaged, or its width, type, length or numbers are not as stated.
    """
    path = _path(folder, song_name)
    values = _read(path)
    if abs(len(values) / FRAMES_A_SECOND - seconds) > TOLERANCE + 1e-6:
        raise DuendeError(
            f"{path} has {len(values)} rows, but the song's {seconds:.2f} s make {round(FRAMES_A_SECOND * seconds)} at "
            f"{FRAMES_A_SECOND} a second; compute the features of the same recording at that rate"
        )
    rows = row_count(seconds)
    wanted = rows * FRAMES_IN_ROW
    with np.errstate(over="ignore"):
        frames = np.asarray(values[:wanted]).astype(np.float16)
    if not np.isfinite(frames).all():
        raise DuendeError(f"{path} holds numbers that are not finite or too large for float16; compute it again")
    frames = np.pad(frames, ((0, wanted - len(frames)), (0, 0)), mode="edge")
    return frames.reshape(rows, FRAMES_IN_ROW * WIDTH)


def jukebox_identity(folder: str | Path, song_name: str) -> str:
    """Return a hexadecimal digest (BLAKE2b, 128 bits) of the content of the song's file.

    Raises:
        DuendeError: there is no such file, or it cannot be read.
    """
    path = _path(folder, song_name)
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise DuendeError(f"{path} cannot be read ({error}); check its permissions") from error
    return digest.hexdigest()


def _path(folder: str | Path, song_name: str) -> Path:
    path = Path(folder).expanduser() / f"{song_name}.npy"
    if not path.is_file():
        raise DuendeError(
            f"no file {path} with the Jukebox features of {song_name}; compute them or name another folder"
        )
    return path


def _read(path: Path) -> np.ndarray:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DuendeError(f"{path} cannot be read as a NumPy array; copy or compute it again") from error
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != WIDTH or values.dtype.kind != "f":
        found = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive"
        raise DuendeError(
            f"{path}: a float array (T, {WIDTH}) is expected, got {found}; compute layer 66 of the 5b prior"
        )
    if len(values) == 0:
        raise DuendeError(f"{path} holds no rows; compute it again")
    return values
