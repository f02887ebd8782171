"""A system is a folder: ``config.json``, ``weights.safetensors`` and a model card."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from duende.configuration import from_mapping, to_mapping
from duende.errors import DuendeError
from duende.files import replacing
from duende.models.placement import Placement, prepared
from duende.systems.debug import debug_system
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem, Kind, kind_named

CONFIG, WEIGHTS, CARD = "config.json", "weights.safetensors", "README.md"
SHIPPED = "starter"


def save_pretrained(
    system: AnySystem,
    folder: str | Path,
    card: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a system to ``folder``; ``dtype`` float16 halves the file at no audible or visible cost.

    Raises:
        DuendeError: the folder cannot be written.
    """
    folder = Path(folder)
    weights = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous().cpu()
        for name, value in system.state_dict().items()
    }
    with replacing(folder / WEIGHTS) as path:
        save_file(weights, str(path))
    with replacing(folder / CONFIG) as path:
        path.write_text(json.dumps(to_mapping(system.config), indent=1) + "\n", encoding="utf-8")
    if card is not None:
        with replacing(folder / CARD) as path:
            path.write_text(card, encoding="utf-8")


def from_pretrained(
    name: str | Path = SHIPPED, device: str | torch.device = "cpu", placement: Placement | None = None
) -> AnySystem:
    """Load a system by name (``"starter"``, ``"edge"``, ``"debug"``) or from a folder, ready to dance.

    Args:
        name: of the system, or its folder.
        device: where it dances, as it was trained.
        placement: where and how it dances, in place of ``device``; see :func:`placed`.

    Raises:
        DuendeError: no such name or folder, its files are damaged or do not fit each other, or as :func:`placed` does.
    """
    system = _loaded(name)
    return system.to(device).eval() if placement is None else placed(system, placement)


def placed(system: AnySystem, placement: Placement) -> AnySystem:
    """Make a system ready to dance where and how ``placement`` says; it can neither be trained nor saved then.

    Raises:
        DuendeError: the device is not here, or the system knows no such precision.
    """
    if isinstance(system, ExpressiveBailando):
        system.gpt = prepared(system.gpt, placement)
    elif placement.precision not in ("auto", "float32"):
        raise DuendeError(
            f"a model of {system.config.system} dances in float32 and knows no {placement.precision}; leave it out"
        )
    return system.to(placement.chosen_device()).eval()


def read_config(folder: Path) -> tuple[Kind, dict[str, Any]]:
    """Read the config in ``folder``: of which kind of system it is, and its values.

    Raises:
        DuendeError: it is missing, not JSON, or of no system that we know.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DuendeError(f"{folder} holds no model: {CONFIG} is missing; name a folder made by training") from None
    except (OSError, ValueError) as error:
        raise DuendeError(f"{path} cannot be read as JSON ({error}); copy it again from its source") from error
    if not isinstance(values, dict):
        raise DuendeError(f"{path} should hold one JSON object; copy it again from its source")
    try:
        return kind_named(str(values.get("system"))), values
    except DuendeError as error:
        raise DuendeError(f"{path}: {error}; name a folder made by training or by duende convert") from None


def shipped_folder(name: str = SHIPPED) -> Path:
    """Return where the checkpoint that ships with the package is."""
    return Path(str(resources.files("duende"))) / "pretrained" / name


def is_shipped(name: str | Path) -> bool:
    """Say whether a name is that of a checkpoint that ships with the package."""
    return "/" not in str(name) and (shipped_folder(str(name)) / CONFIG).is_file()


def model_folder(name: str | Path) -> Path:
    """Return the folder of a system by name or path.

    Raises:
        DuendeError: there is no such name or folder.
    """
    if is_shipped(name):
        return shipped_folder(str(name))
    if not Path(name).is_dir():
        raise DuendeError(f"no model {str(name)!r}: give a folder made by training, or one of: {SHIPPED}, edge, debug")
    return Path(name)


def _loaded(name: str | Path) -> AnySystem:
    if str(name) == "debug":
        return debug_system()
    folder = model_folder(name)
    kind, values = read_config(folder)
    system = kind.build(from_mapping(kind.config, values, str(folder / CONFIG)))
    _load_weights(system, folder / WEIGHTS)
    return system


def _load_weights(system: AnySystem, path: Path) -> None:
    try:
        weights = load_file(str(path))
    except FileNotFoundError:
        raise DuendeError(f"{path} is missing; copy the whole model folder from its source") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise DuendeError(f"{path} is damaged ({error}); copy it again from its source") from error
    expected = system.state_dict()
    different = sorted(set(expected) ^ set(weights))
    if different:
        raise DuendeError(
            f"{path} does not fit its config: {different[0]} is on one side only "
            f"({len(different)} such tensors); copy the whole model folder from its source"
        )
    for key, value in weights.items():
        if value.shape != expected[key].shape:
            raise DuendeError(
                f"{path} does not fit its config: {key} has shape {tuple(value.shape)}, "
                f"expected {tuple(expected[key].shape)}; copy the whole model folder from its source"
            )
    system.load_state_dict({key: value.to(expected[key].dtype) for key, value in weights.items()})
