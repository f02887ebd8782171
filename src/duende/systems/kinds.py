"""Which systems there are, and what reads the folder of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from duende.errors import DuendeError
from duende.systems.configuration import CODE_SYSTEMS, SystemConfig
from duende.systems.edge import EDGE
from duende.systems.edge_configuration import EDGEConfig
from duende.systems.expressive_bailando import ExpressiveBailando

AnySystem = ExpressiveBailando | EDGE


@dataclass(frozen=True)
class Kind:
    """A kind of system.

    Attributes:
        config: dataclass of its config.
        build: makes it, untrained, from that.
        stages: of its training, in their order.
    """

    config: type[SystemConfig] | type[EDGEConfig]
    build: Callable[[Any], AnySystem]
    stages: tuple[str, ...]


KINDS = {
    **{name: Kind(SystemConfig, ExpressiveBailando, ExpressiveBailando.stages) for name in CODE_SYSTEMS},
    "edge": Kind(EDGEConfig, EDGE, EDGE.stages),
}


def kind_named(name: str) -> Kind:
    """Return what is known of a system.

    Raises:
        DuendeError: there is none of that name.
    """
    if name not in KINDS:
        raise DuendeError(f"no system is called {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]


def of_codes(system: AnySystem, what: str) -> ExpressiveBailando:
    """Return a system of pose codes as one.

    Raises:
        DuendeError: it is another; the sentence begins with ``what`` was asked of it.
    """
    if not isinstance(system, ExpressiveBailando):
        raise DuendeError(
            f"{what} needs a system of pose codes ({', '.join(CODE_SYSTEMS)}), this model is of {system.config.system}"
        )
    return system
