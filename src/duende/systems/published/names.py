"""From the names that another project gave its tensors to ours: each once and all of them, in the expected shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

import torch
from torch import Tensor, nn

from duende.errors import DuendeError

Names = dict[str, tuple[str, ...]]
"""For each tensor of ours the one of theirs, or those that it joins one below the other."""


def layers(pairs: Iterable[tuple[str, str]]) -> Names:
    """Name weight and bias of layers given as theirs and ours."""
    return {f"{ours}.{kind}": (f"{theirs}.{kind}",) for theirs, ours in pairs for kind in ("weight", "bias")}


def brought(
    original: Mapping[str, Tensor], names: Names, expected: Mapping[str, torch.Size], what: str, source: str
) -> dict[str, Tensor]:
    """Give tensors our names, each once and all of them, in the shapes that are ``expected`` of these.

    Raises:
        DuendeError: one is missing, has another shape, or is not known.
    """
    wanted = [part for parts in names.values() for part in parts]
    for part in wanted:
        if part not in original:
            raise not_of(source, what, f"{part} is missing")
    unknown = sorted(set(original) - set(wanted))
    if unknown:
        raise not_of(source, what, f"{unknown[0]} is not one of its weights ({len(unknown)} such tensors)")
    for name, parts in names.items():
        shape = (expected[name][0] // len(parts), *expected[name][1:])
        for part in parts:
            if original[part].shape != shape:
                raise not_of(source, what, f"{part} has shape {tuple(original[part].shape)}, expected {shape}")
    tensors = {name: [original[part].float() for part in parts] for name, parts in names.items()}
    return {name: parts[0] if len(parts) == 1 else torch.cat(parts) for name, parts in tensors.items()}


def counted(original: Iterable[str], prefix: str) -> int:
    """Count the modules numbered 0, 1, 2, ... behind ``prefix``."""
    numbers = {name.removeprefix(prefix).split(".")[0] for name in original if name.startswith(prefix)}
    return next(number for number in count() if str(number) not in numbers)


def shape_of(original: Mapping[str, Tensor], name: str, axes: int, what: str, source: str) -> torch.Size:
    """Return the shape of a tensor that tells a size.

    Raises:
        DuendeError: it is missing, or has not so many axes.
    """
    if name not in original:
        raise not_of(source, what, f"{name} is missing")
    shape = original[name].shape
    if len(shape) != axes or 0 in shape:
        raise not_of(source, what, f"{name} has shape {tuple(shape)}, {axes} axes that are not empty are expected")
    return shape


def not_of(source: str, what: str, reason: str) -> DuendeError:
    """Say why the file ``source`` is not what was expected."""
    return DuendeError(f"{source} is not a checkpoint of {what}: {reason}; use the published file")


def shapes_of(network: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of a network's tensors by name."""
    return {name: value.shape for name, value in network.state_dict().items()}
