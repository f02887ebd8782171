"""Lists that say which dances train and which test: AIST++'s ``crossmodal_train.txt`` and their like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from duende.errors import DuendeError

SPLITS = {"train": "train", "test": "test", "val": "test"}
"""Lists and the splits that their dances go to: validation dances test, as in lisiyao21/Bailando."""


@dataclass(frozen=True)
class SplitLists:
    """What the lists of a data set say.

    Attributes:
        split_of: split of each name; a name in the lists of both is for testing.
        contradicted: names in the lists of both.
        absent: names of lists that are not there.
    """

    split_of: dict[str, str]
    contradicted: tuple[str, ...]
    absent: tuple[str, ...]


def read_split_lists(folders: Sequence[Path], prefix: str = "") -> SplitLists | None:
    """Read ``PREFIXtrain.txt``, ``PREFIXtest.txt`` and ``PREFIXval.txt`` in ``folders`` or their folder ``splits``.

    Returns:
        What they say, None where none of them is there.

    Raises:
        DuendeError: a list is not text.
    """
    split_of: dict[str, str] = {}
    contradicted, absent = [], []
    for part, split in SPLITS.items():
        path = find_list(folders, f"{prefix}{part}.txt")
        if path is None:
            absent.append(f"{prefix}{part}.txt")
            continue
        for name in read_names(path):
            if split_of.setdefault(name, split) != split:
                contradicted.append(name)
                split_of[name] = "test"
    if len(absent) == len(SPLITS):
        return None
    return SplitLists(split_of, tuple(contradicted), tuple(absent))


def find_list(folders: Sequence[Path], name: str) -> Path | None:
    """Find a list in ``folders`` or in a folder ``splits`` within them."""
    places = [place / name for folder in folders for place in (folder / "splits", folder)]
    return next((path for path in places if path.is_file()), None)


def read_names(path: Path) -> list[str]:
    """Read a list of names, one a line.

    Raises:
        DuendeError: the file is not text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DuendeError(f"{path} is not a text file of names, one a line ({error}); copy it again") from error
    return [line.strip() for line in lines if line.strip()]
