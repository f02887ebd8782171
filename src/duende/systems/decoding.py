"""Pose codes to channels while a dance goes on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from duende.errors import DuendeError
from duende.models.reach import decoder_reach
from duende.models.temporal import Memory
from duende.systems.coding import HELD, StreamingSystem

Channels = dict[str, np.ndarray]
"""``upper``, ``lower`` and ``root`` channels ``(frames, C)``."""


class StreamedDecoding:
    """Decodes codes as they come; all pieces together are what the system's ``channels`` gives for the whole.

    The cost of a code does not depend on how many there were.
    """

    def __init__(self, system: StreamingSystem) -> None:
        """Begin a dance.

        Raises:
            DuendeError: the decoder's layers see both ways.
        """
        config = system.config.upper
        if config.look_ahead is None:
            seconds = decoder_reach(config).latency(system.config.code_rate)
            raise DuendeError(
                f"the decoder of this model looks {seconds:.1f} s ahead and cannot dance while music is heard; "
                "train one with look_ahead in its vqvae, see recipes/starter.yaml"
            )
        self.system, self.look_ahead = system, config.look_ahead
        self._memories: tuple[Memory, Memory, Memory] = ({}, {}, {})
        self._early = self._unwanted = (HELD + self.look_ahead) * system.upper.downsampling

    def add(self, codes: np.ndarray) -> Channels:
        """Decode codes ``(N, 2)`` that follow the ones before, and return the frames that are certain now.

        Raises:
            DuendeError: there are none.
        """
        both = torch.as_tensor(codes, dtype=torch.long, device=self.system.device)
        if not len(both):
            raise DuendeError("a dance goes on with at least one code; got none")
        if self._unwanted == self._early:
            both = torch.cat([both[:1].expand(HELD, -1), both])
        return self._decoded(both)

    @torch.inference_mode()
    def _decoded(self, codes: Tensor) -> Channels:
        system = self.system
        vectors = [
            half.codebook.lookup(codes[None, :, column]).transpose(1, 2)
            for column, half in enumerate((system.upper, system.lower))
        ]
        decoders = (system.upper.decoder, system.lower.decoder, system.root.decoder)
        parts = [
            decoder.delayed(given, memory)[0][0].T
            for decoder, given, memory in zip(decoders, (*vectors, vectors[1]), self._memories, strict=True)
        ]
        skipped = min(self._unwanted, len(parts[0]))
        self._unwanted -= skipped
        upper, lower, root = (part[skipped:].float().cpu().numpy() for part in parts)
        return {"upper": upper, "lower": lower, "root": root}
