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
Memories = tuple[Memory, Memory, Memory]
"""Of the decoders of the upper body, the lower body and the root."""


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
        self._memories: Memories = ({}, {}, {})
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
        parts = _delayed(self.system, codes[None], self._memories)
        skipped = min(self._unwanted, parts[0].shape[-1])
        self._unwanted -= skipped
        upper, lower, root = (part[0, :, skipped:].T.float().cpu().numpy() for part in parts)
        return {"upper": upper, "lower": lower, "root": root}


@torch.inference_mode()
def poses_of_candidates(system: StreamingSystem, codes: Tensor, shared: int) -> list[np.ndarray]:
    """Decode candidates that begin with the same codes, as the system's ``poses`` does, the shared ones only once.

    Args:
        system: that decodes them.
        codes: ``(dances, candidates, N, 2)``.
        shared: how many codes the candidates of a dance have in common; with none, or a decoder that looks both ways,
            each is decoded by itself.

    Returns:
        Joints ``(8 N, 24, 3)`` in metres, those of the first dance's candidates first.
    """
    delay, candidates = system.config.upper.look_ahead, codes.shape[1]
    if delay is None or not shared:
        return system.poses(codes.flatten(0, 1))
    memories: Memories = ({}, {}, {})
    same = codes[:, 0, :shared]
    begun = _delayed(system, torch.cat([same[:, :1].expand(-1, HELD, -1), same], dim=1), memories)
    for memory in memories:
        memory.update({layer: past.repeat_interleave(candidates, dim=0) for layer, past in memory.items()})
    rest = codes[:, :, shared:].flatten(0, 1)
    following = _delayed(system, torch.cat([rest, rest[:, -1:].expand(-1, delay, -1)], dim=1), memories)
    early = (HELD + delay) * system.upper.downsampling
    upper, lower, root = (
        torch.cat([first.repeat_interleave(candidates, dim=0), then], dim=-1)[..., early:]
        .transpose(1, 2)
        .float()
        .cpu()
        .numpy()
        for first, then in zip(begun, following, strict=True)
    )
    return [system.config.poses.decode(upper[row], lower[row], root[row]) for row in range(len(rest))]


def _delayed(system: StreamingSystem, codes: Tensor, memories: Memories) -> list[Tensor]:
    """Decode codes ``(B, N, 2)`` to upper, lower and root channels ``(B, C, 8 N)``, late by the look-ahead."""
    vectors = [
        half.codebook.lookup(codes[..., column]).transpose(1, 2)
        for column, half in enumerate((system.upper, system.lower))
    ]
    decoders = (system.upper.decoder, system.lower.decoder, system.root.decoder)
    return [
        decoder.delayed(given, memory)[0]
        for decoder, given, memory in zip(decoders, (*vectors, vectors[1]), memories, strict=True)
    ]
