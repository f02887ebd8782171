"""What weights of 16 and of 8 bits change: codes and cross-entropy on held-out takes, and codes danced freely.

    python -m benchmarks.precision [--model starter] [--data cache/starter]

Told the real dance up to each step, how often is the most probable code the same as in single precision, and how far
are the probabilities (Kullback-Leibler, nats of a pair)? Danced freely, always the most probable code: how many codes
until the first that differs (a dance goes another way from there on, which need not be a worse one)?
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.held_out import held_out_codes
from duende.models.generation import generate
from duende.models.placement import Placement, prepared
from duende.systems.kinds import of_codes
from duende.systems.storage import from_pretrained


@torch.inference_mode()
def main() -> None:
    """Compare and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--data", default="cache/starter")
    options = parser.parse_args()
    system = of_codes(from_pretrained(options.model), "this benchmark").eval()
    pieces = held_out_codes(system, options.data)
    networks = {name: prepared(system.gpt, Placement("cpu", name, "off")) for name in ("float32", "bfloat16", "int8")}
    print(
        "| weights | cross-entropy, nats | same most probable code | divergence, nats | codes until free dances part |"
    )
    print("|---|---|---|---|---|")
    for name, network in networks.items():
        loss, same, apart, parted, count = 0.0, 0.0, 0.0, [], 0
        for codes, music in pieces:
            given = (music[None, 1:], codes[None, :-1, 0], codes[None, :-1, 1])
            plain, ours = networks["float32"](*given), network(*given)
            for half, column in (("upper", 0), ("lower", 1)):
                real, other = (getattr(logits, half)[0].float().log_softmax(-1) for logits in (plain, ours))
                loss += float(F.nll_loss(other, codes[1:, column], reduction="sum"))
                same += float((real.argmax(-1) == other.argmax(-1)).sum()) / 2
                apart += float(F.kl_div(other, real, log_target=True, reduction="sum"))
            count += len(codes) - 1
            free = [generate(each, music[None], codes[None, 0])[0] for each in (networks["float32"], network)]
            differs = (free[0] != free[1]).any(dim=-1).nonzero()
            parted.append(int(differs[0]) if len(differs) else len(codes))
        total = sum(len(codes) for codes, _ in pieces)
        print(
            f"| {name} | {loss / count:.3f} | {same / count:.2%} | {apart / count:.2g} "
            f"| {np.median(parted):.0f} (median of {len(parted)} dances, {total} codes) |"
        )


if __name__ == "__main__":
    main()
