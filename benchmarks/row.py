"""One row of the table, in a process of its own: ``python -m benchmarks.row SETTING NAME``, JSON in and out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.inputs import Inputs
from benchmarks.measuring import Figures, Setting
from benchmarks.rows import ROWS
from benchmarks.sounds import write_mp3
from duende.errors import DuendeError

MAKE, NAMES, SOUND = "make", "names", "sound"
"""In place of a row's name: make what all rows begin with, list the rows, write a song of some seconds."""


def main() -> None:
    """Measure and print the figures as the last line."""
    setting, name = Setting(**json.loads(sys.argv[1])), sys.argv[2]
    song = Path(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else None
    if name == MAKE:
        Inputs(setting).make(song)
    elif name == SOUND:
        write_mp3(Path(setting.folder) / f"sound-{setting.seconds:g}.mp3", setting.seconds, song)
    elif name == NAMES:
        print(json.dumps(list(ROWS)))
    else:
        try:
            figures = ROWS[name](setting)
        except DuendeError as error:
            figures = Figures(missing=str(error))
        print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main()
