"""Configuration is data: frozen dataclasses read from and written to plain dictionaries, unknown keys refused."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import dacite

from duende.errors import DuendeError

ConfigT = TypeVar("ConfigT")


def from_mapping(kind: type[ConfigT], values: dict[str, Any], source: str) -> ConfigT:
    """Build the dataclass ``kind`` from ``values``; ``source`` names the file in messages.

    Raises:
        DuendeError: a key is unknown, missing, or has a value of the wrong type.
    """
    try:
        return dacite.from_dict(kind, values, dacite.Config(strict=True, cast=[tuple, float]))
    except (dacite.DaciteError, ValueError, TypeError) as error:
        raise DuendeError(f"{source}: {error}; see the fields of {kind.__name__}") from error


def to_mapping(config: Any) -> dict[str, Any]:
    """Return a dataclass as nested dictionaries, lists for tuples, ready for JSON or YAML."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    result: dict[str, Any] = plain(dataclasses.asdict(config))
    return result
