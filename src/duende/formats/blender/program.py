"""Find the installed Blender and run one of this folder's scripts in it, without a window."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from duende.errors import DuendeError

VARIABLE = "DUENDE_BLENDER"
SCRIPTS = Path(__file__).parent
FAILED = 3
"""Exit status that Blender gives for an exception in a script; without one it says 0."""
EMPTY = ("Blender quit", "Error: script failed", "Error: Python: Traceback", "RuntimeError: Error: Python: Traceback")
"""Lines of Blender that only say that another line told what is wrong."""


def blender_path() -> str | None:
    """Return the Blender program: that of the environment variable ``DUENDE_BLENDER``, else ``blender`` on the path.

    None if there is none.
    """
    return shutil.which(os.environ.get(VARIABLE) or "blender")


def require_blender() -> str:
    """Return the Blender program.

    Raises:
        DuendeError: there is none.
    """
    program = blender_path()
    if program is None:
        named = os.environ.get(VARIABLE)
        found = f"{VARIABLE} names {named}, which is no program" if named else "no program blender is on the path"
        raise DuendeError(f"fbx needs Blender, and {found}; install it or set {VARIABLE}")
    return program


def run_script(script: str, *arguments: str | Path) -> str:
    """Run a script of this folder in Blender with factory settings; return all that Blender said.

    Args:
        script: its name, such as ``"export_fbx.py"``.
        arguments: what it finds after ``--`` in ``sys.argv``.

    Raises:
        DuendeError: there is no Blender, or the script failed; with the last line that Blender said.
    """
    program = require_blender()
    # Blender reads its command line from left to right: the exit status has to come before the script.
    options = ["--background", "--factory-startup", "--python-exit-code", str(FAILED)]
    command = [program, *options, "--python", str(SCRIPTS / script), "--", *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"DUENDE_NUMPY": _numpy_folder()},
            check=False,
        )
    except OSError as error:
        raise DuendeError(f"{program} cannot be started ({error}); set {VARIABLE} to Blender's program") from error
    said = done.stdout.decode("utf-8", errors="replace")
    if done.returncode:
        raise DuendeError(f"Blender ({program}) says: {_last_line(said)}")
    return said


def _numpy_folder() -> str:
    """Where our numpy lies: Debian's Blender comes without one, and its glTF add-on needs one."""
    found = find_spec("numpy")
    return str(Path(found.origin).parents[1]) if found and found.origin else ""


def _last_line(said: str) -> str:
    """The last line that tells something: an exception if there is one, else whatever came last."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(EMPTY)]
    raised = [line for line in lines if re.match(r"\w*(Error|Exception): ", line)]
    return re.sub(r"^RuntimeError: (Error: )?", "", (raised or lines or ["it said nothing"])[-1])
