"""A cached step that is recorded once and then replayed, so that a graphics processor does not wait for Python."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from duende.models.scoring import CachedScorer

WARM_UP = 3
"""Runs before recording, in which libraries choose their kernels and take their memory."""


class RecordedStep:
    """One step of fixed shape: what it reads and writes always lies in the same place.

    Elsewhere than with CUDA nothing is recorded, and the same step runs as it is.
    """

    def __init__(self, scorer: CachedScorer, inputs: tuple[Tensor, ...]) -> None:
        self.owner, self.rings = scorer, scorer.rings.clone()
        self.inputs = tuple(given.clone() for given in inputs)
        fixed = CachedScorer.copy(scorer)
        fixed.rings = self.rings
        self._step: Callable[..., Tensor] = fixed.stepped
        if scorer.network.stepping == "compiled":
            self._step = torch.compile(fixed.stepped, dynamic=False)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.scores = self._step(*self.inputs)
        if self.rings.device.type == "cuda":
            self._record()

    def run(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Take the inputs and return the scores."""
        for place, given in zip(self.inputs, inputs, strict=True):
            place.copy_(given)
        if self.graph is None:
            return self._step(*self.inputs)
        self.graph.replay()
        return self.scores.clone()

    def lend(self, scorer: CachedScorer) -> None:
        """Let ``scorer`` remember in the fixed place, and give its owner so far a copy of what was there."""
        if self.owner is not scorer:
            if self.owner.rings is self.rings:
                self.owner.rings = self.rings.clone()
            self.owner = scorer
        if scorer.rings is not self.rings:
            self.rings.copy_(scorer.rings)
            scorer.rings = self.rings

    def _record(self) -> None:
        # A step that is repeated writes the same again.
        stream = torch.cuda.Stream(self.rings.device)
        stream.wait_stream(torch.cuda.current_stream(self.rings.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._step(*self.inputs)
        torch.cuda.current_stream(self.rings.device).wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.scores = self._step(*self.inputs)


class CapturedScorer(CachedScorer):
    """The cached scorer by recorded steps; its copies share the recording and take turns."""

    _recorded: RecordedStep | None = None

    def __call__(self, heard: Tensor, codes: Tensor) -> Tensor:
        """Score what follows ``codes``; all candidates are computed, since the shape is fixed."""
        inputs = (heard, codes.expand(-1, self.candidates, -1), *self.moment())
        if self._recorded is None or self._recorded.rings.shape != self.rings.shape:
            self._recorded = RecordedStep(self, inputs)
        self._recorded.lend(self)
        scores = self._recorded.run(inputs)
        self.step += 1
        return scores

    def keep_dances(self, dances: Tensor) -> None:
        """Go on with these dances in place of the present ones."""
        super().keep_dances(dances)
        self._recorded = None
