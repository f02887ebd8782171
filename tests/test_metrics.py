"""The classic metrics against slow, plain loops over the same formulas, and against what they should mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from duende.errors import DuendeError
from duende.evaluation.contact import physical_foot_contact, physical_foot_contact_si
from duende.evaluation.distributions import (
    Normalisation,
    bootstrap_interval,
    diversity,
    frechet_distance,
    half_floor,
    kernel_distance,
)
from duende.evaluation.geometric import geometric_features
from duende.evaluation.kinetic import Form, kinetic_features
from duende.evaluation.pieces import Piece, cut
from duende.evaluation.rhythm import beat_align_score, corrected_beat_align
from duende.evaluation.sanity import PIECE, at_double_rate, markdown, verdicts
from duende.evaluation.tempo import evidence, tempo_evidence
from duende.formats.load import load_mocap
from duende.motion import SMPL24, Motion
from duende.motion.accents import resultant


def slow_kinetic(positions: np.ndarray, frame_time: float, bug: bool) -> np.ndarray:
    """Frame by frame and joint by joint, as the published code goes about it."""
    dance = positions - positions[0, 0]
    count, values = len(dance), []
    for joint in range(dance.shape[1]):
        horizontal = vertical = expenditure = 0.0
        for frame in range(1, count):
            steps, turns = [], []
            for other in range(frame - 2, frame + 3):
                if 1 <= other < count:
                    steps.append((dance[other, joint] - dance[other - 1, joint]) / frame_time)
                if 1 <= other < count - 1:
                    leaving = (dance[other + 1, joint] - dance[other, joint]) / frame_time
                    if bug:
                        arriving = dance[other, joint] - dance[other - 1, joint] / frame_time
                    else:
                        arriving = (dance[other, joint] - dance[other - 1, joint]) / frame_time
                    turns.append((leaving - arriving) / frame_time)
            speed = np.mean(steps, axis=0)
            horizontal += speed[0] ** 2 + speed[2] ** 2
            vertical += speed[1] ** 2
            expenditure += np.linalg.norm(np.mean(turns, axis=0)) if turns else 0.0
        values += [horizontal / (count - 1), vertical / (count - 1), expenditure / (count - 1)]
    return np.array(values)


@pytest.mark.parametrize("frames", [4, 5, 9, 60])
@pytest.mark.parametrize("form", ["classic", "corrected"])
def test_kinetic_features_are_those_of_the_plain_loop(form: Form, frames: int, wavy_motion: Motion) -> None:
    positions = wavy_motion.positions[:frames]
    expected = slow_kinetic(positions, 1 / 60, bug=form == "classic")
    np.testing.assert_allclose(kinetic_features(positions, form=form), expected, rtol=1e-9, atol=1e-9)


def test_the_published_defect_is_in_the_classic_form_only() -> None:
    still = np.zeros((30, 24, 3))
    still[:, 5] = [1.0, 0.0, 0.0]
    assert kinetic_features(still)[3 * 5 + 2] == pytest.approx(3540.0)
    assert not kinetic_features(still, form="corrected").any()


def test_corrected_energies_hardly_depend_on_the_frame_rate(wavy_motion: Motion) -> None:
    """Expenditure does a little: differences reach over two frames on both sides, whatever those last."""
    doubled = wavy_motion.resampled(120).positions
    at_60 = kinetic_features(wavy_motion.positions, 60, "corrected").reshape(24, 3)
    at_120 = kinetic_features(doubled, 120, "corrected").reshape(24, 3)
    np.testing.assert_allclose(at_120[:, :2], at_60[:, :2], rtol=0.1)
    np.testing.assert_allclose(at_120[:, 2], at_60[:, 2], rtol=0.12)
    assert kinetic_features(doubled)[0] < 0.3 * kinetic_features(wavy_motion.positions)[0]


def slow_geometric(positions: np.ndarray) -> dict[int, float]:
    """A choice of the 32, frame by frame from their definitions (numbered from 1)."""
    at = {name: SMPL24.index(name) for name in SMPL24.names}
    hl, sw, hw = 0.2568, 0.3908, 0.1192
    counts = dict.fromkeys((1, 5, 8, 9, 10, 13, 16, 18, 19, 25, 28, 29, 31, 32), 0)
    for frame in range(1, len(positions)):
        now, past = positions[frame], positions[frame - 1]

        def p(name: str, now: np.ndarray = now) -> np.ndarray:
            return now[at[name]]

        def v(name: str, now: np.ndarray = now, past: np.ndarray = past) -> np.ndarray:
            return (now[at[name]] - past[at[name]]) * 120

        def unit(vector: np.ndarray) -> np.ndarray:
            return vector / np.linalg.norm(vector)

        def angle(a: np.ndarray, b: np.ndarray, unit=unit) -> float:  # type: ignore[no-untyped-def]
            return float(np.degrees(np.arccos(unit(a) @ unit(b))))

        lowest = now[:, 1].min()
        normal = unit(np.cross(p("left_hip") - p("neck"), p("right_hip") - p("neck")))
        counts[1] += (v("right_wrist") - v("neck")) @ normal > 1.8 * hl
        counts[5] += (v("spine3") - v("spine1")) @ unit(p("spine3") - p("spine1")) > 1.8 * hl
        bend = angle(p("left_shoulder") - p("left_elbow"), p("left_wrist") - p("left_elbow"))
        counts[8] += 0 < bend < 110
        line = unit(p("right_shoulder") - p("left_shoulder"))
        counts[9] += (p("right_wrist") - p("left_wrist")) @ line > 2.5 * sw
        apart = unit(p("right_wrist") - p("left_wrist"))
        counts[10] += (v("right_wrist") - v("left_wrist")) @ apart > 1.4 * hl
        counts[13] += np.linalg.norm(v("right_wrist")) > 2.5 * hl
        normal = unit(np.cross(p("right_foot") - p("pelvis"), p("right_hip") - p("pelvis")))
        counts[16] += (p("left_ankle") - p("pelvis")) @ normal > 0.38 * hl
        counts[18] += p("left_ankle")[1] - lowest > 1.2 * hl
        line = unit(p("right_hip") - p("left_hip"))
        counts[19] += (p("right_ankle") - p("left_ankle")) @ line > 2.1 * hw
        trunk = p("pelvis") - p("neck")
        counts[25] += 25 < angle(trunk, p("left_elbow") - p("left_shoulder")) < 180
        normal = unit(np.cross(p("left_ankle") - p("right_ankle"), p("neck") - p("right_ankle")))
        counts[28] += (p("pelvis") - p("right_ankle")) @ normal > 0.5 * hl
        counts[29] += 70 < angle(trunk, np.array([0.0, 1.0, 0.0])) < 110
        counts[31] += lowest - p("left_wrist")[1] > -1.2 * hl
        counts[32] += np.linalg.norm(v("pelvis")) > 2.3 * hl
    return {number: float(count) / (len(positions) - 1) for number, count in counts.items()}


def wild_dance(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return SMPL24.rest_positions + np.cumsum(rng.normal(scale=0.02, size=(80, 24, 3)), axis=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_geometric_features_are_those_of_the_plain_loop(seed: int) -> None:
    positions = wild_dance(seed)
    features = geometric_features(positions)
    assert features.shape == (32,)
    for number, expected in slow_geometric(positions).items():
        assert features[number - 1] == pytest.approx(expected), number


def test_the_classic_form_asks_twice_about_the_chest() -> None:
    classic, corrected = (geometric_features(wild_dance(4), form=form) for form in ("classic", "corrected"))
    assert classic[4] == classic[5]
    assert corrected[4] != corrected[5]


@pytest.mark.parametrize("function", [kinetic_features, geometric_features, physical_foot_contact])
def test_what_is_no_dance_is_refused(function, wavy_motion: Motion) -> None:  # type: ignore[no-untyped-def]
    broken = wavy_motion.positions.copy()
    broken[17, 3, 1] = np.nan
    with pytest.raises(DuendeError, match="frame 17"):
        function(broken)
    with pytest.raises(DuendeError, match="3 frames or more"):
        function(broken[:1])
    with pytest.raises(DuendeError, match=r"\(T, J, 3\)"):
        function(broken[0])


def test_the_frechet_distance_is_that_of_the_matrix_root() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6))
    second = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6)) + 0.3
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = scipy.linalg.sqrtm(one @ two).real
    expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(one + two - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 3.0))
def test_the_frechet_distance_is_symmetric_and_grows_with_a_shift(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(30, 8)), rng.normal(size=(25, 8))
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first), rel=1e-6)
    assert frechet_distance(first, first + shift) == pytest.approx(8 * shift**2, rel=1e-6)


def test_fewer_dances_than_features_still_give_a_real_number() -> None:
    rng = np.random.default_rng(1)
    value = frechet_distance(rng.normal(size=(200, 72)), rng.normal(size=(40, 72)))
    assert np.isfinite(value) and value > 0


def test_the_kernel_distance_is_the_plain_double_sum_and_has_no_bias() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)) + 0.5

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    expected = (
        np.mean([k(a, b) for i, a in enumerate(first) for j, b in enumerate(first) if i != j])
        + np.mean([k(a, b) for i, a in enumerate(second) for j, b in enumerate(second) if i != j])
        - 2 * np.mean([k(a, b) for a in first for b in second])
    )
    assert kernel_distance(first, second) == pytest.approx(expected)
    same = [kernel_distance(rng.normal(size=(20, 8)), rng.normal(size=(20, 8))) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(300)
    assert np.mean([frechet_distance(rng.normal(size=(20, 8)), rng.normal(size=(20, 8))) for _ in range(20)]) > 0.5


def test_diversity_is_the_mean_over_pairs() -> None:
    assert diversity(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])) == pytest.approx(10 / 3)
    with pytest.raises(DuendeError, match="two dances"):
        diversity(np.zeros((1, 2)))


def test_the_pool_is_normalised_to_itself() -> None:
    pool = np.random.default_rng(3).normal(2.0, 5.0, size=(50, 4))
    normal = Normalisation.of(pool)(pool)
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(normal.std(axis=0), 1, atol=1e-6)


def test_intervals_and_floors_hold_what_they_should() -> None:
    rng = np.random.default_rng(4)
    pool, dances = rng.normal(size=(200, 5)), rng.normal(size=(40, 5)) + 1.0
    low, high = bootstrap_interval(pool, dances, draws=60)
    assert low < frechet_distance(pool, dances) < high
    assert 0 < half_floor(pool) < 0.5 < frechet_distance(pool, dances)


def test_foot_contact_is_zero_for_standing_feet_and_known_for_a_slide() -> None:
    times = np.arange(90) / 30
    slide = np.tile(SMPL24.rest_positions, (90, 1, 1))
    slide[..., 0] += 0.1 * np.sin(2 * np.pi * times)[:, None]
    standing = slide.copy()
    standing[:, [7, 10]] = SMPL24.rest_positions[[7, 10]]
    assert physical_foot_contact(standing) == 0.0
    assert physical_foot_contact_si(standing, 30.0) < 1e-12
    total = 0.0
    x = slide[:, 0, 0]
    accelerations = [abs(x[i + 1] - 2 * x[i] + x[i - 1]) for i in range(1, 89)]
    for i, acceleration in enumerate(accelerations, start=1):
        total += abs(x[i + 1] - x[i]) ** 2 * acceleration / max(accelerations)
    assert physical_foot_contact(slide) == pytest.approx(10_000 * total / 88)


def test_foot_contact_in_si_units_does_not_depend_on_the_frame_rate(wavy_motion: Motion) -> None:
    double = wavy_motion.resampled(120)
    at_60 = physical_foot_contact_si(wavy_motion.positions, 60.0)
    assert physical_foot_contact_si(double.positions, 120.0) == pytest.approx(at_60, rel=0.02)
    assert physical_foot_contact(double.positions) < 0.5 * physical_foot_contact(wavy_motion.positions)


def test_a_dance_on_the_beat_exceeds_chance_and_a_shifted_one_does_not() -> None:
    music = np.arange(0.25, 20.0, 0.5)
    rng = np.random.default_rng(5)
    on_beat = corrected_beat_align(music + rng.normal(scale=0.02, size=len(music)), music, 20.0)
    assert on_beat.score > 0.85 and on_beat.excess > 0.5 and on_beat.p_value < 0.15
    excesses = []
    for _ in range(40):
        dance = np.sort(rng.uniform(0, 20.0, size=35))
        excesses.append(corrected_beat_align(dance, music, 20.0).excess)
    assert abs(np.mean(excesses)) < 2.5 * np.std(excesses) / np.sqrt(len(excesses))
    lies = np.mean([beat_align_score(np.sort(rng.uniform(0, 20.0, size=35)), music) for _ in range(40)])
    assert lies > 0.15


def test_without_beats_nothing_exceeds_chance() -> None:
    nothing = corrected_beat_align(np.zeros(0), np.arange(4.0), 4.0)
    assert (nothing.excess, nothing.p_value) == (0.0, 1.0)


def stopping_dance(times: np.ndarray, seconds: float = 12.0) -> Motion:
    """A body that sways from side to side and stops at each of ``times``."""
    at = np.arange(0, seconds, 1 / 60)
    turns = np.interp(at, times, np.arange(len(times)))
    sway = 0.3 * np.cos(np.pi * turns)
    rotations = np.zeros((len(at), 24, 4))
    rotations[..., 3] = 1
    return Motion(rotations, np.stack([sway, np.zeros(len(at)), np.zeros(len(at))], axis=1))


def test_a_dance_that_keeps_a_tempo_stands_out_at_it_and_at_no_other() -> None:
    dance = stopping_dance(np.arange(0.2, 13.0, 60 / 104))
    found = tempo_evidence(dance, 104.0)
    assert found.minima[1] > 0.9 and found.p_value < 0.01
    assert tempo_evidence(dance, 90.0).p_value > 0.05


def test_a_dance_without_a_tempo_stands_out_as_often_as_chance() -> None:
    rng = np.random.default_rng(6)
    values = []
    for _ in range(12):
        dance = stopping_dance(np.cumsum(rng.uniform(0.3, 1.0, size=40)))
        values += [tempo_evidence(dance, tempo).p_value for tempo in (83.0, 97.0, 111.0, 125.0)]
    assert np.mean(np.array(values) < 0.1) < 0.25


def test_the_resultant_is_one_for_a_steady_beat_and_counts_for_nothing_without_events() -> None:
    assert resultant(np.arange(10) * 0.5, 120.0) == pytest.approx(1.0)
    assert resultant(np.arange(10) * 0.5, 60.0) == pytest.approx(0.0, abs=1e-9)
    assert resultant(np.zeros(0), 100.0) == 0.0
    assert evidence([np.zeros(0), np.arange(4) * 0.5], 120.0) == pytest.approx(4.0)


@pytest.mark.shared_data
def test_twice_the_frame_rate_leaves_measures_of_real_dances_as_they_are(shared_data: Path) -> None:
    dances = [load_mocap(path) for path in sorted((shared_data / "aistpp" / "motions").glob("*.pkl"))[:6]]
    pieces = [piece for dance in dances for piece in cut(dance.positions, dance.fps, np.zeros(0), PIECE)]
    factors = at_double_rate(pieces)
    # EDGE's measure halves its steps and more: that is why the other is there.
    assert factors.pop("foot contact") < 0.5
    assert all(0.98 < factor < 1.02 for factor in factors.values()), factors


def test_metrics_say_of_known_dances_what_they_should() -> None:
    rng = np.random.default_rng(7)

    def pieces(count: int) -> list[Piece]:
        made = []
        for _ in range(count):
            beats = np.arange(rng.uniform(0.1, 0.5), PIECE, 60 / rng.uniform(90, 130))
            sway = stopping_dance(beats, PIECE)
            made.append(Piece(sway.positions * rng.uniform(0.8, 1.2), 60.0, beats))
        return made

    found, floors = verdicts(pieces(30), pieces(12))
    by_kind = {verdict.kind: verdict for verdict in found}
    real, late, still = by_kind["real"], by_kind["real, out of time"], by_kind["still"]
    assert real.beat_excess > 0.3 > 0.15 > abs(late.beat_excess)
    assert real.fid_kinetic == late.fid_kinetic
    assert still.frozen == 1.0 and still.foot_contact == 0.0
    assert by_kind["real, trembling"].jerk > 10 * real.jerk
    assert set(floors) == {"kinetic", "kinetic_corrected", "geometric"}
    assert markdown(found, floors).count("\n") == 2 + 13
