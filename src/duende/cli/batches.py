"""Dances to several songs at once on one accelerator: other processes hear what is next and perform what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import torch

from duende.audio.music import MusicFeatures
from duende.cli.company import ChosenCodes, Company, DancedSong, hear_song, longest_first, perform_song
from duende.cli.dancing import Dancing, Piece
from duende.cli.processes import Crew, as_finished, crew, result
from duende.cli.threads import threads
from duende.errors import DuendeError
from duende.models.placement import Placement
from duende.systems.expressive_bailando import ExpressiveBailando


def danced_in_batches(
    pieces: Sequence[Piece], dancing: Dancing, company: Company, system: ExpressiveBailando, jobs: int, size: int
) -> Generator[DancedSong, None, None]:
    """Yield songs as they are finished.

    Args:
        pieces: the songs; those of about one length are danced to together.
        dancing: how.
        company: who hears and performs in other processes, on the processor.
        system: that chooses the dances, placed on the accelerator.
        jobs: other processes.
        size: dances at once; all dances to one song are in one batch.
    """
    company = replace(company, placement=Placement("cpu", "float32", "off"))
    ordered, songs = longest_first(pieces), max(1, size // len(dancing.seeds))
    batches = [ordered[first : first + songs] for first in range(0, len(ordered), songs)]
    performed: list[Future[DancedSong]] = []
    with crew(jobs) as others:
        hear = partial(hear_song, dancing=dancing, company=company)
        ahead = _begun(batches[0], hear, others)
        for number in range(len(batches)):
            heard = ahead
            ahead = _begun(batches[number + 1], hear, others) if number + 1 < len(batches) else []
            results = [(piece, result(features)) for piece, features in heard]
            yield from (features for _, features in results if isinstance(features, DancedSong))
            good = [(piece, features) for piece, features in results if isinstance(features, MusicFeatures)]
            for chosen in _chosen(good, dancing, system, company.threads):
                performed.append(others.begin(partial(perform_song, dancing=dancing, company=company), chosen))
            # Told as soon as it is known, and not kept.
            finished = [song for song in performed if song.done()]
            performed = [song for song in performed if song not in finished]
            yield from as_finished(finished)
        yield from as_finished(performed)


def _begun(
    pieces: Sequence[Piece], hear: Callable[[Piece], MusicFeatures | DancedSong], others: Crew
) -> list[tuple[Piece, Future[MusicFeatures | DancedSong]]]:
    return [(piece, others.begin(hear, piece)) for piece in pieces]


def _chosen(
    heard: Sequence[tuple[Piece, MusicFeatures]], dancing: Dancing, system: ExpressiveBailando, count: int
) -> list[ChosenCodes]:
    """Choose the dances to some songs with all seeds at once.

    Raises:
        DuendeError: the accelerator has no memory for so many.
    """
    if not heard:
        return []
    seeds = list(dancing.seeds)
    dances = len(seeds) * len(heard)
    try:
        with threads(count):
            codes = system.choreograph_many(
                [features for _, features in heard for _ in seeds],
                seeds * len(heard),
                sampling=dancing.sampling(system),
                styles=[dancing.options.style] * dances,
            )
    except torch.OutOfMemoryError as error:
        raise DuendeError(f"{system.device} has no room for {dances} dances at once; give a smaller --batch") from error
    each = len(seeds)
    return [ChosenCodes(piece, codes[number * each :][:each]) for number, (piece, _) in enumerate(heard)]
