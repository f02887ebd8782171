"""What rows begin with: a song, what is heard in it, and a dance to it; made once, read by each row's process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.measuring import Setting
from benchmarks.sounds import write_mp3
from duende.audio.cache import FeatureCache
from duende.audio.feature_sets import present
from duende.audio.music import FeatureSet, MusicFeatures
from duende.audio.song import Song
from duende.motion import Motion
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import of_codes
from duende.systems.storage import from_pretrained


@dataclass(frozen=True)
class Inputs:
    """Everything is read or made when it is first asked for."""

    setting: Setting

    @property
    def _folder(self) -> Path:
        return Path(self.setting.folder)

    @property
    def song_file(self) -> Path:
        return self._folder / "song.mp3"

    @cached_property
    def song(self) -> Song:
        return Song.read(self.song_file)

    @cached_property
    def dancer(self) -> ExpressiveBailando:
        return of_codes(from_pretrained(self.setting.model, self.setting.device), "this benchmark")

    @cached_property
    def feature_set(self) -> FeatureSet:
        return present(self.dancer.config.feature_set)

    @cached_property
    def features(self) -> MusicFeatures:
        return FeatureCache(self._folder / "heard").features(self.song_file, self.feature_set).features

    @cached_property
    def codes(self) -> np.ndarray:
        return np.asarray(np.load(self._folder / "codes.npy"))

    @cached_property
    def decoded(self) -> Motion:
        with np.load(self._folder / "decoded.npz") as kept:
            return Motion(kept["rotations"], kept["root"], float(kept["fps"]))

    def make(self, song: Path | None) -> None:
        """Make the files; ``song`` is played instead of one that is made here."""
        write_mp3(self.song_file, self.setting.seconds, song)
        # Which codes there are makes no difference to the time; one candidate finds some sooner.
        codes = self.dancer.choreograph(self.features, sampling=self.dancer.config.sampling.alone())
        np.save(self._folder / "codes.npy", codes)
        decoded = self.dancer.perform(codes)
        np.savez(self._folder / "decoded.npz", rotations=decoded.rotations, root=decoded.root, fps=decoded.fps)
