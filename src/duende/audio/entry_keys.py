"""What the numbers of a song depend on, in hashes that name the entries of the cache."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from duende.audio.beats import Tempo
from duende.audio.feature_sets import JUKEBOX
from duende.audio.features import PRETRAINED, mert_for, parts_of
from duende.audio.kept_arrays import Arrays, KeptArrays
from duende.audio.music import FeatureSet
from duende.audio.sources import Sources
from duende.errors import DuendeError

LAYOUT = 1
"""Raised whenever entries are laid out otherwise, or songs are decoded otherwise."""
BEATS = 1
"""Raised whenever the same song would get other beats."""

Crop = tuple[float, float]
"""Start and length of a part of a song, seconds."""


def beats_key(song: Path, crop: Crop | None, tempo: Tempo | None = None) -> str:
    """Name the entry of the beats of a song.

    Args:
        song: the sound file.
        crop: what of the song is heard, None for all of it.
        tempo: that the beats are laid at, None where they are found.

    Raises:
        DuendeError: the file cannot be read.
    """
    return hashed(*_sound(song, crop), *_beats(tempo))


def entry_keys(
    song: Path,
    features: FeatureSet,
    sources: Sources,
    crop: Crop | None,
    kept: KeptArrays,
    tempo: Tempo | None = None,
) -> tuple[str, ...]:
    """Name the entry of the beats of a song, and that of each part of a set.

    Args:
        song: the sound file.
        features: the set.
        sources: where weights and foreign features are.
        crop: what of the song is heard, None for all of it.
        kept: where digests of weights are remembered.
        tempo: that the beats are laid at, None where they are found.

    Raises:
        DuendeError: a file cannot be read, or what the set needs beside the song is not at hand.
    """
    if crop and JUKEBOX in parts_of(features):
        raise DuendeError("the features jukebox belong to whole songs; hear the whole song, or cut both files alike")
    parts = ((part.identity, *_dependencies(part, song.stem, sources, kept, tempo)) for part in parts_of(features))
    sound = _sound(song, crop)
    return (beats_key(song, crop, tempo), *(hashed(*sound, *facts) for facts in parts))


def check_sources(features: FeatureSet, sources: Sources, kept: KeptArrays) -> None:
    """Find out before long work whether weights and foreign features are at hand.

    Raises:
        DuendeError: they are not.
    """
    for part in parts_of(features):
        if part.name in PRETRAINED:
            _weights(part, sources, kept)
        elif part.name == JUKEBOX.name and not Path(sources.jukebox or "?").is_dir():
            where = f"no folder {sources.jukebox}" if sources.jukebox else "the features jukebox come from files"
            raise DuendeError(f"{where}; name the folder that holds NAME.npy for each song NAME after --jukebox")


def content_digest(path: Path) -> str:
    """Return a hash of a file's content.

    Raises:
        DuendeError: the file cannot be read.
    """
    try:
        return _digest(path, *_stamp(path))
    except FileNotFoundError:
        raise DuendeError(f"no file {path}; check the name of the song") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DuendeError(f"{path} cannot be read ({reason}); check its permissions") from error


def hashed(*facts: object) -> str:
    """Return a hash of facts, hexadecimal."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _sound(song: Path, crop: Crop | None) -> tuple[object, ...]:
    return LAYOUT, content_digest(song), crop and tuple(map(float, crop))


def _beats(tempo: Tempo | None) -> tuple[object, ...]:
    """Say what beats depend on beside the sound; where they are found, in the words of entries that are kept."""
    return ("beats", BEATS) if tempo is None else ("beats", BEATS, tempo)


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes whenever a file is written: its size, and when that was, in nanoseconds."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, changed: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _dependencies(
    part: FeatureSet, song: str, sources: Sources, kept: KeptArrays, tempo: Tempo | None
) -> tuple[object, ...]:
    """List what the numbers of a part depend on beside the sound."""
    if part.name in PRETRAINED:
        return _weights(part, sources, kept)
    if part.name == JUKEBOX.name:
        from duende.audio.jukebox import jukebox_identity

        return (jukebox_identity(sources.jukebox, song),)
    return _beats(tempo)


def _weights(part: FeatureSet, sources: Sources, kept: KeptArrays) -> tuple[str, str]:
    """Return the digest of MERT's weights and the precision that it computes in here.

    Both are remembered for files of this place, size and time: a song that was heard needs no weights loaded.
    """
    import torch

    from duende.audio.mert.hub import CONFIGS, located, weights_file
    from duende.audio.mert.weights import fast_bfloat16

    folder = located(sources.weights_of(part.name)).resolve()
    paths = [path for path in (weights_file(folder), *(folder / name for name in CONFIGS)) if path and path.exists()]
    stamps = [(str(path.resolve()), *_stamp(path)) for path in paths]
    # Machines that share a cache may compute in different precisions.
    machine = (sources.device, sources.precision, fast_bfloat16(torch.device(sources.device)))
    key = hashed("weights", LAYOUT, part.identity, *machine, *stamps)
    known = kept.get(key, ("facts",), lambda: _loaded_weights(part, sources))["facts"]
    return str(known[0]), str(known[1])


def _loaded_weights(part: FeatureSet, sources: Sources) -> Arrays:
    mert = mert_for(part, sources)
    return {"facts": np.array([mert.identity, str(mert.precision)])}
