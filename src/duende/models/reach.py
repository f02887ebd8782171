"""How many codes a decoded frame depends on, computed from the layers."""

from __future__ import annotations

from dataclasses import dataclass

from duende.models.vqvae import VQVAEConfig


@dataclass(frozen=True)
class Reach:
    """Codes before and after its own that a frame depends on."""

    before: int
    after: int

    def latency(self, code_rate: float) -> float:
        """Seconds from the beginning of a frame's code until all codes that the frame needs have passed."""
        return (1 + self.after) / code_rate


def decoder_reach(config: VQVAEConfig) -> Reach:
    """Follow each frame of a code back through the decoder's layers, and take the widest reach of all."""
    ratio = 2**config.stages
    delay = config.look_ahead or 0
    spans = [_codes_behind(config, frame + delay * ratio) for frame in range(ratio)]
    return Reach(-min(first for first, _ in spans), max(last for _, last in spans))


def _codes_behind(config: VQVAEConfig, frame: int) -> tuple[int, int]:
    """First and last code that go into the decoder's output ``frame``."""
    first, last = _widened((frame, frame), 1, config.causal)
    complement = 2 if config.frequency else 0
    for _ in range(config.stages):
        if config.causal:
            first, last = first // 2 - 1, last // 2
        else:
            first, last = -(-(first - 2) // 2), (last + 1) // 2
        first, last = _widened((first, last), sum(config.dilations) + complement, config.causal)
    return _widened((first, last), 1 + complement, config.causal)


def _widened(span: tuple[int, int], reach: int, causal: bool) -> tuple[int, int]:
    """Add what layers see to either side, causal ones twice as far back."""
    first, last = span
    return (first - 2 * reach, last) if causal else (first - reach, last + reach)
