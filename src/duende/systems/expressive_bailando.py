"""ExpressiveBailando: two FreqVQ-VAEs, a root decoder and a cross-conditional GPT (ICASSP 2024, section 2).

Bailando and GTN-Bailando are the same class with other values in the config: without frequency modules, and with a
genre token network.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from duende.audio.music import MusicFeatures
from duende.errors import DuendeError
from duende.models.generation import generate
from duende.models.genre import GenreTokenNetwork
from duende.models.gpt import CrossConditionalGPT
from duende.models.reach import decoder_reach
from duende.models.sampling import Progress, Sampling
from duende.models.vqvae import FreqVQVAE, RootDecoder
from duende.motion import Motion
from duende.motion.holding import HeldMotion
from duende.motion.inverse_kinematics import fit_rotations
from duende.systems.audition import audition
from duende.systems.configuration import SystemConfig
from duende.systems.face import AnySampling
from duende.systems.finishing import finished
from duende.systems.holding import danced_with_held
from duende.systems.listener import MusicListener

DECODED_AT_ONCE = 240
HELD = 2
"""Codes for which the first and the last are held outside a dance."""


class ExpressiveBailando(MusicListener):
    """Music features in, a :class:`Motion` out."""

    stages: ClassVar[tuple[str, ...]] = ("vqvae", "root", "genre", "gpt", "actor_critic")

    def __init__(self, config: SystemConfig) -> None:
        super().__init__(config.feature_set, config.gpt.music_dimension, config.unheard)
        self.config = config
        self.upper = FreqVQVAE(config.upper)
        self.lower = FreqVQVAE(config.lower)
        self.root = RootDecoder(config.lower, config.poses.root_channels)
        self.gpt = CrossConditionalGPT(config.gpt)
        self.genre = GenreTokenNetwork(config.genre) if config.genre else None

    def parts(self) -> dict[str, nn.Module]:
        """Its networks by what they do."""
        known = {"upper body": self.upper, "lower body": self.lower, "root path": self.root, "music to codes": self.gpt}
        return {**known, "music to style": self.genre} if self.genre else known

    @torch.inference_mode()
    def inferred_style(self, features: MusicFeatures) -> dict[str, float] | None:
        """Weigh the styles that a song calls for, by the genre token network; None for a system without one."""
        if self.genre is None:
            return None
        weights = self._inferred(self.music(features))[0, :-1]
        return dict(zip(self.config.styles, weights.tolist(), strict=True))

    def dance(
        self,
        features: MusicFeatures,
        *,
        seed: int = 0,
        sampling: AnySampling | None = None,
        style: str | None = None,
        start: tuple[int, int] | None = None,
        held: HeldMotion | None = None,
        on_beat: bool = True,
        clean_up: bool = True,
        progress: Progress | None = None,
    ) -> Motion:
        """Dance to a song.

        Args:
            features: of the feature set that the config names.
            seed: chooses the start and, with a temperature above 0, the whole dance.
            sampling: how codes are drawn; by default as the config says.
            style: one of the config's styles; by default the music decides, in a system with a genre token network one
                style or blend of styles for the whole song.
            start: upper and lower code to begin with; by default one that a real dance began with.
            held: the beginning of another dance, or one half of its body, that is kept; see
                :mod:`duende.systems.holding`. Nothing is planted or moved onto beats then.
            on_beat: change the speed a little, here and there, so that accents land on the song's beats.
            clean_up: take trembling out and plant the feet.
            progress: called with codes done and codes in all.

        Returns:
            A motion at the config's frame rate with 8 frames for each row of ``features``.

        Raises:
            DuendeError: the features are of another set, the style is unknown, the start is out of range, or what is
                held cannot be held.
        """
        choreograph = partial(
            self.choreograph, features, seed=seed, sampling=sampling, style=style, start=start, progress=progress
        )
        if held is not None:
            return danced_with_held(self, held.at_rate(self.config.frame_rate), len(features), choreograph)
        codes = choreograph()
        return finished(self.perform(codes), features.beats.times if on_beat else np.zeros(0), clean_up)

    @torch.inference_mode()
    def choreograph(
        self,
        features: MusicFeatures,
        *,
        seed: int = 0,
        sampling: AnySampling | None = None,
        style: str | None = None,
        start: tuple[int, int] | None = None,
        given: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Choose upper and lower pose codes ``(T, 2)``, one pair for each row of ``features``.

        Codes that are ``given`` ``(T, 2)`` are taken as they are, where they are not -1.
        """
        self.eval()
        music = self.music(features)
        rng = np.random.default_rng(seed)
        first = start if start is not None else self._draw_start(style, rng)
        self._check_start(first)
        # Step i predicts code i + 1 and hears the music of that code.
        heard = torch.cat([music[:, 1:], music[:, -1:]], dim=1)
        generator = torch.Generator(device=self.device).manual_seed(int(rng.integers(2**62)))
        sampling = sampling or self.config.sampling
        if not isinstance(sampling, Sampling):
            raise DuendeError(f"{self.config.system} draws pose codes and knows no {type(sampling).__name__}")
        if self.config.styles and style is None and self.genre is None:
            # Where no style is told there is none to be amplified.
            sampling = replace(sampling, style_guidance=1.0)
        auditioned = None
        if sampling.candidates > 1 and sampling.temperature > 0:
            duration = len(features) / self.config.code_rate
            auditioned = audition(self, sampling.candidates, features.beats.times, duration)
        codes = generate(
            self.gpt,
            self.normalise(heard),
            torch.tensor([first], device=self.device),
            style=self._style_token(style, music),
            sampling=sampling,
            audition=auditioned,
            given=None if given is None else torch.as_tensor(given, device=self.device)[None],
            generator=generator,
            progress=progress,
        )
        return codes[0].cpu().numpy()

    @torch.inference_mode()
    def perform(self, codes: np.ndarray, known: dict[str, np.ndarray] | None = None) -> Motion:
        """Decode pose codes ``(T, 2)`` to a motion of ``8 T`` frames.

        ``known`` gives channels ``upper``, ``lower`` and ``root`` ``(8 T, C)`` that are taken in place of decoded ones.

        Long dances are decoded in pieces with as much context as the decoder sees, so that memory does not grow
        and the result is that of one piece.
        """
        self.eval()
        both = torch.as_tensor(codes, dtype=torch.long, device=self.device)
        reach = decoder_reach(self.config.upper)
        ratio = self.upper.downsampling
        pieces: list[list[np.ndarray]] = []
        for first in range(0, len(both), DECODED_AT_ONCE):
            last = min(first + DECODED_AT_ONCE, len(both))
            before = max(first - reach.before, 0)
            window = both[before : last + reach.after]
            kept = slice((first - before) * ratio, (last - before) * ratio)
            pieces.append([part[0, kept] for part in self.channels(window[None])])
        channels = {
            name: self._smoothed(np.concatenate([piece[i] for piece in pieces]))
            for i, name in enumerate(("upper", "lower", "root"))
        }
        positions = self.config.poses.decode(**{**channels, **(known or {})})
        return fit_rotations(positions, self.config.frame_rate)

    @torch.no_grad()
    def codes_of(self, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Return the codes ``(T / 8, 2)`` of the channels ``(T, C)`` of a whole dance, upper first."""
        self.eval()
        halves = [
            network.encode(torch.from_numpy(np.asarray(poses, np.float32))[None].to(self.device))[0].cpu().numpy()
            for network, poses in ((self.upper, upper), (self.lower, lower))
        ]
        return np.stack(halves, axis=1)

    @torch.inference_mode()
    def poses(self, codes: Tensor) -> list[np.ndarray]:
        """Decode codes ``(B, T, 2)`` to joints ``(8 T, 24, 3)`` in metres, each dance beginning over the origin."""
        upper, lower, root = self.channels(codes)
        return [self.config.poses.decode(upper[row], lower[row], root[row]) for row in range(len(codes))]

    @torch.inference_mode()
    def channels(self, codes: Tensor) -> list[np.ndarray]:
        """Decode codes ``(B, T, 2)`` to upper, lower and root channels ``(B, 8 T, C)``.

        The first and last codes are held for a moment outside the dance: decoders make a jump where their codes begin.
        """
        held = torch.cat([codes[:, :1].expand(-1, HELD, -1), codes, codes[:, -1:].expand(-1, HELD, -1)], dim=1)
        upper, lower = held[..., 0], held[..., 1]
        parts = (self.upper.decode(upper), self.lower.decode(lower), self.root(lower, self.lower))
        outside = HELD * self.upper.downsampling
        return [part[:, outside:-outside].float().cpu().numpy() for part in parts]

    def _inferred(self, music: Tensor) -> Tensor:
        """Weigh the styles for features ``(1, T, D)`` as they are, ``(1, styles + 1)``."""
        assert self.genre is not None
        return self.genre.weights(self.normalise(music))

    def _style_token(self, style: str | None, music: Tensor) -> Tensor | None:
        """Return the style asked for, else the one that the music calls for; None where styles are not known."""
        if not self.config.styles:
            self._style_id(style)
            return None
        if style is None and self.genre is not None:
            return self._inferred(music)
        return torch.tensor([self._style_id(style)], device=self.device)

    def _smoothed(self, channels: np.ndarray) -> np.ndarray:
        if not self.config.smoothing:
            return channels
        return np.asarray(gaussian_filter1d(channels, self.config.smoothing * self.config.frame_rate, axis=0))

    def _style_id(self, style: str | None) -> int:
        if style is None:
            return len(self.config.styles)
        if style not in self.config.styles:
            known = ", ".join(self.config.styles) or "none"
            raise DuendeError(f"unknown style {style!r}; the styles of this model are: {known}")
        return self.config.styles.index(style)

    def _draw_start(self, style: str | None, rng: np.random.Generator) -> tuple[int, int]:
        self._style_id(style)
        choices = self.config.starts.get(style or "") or self.config.starts.get("") or []
        if not choices:
            codes = rng.integers(0, self.config.upper.codes, 2)
            return int(codes[0]), int(codes[1])
        upper, lower = choices[int(rng.integers(len(choices)))]
        return upper, lower

    def _check_start(self, start: tuple[int, int]) -> None:
        if not all(0 <= code < self.config.upper.codes for code in start):
            raise DuendeError(f"start codes run from 0 to {self.config.upper.codes - 1}, got {start}")
