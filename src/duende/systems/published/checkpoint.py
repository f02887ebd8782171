"""Checkpoints of other projects: torch files that also pickle objects of theirs, read without running any code."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from duende.errors import DuendeError


class PickledObject:
    """What stands for an object of another project's class, or a numpy value: what it was made of, nothing that acts.

    Its attributes are those of the original where these were pickled as a dictionary.

    Attributes:
        arguments: what the original was built with.
        state: what it was filled with afterwards, if that was not a dictionary of attributes.
    """

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> PickledObject:
        """Keep the arguments."""
        new = super().__new__(cls)
        new.arguments, new.state = arguments, None
        return new

    def __init__(self, *arguments: Any) -> None:
        """Take the arguments that ``__new__`` has kept."""

    def __setstate__(self, state: Any) -> None:
        """Take attributes as they are, and keep any other state."""
        if isinstance(state, dict) and all(isinstance(name, str) for name in state):
            self.__dict__.update(state)
        else:
            self.state = state


# Numpy's own functions are not called: a forged dtype lets them read memory that is not theirs.
_INERT = (
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "dataset.preprocess.Normalizer",
    "dataset.scaler.MinMaxScaler",
)
# EasyDict becomes an OrderedDict, since torch fills no dictionaries but its own and this one.
STAND_INS: list[Any] = [(OrderedDict, "easydict.EasyDict"), *((PickledObject, name) for name in _INERT)]
"""What is built in place of the classes that published checkpoints name, in the form that torch 2.6 introduced."""


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a torch checkpoint into memory of the processor; zip archives are mapped rather than read.

    Returns:
        The dictionary that was saved: tensors as they are, an ``EasyDict`` as a dictionary, and numpy values and
        EDGE's normaliser as :class:`PickledObject`.

    Raises:
        DuendeError: the file is missing, is no checkpoint, or asks for code other than tensors.
    """
    path = Path(path)
    if not path.exists():
        raise DuendeError(f"no checkpoint {path}; check the name")
    if path.is_dir():
        raise DuendeError(f"{path} is a folder, a checkpoint file is expected; name the file in it")
    try:
        values = _loaded(path)
    except PermissionError as error:
        raise DuendeError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    except Exception as error:
        # Damaged files fail in many ways, none of which says more than this.
        raise DuendeError(_complaint(path, str(error))) from error
    if not isinstance(values, dict):
        raise DuendeError(
            f"{path} holds a {type(values).__name__}, not named weights; use the file that its project published"
        )
    return values


def _loaded(path: Path) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals(STAND_INS):
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _complaint(path: Path, reason: str) -> str:
    asked = re.search(r"GLOBAL ([\w.]+)", reason)
    if asked:
        return (
            f"{path} holds more than weights (it asks for {asked[1]}) and was not opened, only tensors are expected; "
            "use the file that its project published"
        )
    return f"{path} is not a checkpoint that torch can read as weights; copy or download it again"
