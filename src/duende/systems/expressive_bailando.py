"""ExpressiveBailando: two FreqVQ-VAEs, a root decoder and a cross-conditional GPT (ICASSP 2024, section 2).

Bailando and GTN-Bailando are the same class with other values in the config: without frequency modules, and with a
genre token network.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn
from torch.nn.functional import one_hot

from duende.audio.feature_sets import present
from duende.audio.music import MusicFeatures
from duende.errors import DuendeError
from duende.models.batches import generate_many
from duende.models.generation import Audition, Generation, generate
from duende.models.genre import GenreTokenNetwork
from duende.models.gpt import CrossConditionalGPT
from duende.models.reach import decoder_reach
from duende.models.sampling import Progress, Sampling
from duende.models.vqvae import FreqVQVAE, RootDecoder
from duende.motion import Motion
from duende.motion.chunks import MotionChunk
from duende.motion.holding import HeldMotion
from duende.motion.inverse_kinematics import fit_rotations
from duende.systems.audition import audition, auditions
from duende.systems.coding import HELD
from duende.systems.configuration import SystemConfig
from duende.systems.face import AnySampling
from duende.systems.finishing import finished
from duende.systems.holding import danced_with_held
from duende.systems.listener import MusicListener
from duende.systems.streaming import LiveDance, LiveTiming

if TYPE_CHECKING:
    from duende.audio.beats import Tempo

DECODED_AT_ONCE = 240


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
        first, generator = self._chance(seed, style, start)
        sampling = self._sampling(sampling, style is not None or self.genre is not None)
        # Step i predicts code i + 1 and hears the music of that code.
        heard = torch.cat([music[:, 1:], music[:, -1:]], dim=1)
        auditioned = None
        if sampling.candidates > 1:
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
    def choreograph_many(
        self,
        features: Sequence[MusicFeatures],
        seeds: Sequence[int],
        *,
        sampling: AnySampling | None = None,
        styles: Sequence[str | None] | None = None,
        progress: Progress | None = None,
    ) -> list[np.ndarray]:
        """Choose the codes of several dances in one batch, each as :meth:`choreograph` does for it alone.

        Products of larger matrices are rounded otherwise, so that in rare cases a dance takes another turn.
        """
        self.eval()
        told: list[str | None] = list(styles) if styles is not None else [None] * len(features)
        alike: dict[Sampling, list[int]] = {}
        for number, style in enumerate(told):
            how = self._sampling(sampling, style is not None or self.genre is not None)
            alike.setdefault(how, []).append(number)
        codes: dict[int, np.ndarray] = {}
        for how, numbers in alike.items():
            songs = [(features[number], seeds[number], told[number]) for number in numbers]
            codes.update(zip(numbers, self._choreographed(songs, how, progress), strict=True))
        return [codes[number] for number in range(len(features))]

    def _choreographed(
        self, songs: Sequence[tuple[MusicFeatures, int, str | None]], sampling: Sampling, progress: Progress | None
    ) -> list[np.ndarray]:
        """Choose the codes of songs, each with its seed and style, that are sampled alike."""
        music = [self.music(features) for features, _, _ in songs]
        chances = [self._chance(seed, style, None) for _, seed, style in songs]
        tokens = [self._style_token(style, rows) for (_, _, style), rows in zip(songs, music, strict=True)]
        known = [token for token in tokens if token is not None]
        if any(token.is_floating_point() for token in known):
            known = [
                token if token.is_floating_point() else one_hot(token, len(self.config.styles) + 1).float()
                for token in known
            ]

        def auditioned(dances: Sequence[int]) -> Audition:
            beats = [songs[dance][0].beats.times for dance in dances]
            return auditions(
                self, sampling.candidates, beats, [music[dance].shape[1] / self.config.code_rate for dance in dances]
            )

        codes = generate_many(
            self.gpt,
            [self.normalise(torch.cat([rows[0, 1:], rows[0, -1:]])) for rows in music],
            torch.tensor([first for first, _ in chances], device=self.device),
            [generator for _, generator in chances],
            style=torch.cat(known) if known else None,
            sampling=sampling,
            auditions=auditioned if sampling.candidates > 1 else None,
            progress=progress,
        )
        return [dance.cpu().numpy() for dance in codes]

    def live(
        self,
        rate: int,
        *,
        seed: int = 0,
        sampling: AnySampling | None = None,
        style: str | None = None,
        start: tuple[int, int] | None = None,
        tempo: Tempo | None = None,
        clean_up: bool = True,
        timing: LiveTiming | None = None,
    ) -> LiveDance:
        """Begin a dance to sound that is still to come; see :meth:`stream`."""
        # Needs an audio library, which training does without.
        from duende.audio.live import LiveListener

        self.eval()
        sampling = self._sampling(sampling, style is not None)
        told = self._style_token(style)
        features = present(self.config.feature_set)

        def begun() -> LiveDance:
            first, generator = self._chance(seed, style, start)
            opening = torch.tensor([first], device=self.device)
            generation = Generation(self.gpt, opening, style=told, sampling=sampling, generator=generator)
            listener = LiveListener(features, rate, tempo=tempo)
            return LiveDance(self, listener, generation, rate, sampling.candidates, timing, clean_up)

        # All that is done for the first time takes many times as long: it is done here, before somebody waits for it.
        for _ in begun().hear(np.zeros(2 * math.ceil(rate / self.config.code_rate), np.float32)):
            pass
        return begun()

    def stream(
        self,
        sound: Iterable[np.ndarray],
        rate: int,
        *,
        seed: int = 0,
        sampling: AnySampling | None = None,
        style: str | None = None,
        start: tuple[int, int] | None = None,
        tempo: Tempo | None = None,
        clean_up: bool = True,
        timing: LiveTiming | None = None,
    ) -> Iterator[MotionChunk]:
        """Dance to music while it is heard, for as long as it goes on, in constant memory.

        Each phrase is chosen for music as it will probably go on, before it is heard, so that frames come before their
        time and the dance is on the beat and not behind it. :attr:`LiveDance.look_ahead` tells by how much. Accents are
        not landed on beats afterwards.

        Args:
            sound: pieces ``(n,)`` of mono sound, of any lengths; however it is cut, the dance is the same.
            rate: samples a second.
            seed: chooses the start and the whole dance.
            sampling: as in :meth:`dance`.
            style: as in :meth:`dance`; where none is told the network decides from step to step.
            start: as in :meth:`dance`.
            tempo: beats a minute, ``"half"`` or ``"double"``, where somebody knows it better than the tracker.
            clean_up: take trembling out and plant the feet.
            timing: how far ahead the dance is made.

        Yields:
            Frames that follow one another, from the first sound to the last or a little after it.

        Raises:
            DuendeError: the decoder looks seconds ahead, the features cannot be heard live, or as in :meth:`dance`.
        """
        dance = self.live(
            rate, seed=seed, sampling=sampling, style=style, start=start, tempo=tempo, clean_up=clean_up, timing=timing
        )
        for samples in sound:
            yield from dance.hear(samples)
        yield from dance.finish()

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
            name: np.concatenate([piece[i] for piece in pieces]) for i, name in enumerate(("upper", "lower", "root"))
        }
        return self.embodied(channels, known)

    def embodied(self, channels: dict[str, np.ndarray], known: dict[str, np.ndarray] | None = None) -> Motion:
        """Turn decoded channels ``upper``, ``lower`` and ``root`` ``(T, C)`` into a motion, beginning over the origin.

        ``known`` channels are taken in place of decoded ones, and not smoothed.
        """
        decoded = {name: self._smoothed(values) for name, values in channels.items()}
        positions = self.config.poses.decode(**{**decoded, **(known or {})})
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

    def _style_token(self, style: str | None, music: Tensor | None = None) -> Tensor | None:
        """Return the style asked for, else the one that the ``music`` calls for, if that is given and can be asked.

        None where styles are not known.
        """
        if not self.config.styles:
            self._style_id(style)
            return None
        if style is None and self.genre is not None and music is not None:
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

    def _chance(
        self, seed: int, style: str | None, start: tuple[int, int] | None
    ) -> tuple[tuple[int, int], torch.Generator]:
        """Draw where a dance begins, if that is not told, and make the source of all later chance."""
        rng = np.random.default_rng(seed)
        first = start if start is not None else self._draw_start(style, rng)
        self._check_start(first)
        return first, torch.Generator(device=self.device).manual_seed(int(rng.integers(2**62)))

    def _sampling(self, wanted: AnySampling | None, style_told: bool) -> Sampling:
        """Return how codes are drawn, of which the config says what the caller does not."""
        sampling = wanted or self.config.sampling
        if not isinstance(sampling, Sampling):
            raise DuendeError(f"{self.config.system} draws pose codes and knows no {type(sampling).__name__}")
        if sampling.temperature == 0:
            # All candidates would be the same.
            sampling = sampling.alone()
        # Where no style is told there is none to be amplified.
        return sampling if style_told or not self.config.styles else replace(sampling, style_guidance=1.0)

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
