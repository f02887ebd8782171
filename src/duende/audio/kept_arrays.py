"""Arrays in files that are named by keys: computed once by whoever asks first, read by all who ask after.

Any number of processes may use a folder at once. One that is killed leaves nothing that passes for a whole entry.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from duende.errors import DuendeError
from duende.files import replacing

TAG = "CACHEDIR.TAG"
SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by duende; all of it may be deleted.\n"
"""By this file and line programs that make backups know a cache (bford.info/cachedir)."""
DAMAGE = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file may raise; the checksums in it tell the rest."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class KeptArrays:
    """A folder of entries.

    Attributes:
        folder: made when it is needed.
        lenient: where nothing can be written, nothing is kept, and that is no error.
    """

    folder: Path
    lenient: bool = False

    def prepare(self) -> None:
        """Find out before long work, not after it, whether the folder can be written.

        Raises:
            DuendeError: it cannot.
        """
        with replacing(self.folder / TAG) as path:
            path.write_text(SIGNATURE, encoding="utf-8")

    def has(self, key: str) -> bool:
        """Say whether there is an entry."""
        return self._file(key).exists()

    def get(self, key: str, names: tuple[str, ...], compute: Callable[[], Arrays]) -> Arrays:
        """Read an entry, or compute and keep it; whoever wants the same meanwhile waits, then reads.

        Args:
            key: hexadecimal, a hash of all that the arrays depend on.
            names: of the arrays.
            compute: called where the entry is missing or damaged.

        Raises:
            DuendeError: ``compute`` raises it, or the folder cannot be written.
        """
        path = self._file(key)
        kept = _read(path, names)
        if kept is not None:
            return kept
        with self._locked(key) as alone:
            kept = _read(path, names)
            if kept is None:
                if alone:
                    _clear(path)
                kept = compute()
                self._keep(path, kept)
        return kept

    @property
    def size(self) -> int:
        """Bytes in the folder."""
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(OSError):  # Another process may have just renamed it.
                total += path.stat().st_size if path.is_file() else 0
        return total

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"

    @contextmanager
    def _locked(self, key: str) -> Iterator[bool]:
        """Keep out others who compute this entry; yield whether that could be done.

        The system lets go of the lock when a process ends, however it ends. A lock serves one key in 4096, so that
        there are never more files of locks than that; no process holds two of them.
        """
        path = self.folder / "locks" / f"{key[:3]}.lock"
        lock = FileLock(path, mode=0o666)
        # Some network drives cannot lock, and some folders can only be read: work may then be done twice, and what is
        # wrong with the folder is told when the result is written.
        with suppress(OSError, NotImplementedError):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield lock.is_locked
        finally:
            lock.release()

    def _keep(self, path: Path, arrays: Arrays) -> None:
        try:
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        except DuendeError:
            if not self.lenient:
                raise


def _read(path: Path, names: tuple[str, ...]) -> Arrays | None:
    """Read an entry; None where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except DAMAGE:
        return None


def _clear(path: Path) -> None:
    """Delete what processes that were killed have left beside an entry."""
    for left in path.parent.glob(f".{path.stem}-*"):
        left.unlink(missing_ok=True)
