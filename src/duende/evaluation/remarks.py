"""What a reader of the table must know: the pool, frame rates, dances without music, dances that meet themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from duende.evaluation.genre import GenreCheck
from duende.evaluation.protocol import ScoredDance
from duende.evaluation.yardstick import FPS, RealDances


def remarks(
    systems: Mapping[str, Sequence[ScoredDance]],
    real: RealDances,
    check: GenreCheck | None,
) -> list[str]:
    """Write one sentence or two for each thing.

    Args:
        systems: dances by system, those of the test split apart.
        real: the pool.
        check: of the genre classifier, None where there can be none.
    """
    found = [_pool(real), *_constant(real), _rates(systems)]
    for name, dances in systems.items():
        found += _music(name, dances)
        found += _namesakes(name, dances, real)
    return [*found, _genre(check)]


def _pool(real: RealDances) -> str:
    total, left = len(real.dances), len(real.honest)
    side = (
        f"{left}, without the test split and without takes that a scored dance is named after"
        if left < total
        else "the same, since none is held out or too few would be left"
    )
    return (
        f"Pool: {total} real dances on the classic side, those of the test split among them as is published practice; "
        f"on the honest side {side}."
    )


def _namesakes(system: str, dances: Sequence[ScoredDance], real: RealDances) -> list[str]:
    clips = {dance.name for dance in real.dances}
    named = [scored.dance.name for scored in dances if clips & set(scored.dance.match.namesakes)]
    if not named:
        return []
    return [
        f"{system}: {len(named)} of {len(dances)} dances bear the name of a take in the pool ({_some(named)}); on the "
        "classic side, one that is this very take is compared with itself."
    ]


def _constant(real: RealDances) -> list[str]:
    dropped = sum(int((~yardstick.used).sum()) for yardstick in real.yardsticks.values())
    return [f"Honest features that do not vary over the pool are left out: {dropped}."] if dropped else []


def _rates(systems: Mapping[str, Sequence[ScoredDance]]) -> str:
    rates = sorted({scored.dance.source_fps for dances in systems.values() for scored in dances})
    if len(rates) == 1:
        brought = "" if rates[0] == FPS else f"; all brought to {FPS:g}"
        return f"Frame rate: {rates[0]:g}{brought}."
    listed = ", ".join(f"{rate:g}" for rate in rates[:-1]) + f" and {rates[-1]:g}"
    return (
        f"Mixed frame rates: {listed}; all brought to {FPS:g}. A dance holds no movement faster than half its own "
        "rate: the share of power over 12 Hz is not comparable between rates."
    )


def _music(system: str, dances: Sequence[ScoredDance]) -> list[str]:
    sources = Counter(scored.dance.match.music.source for scored in dances if scored.dance.match.music)
    lost = sum(scored.dance.match.start_unknown for scored in dances)
    silent = len(dances) - sum(sources.values()) - lost
    found = []
    if sources:
        said = {"clip": "of clips of the reference", "song": "of songs of the reference", "audio": "tracked in audio"}
        parts = ", ".join(f"{count} {said[source]}" for source, count in sorted(sources.items()))
        found.append(f"{system}: beats known of {sum(sources.values())} of {len(dances)} dances ({parts}).")
    if lost:
        found.append(
            f"{system}: {lost} of {len(dances)} dances are by EDGE's test script, which begins at a random place of "
            "the song and does not say where: not scored against beats."
        )
    if silent:
        found.append(
            f"{system}: {silent} of {len(dances)} dances have no known music and are not scored against beats; give "
            "audio files of their names with --music."
        )
    return found


def _genre(check: GenreCheck | None) -> str:
    if check is None:
        return "Genre: the pool has no two genres of two takes each, so none can be told."
    left = f"; left out, with a single take: {', '.join(check.left_out)}" if check.left_out else ""
    return (
        f"Genre classifier: right about {check.accuracy:.2f} of {check.takes} real takes held out in turn (mean over "
        f"{len(check.genres)} genres; guessing gives {check.chance:.2f}){left}."
    )


def _some(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
