"""How far the network looks back, against how well it foretells held-out dances.

    python -m benchmarks.window [--model starter] [--data cache/starter] [--windows 1 2 4 8 12 16 24 32 48]

The weights are those of the model, trained with its own window; only the mask changes. Cross-entropy in nats of the
next pair of codes, over the codes of held-out takes from the longest window on, so that every window is scored on the
same codes. The last column is what a code costs: keys and values that are looked at.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

from benchmarks.held_out import held_out_codes
from duende.evaluation.intervals import mean_interval
from duende.systems.kinds import of_codes
from duende.systems.storage import from_pretrained


@torch.inference_mode()
def main() -> None:
    """Score and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--data", default="cache/starter")
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 2, 4, 8, 12, 16, 24, 32, 48])
    options = parser.parse_args()
    system = of_codes(from_pretrained(options.model), "this benchmark").eval()
    pieces = [piece for piece in held_out_codes(system, options.data) if len(piece[0]) > max(options.windows) + 8]
    skipped, network = max(options.windows) - 1, system.gpt
    print(f"{len(pieces)} held-out takes, trained with a window of {network.config.window}\n")
    print("| window, codes | seconds | cross-entropy, nats [95 %] | right, upper and lower | tokens looked at |")
    print("|---|---|---|---|---|")
    for window in options.windows:
        network.config = replace(network.config, window=window)
        scores = []
        for codes, music in pieces:
            logits = network(music[None, 1:], codes[None, :-1, 0], codes[None, :-1, 1])
            parts = [part[0, skipped:] for part in (logits.upper, logits.lower)]
            wanted = codes[1 + skipped :]
            loss = sum(float(torch.nn.functional.cross_entropy(p, wanted[:, i])) for i, p in enumerate(parts))
            right = [float((p.argmax(-1) == wanted[:, i]).float().mean()) for i, p in enumerate(parts)]
            scores.append([loss, *right])
        mean, low, high = mean_interval([score[0] for score in scores])
        upper, lower = np.mean(scores, axis=0)[1:]
        seconds = window / system.config.code_rate
        print(
            f"| {window} | {seconds:.1f} | {mean:.2f} [{low:.2f}, {high:.2f}] | {upper:.3f}, {lower:.3f} | {3 * window} |"
        )


if __name__ == "__main__":
    main()
