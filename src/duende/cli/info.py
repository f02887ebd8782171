"""Tell what a model is: its size, music features, styles and training."""

from __future__ import annotations

import argparse

from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem
from duende.systems.storage import SHIPPED, from_pretrained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende info``."""
    parser.add_argument("--model", default=SHIPPED, help="name or folder of a model")
    parser.add_argument("--layers", action="store_true", help="list all tensors with their shapes as well")


def run(options: argparse.Namespace) -> None:
    """Print a short table."""
    system = from_pretrained(options.model)
    config = system.config
    rows = [
        ("model", str(options.model)),
        ("system", config.system),
        ("music features", config.feature_set),
        ("frame rate", f"{config.frame_rate:g} a second"),
        *_codes(system),
        ("styles", ", ".join(config.styles) or "none"),
    ]
    rows += [
        (name, f"{sum(p.numel() for p in part.parameters()) / 1e6:.2f} million parameters")
        for name, part in system.parts().items()
    ]
    for name, value in rows:
        print(f"{name:18} {value}")
    if options.layers:
        for name, tensor in system.state_dict().items():
            print(f"{name:60} {' x '.join(map(str, tensor.shape)) or 'number'}")


def _codes(system: AnySystem) -> list[tuple[str, str]]:
    """Tell what only systems of pose codes have."""
    if not isinstance(system, ExpressiveBailando):
        return []
    config = system.config
    return [
        ("codes", f"{config.code_rate:g} a second"),
        ("codebooks", f"{config.upper.codes} x {config.upper.code_dimension}, upper and lower"),
        ("frequency modules", "on" if config.upper.frequency else "off"),
    ]
