"""Whether Blender opens files of a dance without complaint and has every joint where the dance has it.

``python -m duende.formats.blender.check DANCE.npz FILE.glb FILE.bvh FILE.fbx``: any number of files of that dance.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.errors import DuendeError
from duende.formats.blender.program import run_script
from duende.formats.npz import read_npz
from duende.motion import Motion

COMPLAINTS = ("warning", "error", "traceback")


@dataclass(frozen=True, eq=False)
class Opened:
    """What Blender made of a file.

    Attributes:
        blender: its version.
        fps: frames a second, as the file or the spacing of its keys says.
        names: of the bones.
        heads: ``(T, J, 3)`` metres, where the bones begin at each frame, Y up, the front at +Z.
        off_frames: how far, in frames, a key lies from a whole frame at most.
        complaints: lines in which Blender or its Python spoke of a warning or an error.
    """

    blender: str
    fps: float
    names: tuple[str, ...]
    heads: np.ndarray
    off_frames: float
    complaints: tuple[str, ...]

    def distances(self, names: tuple[str, ...], positions: np.ndarray) -> np.ndarray:
        """Return how far the bones ``names`` lie from ``positions`` ``(T, J, 3)``, in metres ``(T, J)``.

        Raises:
            DuendeError: Blender has no bone of such a name, or another number of frames.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            raise DuendeError(f"Blender has no bone {', '.join(missing)}, only {', '.join(self.names)}")
        if len(positions) != len(self.heads):
            raise DuendeError(f"the dance has {len(positions)} frames, Blender has {len(self.heads)}")
        order = [self.names.index(name) for name in names]
        return np.asarray(np.linalg.norm(self.heads[:, order] - positions, axis=-1))


def open_in_blender(path: str | Path, fps: float) -> Opened:
    """Import a ``.glb``, ``.bvh`` (in centimetres) or ``.fbx`` file in Blender and follow its bones.

    Args:
        path: of the file.
        fps: rate of the scene, for files whose keys are in seconds.

    Raises:
        DuendeError: there is no Blender, or it cannot open the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        said = run_script("joints.py", Path(path).resolve(), report, repr(float(fps)))
        found = json.loads(report.read_text(encoding="utf-8"))
    return Opened(
        found["blender"],
        found["fps"],
        tuple(found["names"]),
        np.array(found["heads"]),
        found["off_frames"],
        tuple(line for line in said.splitlines() if any(word in line.lower() for word in COMPLAINTS)),
    )


def report(path: Path, motion: Motion) -> str:
    """Return a line that tells how Blender's joints in a file differ from those of the dance.

    Raises:
        DuendeError: there is no Blender, or the file holds another dance.
    """
    opened = open_in_blender(path, motion.fps)
    far = 1000 * opened.distances(motion.skeleton.names, motion.positions)
    worst = motion.skeleton.names[far.max(axis=0).argmax()]
    line = f"{path.name}: Blender {opened.blender}, {len(far)} frames at {opened.fps:g} a second, "
    line += f"{far.max():.3f} mm at most ({worst}), {far.mean():.4f} on average, {len(opened.complaints)} complaints"
    return "\n  ".join([line, *opened.complaints])


def main(arguments: list[str]) -> int:
    """Print a line for each file; 1 for a user's mistake."""
    try:
        motion = read_npz(arguments[0])
        for path in arguments[1:]:
            print(report(Path(path), motion))  # noqa: T201
    except DuendeError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
