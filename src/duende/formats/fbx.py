"""FBX for Unreal, Unity, Maya and MotionBuilder, written by the installed Blender from our glTF file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.blender.program import run_script
from duende.formats.gltf.document import read_document


def write_fbx(glb: str | Path, path: str | Path) -> None:
    """Turn an animated ``.glb`` file into FBX: skeleton, skin, textures, and a key of each bone at every frame.

    The scene has the dance's frame rate and length. Lengths are in centimetres with all scales at 1, axes are FBX's
    usual ones (Y up, the front at +Z), and no bones are added at the ends of limbs.

    Args:
        glb: an animated skinned figure, the keys of its first animation evenly spaced in time.
        path: of the FBX file.

    Raises:
        DuendeError: there is no Blender (:func:`duende.formats.blender.program.blender_path`), it failed, the ``.glb``
            file cannot be read or is not animated, or the FBX file cannot be written.
    """
    fps, frames = _timing(Path(glb))
    with replacing(path) as temporary, tempfile.TemporaryDirectory() as folder:
        # Blender writes the file's name into it, as that of the folder for its textures: not the temporary one.
        written = Path(folder) / Path(path).name
        run_script("export_fbx.py", Path(glb).resolve(), written, repr(fps), str(frames))
        shutil.move(written, temporary)


def _timing(glb: Path) -> tuple[float, int]:
    """Frames a second and number of frames of the first animation; a whole rate where it is one but for rounding."""
    document = read_document(glb)
    try:
        inputs = {sampler["input"] for sampler in document.json["animations"][0]["samplers"]}
    except (KeyError, IndexError, TypeError):
        raise DuendeError(f"{glb} holds no animation; give the .glb file of a dance") from None
    times = max((document.array(accessor).astype(np.float64) for accessor in inputs), key=len)
    if len(times) < 2 or not times[-1] > times[0]:
        raise DuendeError(f"{glb} holds {len(times)} frame(s), FBX needs 2 to have a frame rate; make a longer dance")
    fps = float((len(times) - 1) / (times[-1] - times[0]))
    return (float(round(fps)) if abs(fps - round(fps)) < 1e-3 * fps / 60 else fps), len(times)
