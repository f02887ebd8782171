"""EDGE as a system: channels, music by frame, long dances, what is held, and its place beside the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from duende.audio.feature_sets import feature_set
from duende.audio.frames import by_frame, frame_dimension
from duende.audio.music import Beats, MusicFeatures
from duende.cli.main import main
from duende.errors import DuendeError
from duende.formats.load import load_mocap
from duende.models.denoiser import DenoiserConfig
from duende.models.denoising import denoise
from duende.models.sampling import DiffusionSampling, Sampling
from duende.motion import SMPL24, Motion
from duende.motion.holding import HeldMotion, carried_by
from duende.motion.rotation_channels import RotationChannels
from duende.systems.edge import EDGE
from duende.systems.edge_configuration import EDGEConfig
from duende.systems.kinds import of_codes
from duende.systems.storage import from_pretrained, save_pretrained

FEATURES = feature_set("full_band")


def config(frames: int = 16) -> EDGEConfig:
    denoiser = DenoiserConfig(
        music_dimension=frame_dimension(FEATURES),
        width=16,
        layers=1,
        heads=2,
        feedforward=16,
        music_layers=1,
        frames=frames,
    )
    return EDGEConfig(
        feature_set=FEATURES.identity, denoiser=denoiser, overlap=frames // 2, sampling=DiffusionSampling(steps=4)
    )


@pytest.fixture(scope="module")
def edge() -> EDGE:
    torch.manual_seed(0)
    return EDGE(config()).eval()


def music(rows: int = 12, seed: int = 0) -> MusicFeatures:
    values = np.random.default_rng(seed).normal(size=(rows, FEATURES.dimension)).astype(np.float32)
    times = np.arange(0.0, rows / 7.5, 0.5)
    return MusicFeatures(values, FEATURES, Beats(times, times[::4], 120.0))


def test_channels_bring_a_motion_back(wavy_motion: Motion) -> None:
    for up in ("y", "z"):
        channels = RotationChannels(up=up)  # type: ignore[arg-type]
        values = channels.encode(wavy_motion)
        assert values.shape == (len(wavy_motion) // 2, 151)
        back = channels.decode(values)
        np.testing.assert_allclose(back.positions, wavy_motion.resampled(30.0).positions, atol=1e-5)


def test_z_up_channels_hold_the_height_last(wavy_motion: Motion) -> None:
    values = RotationChannels(up="z").encode(wavy_motion)
    np.testing.assert_allclose(values[:, 6], wavy_motion.resampled(30.0).root[:, 1], atol=1e-6)


def test_contacts_are_those_of_feet_that_stand() -> None:
    still = Motion(np.tile([0.0, 0.0, 0.0, 1.0], (30, 24, 1)), np.tile([0.0, 0.9, 0.0], (30, 1)), 30.0)
    gliding = replace(still, root=still.root + np.linspace(0, 0.5, 30)[:, None] * [1.0, 0.0, 0.0])
    assert RotationChannels().encode(still)[:, :4].all()
    assert not RotationChannels().encode(gliding)[:, :4].any()


def test_rows_are_made_orthogonal(wavy_motion: Motion) -> None:
    channels = RotationChannels()
    values = channels.encode(wavy_motion)
    bent = values.copy()
    bent[:, 7:] *= 1.7
    np.testing.assert_allclose(channels.decode(bent).positions, channels.decode(values).positions, atol=1e-5)


def test_music_by_frame_gives_each_frame_its_own() -> None:
    jukebox = feature_set("jukebox")
    rows = np.random.default_rng(0).normal(size=(3, jukebox.dimension)).astype(np.float32)
    frames = by_frame(rows, jukebox)
    assert frames.shape == (12, 4800) and frame_dimension(jukebox) == 4800
    np.testing.assert_array_equal(frames[5], rows[1].reshape(4, 4800)[1])
    onset = FEATURES.slice("onset")
    full = np.zeros((2, FEATURES.dimension), np.float32)
    full[1, onset] = np.arange(8)
    heard = by_frame(full, FEATURES)
    before = sum(2 if width == 8 else width for name, width in FEATURES.columns[:3])
    np.testing.assert_array_equal(heard[4:, before : before + 2], np.arange(8).reshape(4, 2))
    np.testing.assert_array_equal(heard[:, -4:], np.tile(np.eye(4), (2, 1)))


def test_frames_of_mert_are_interpolated_in_order() -> None:
    mert = feature_set("mert_95m")
    rows = np.repeat(np.arange(20, dtype=np.float32).reshape(2, 10, 1), 768, axis=2).reshape(2, -1)
    np.testing.assert_allclose(by_frame(rows, mert)[:, 0], [0.75, 3.25, 5.75, 8.25, 10.75, 13.25, 15.75, 18.25])


def test_a_long_dance_has_four_frames_for_each_row(edge: EDGE) -> None:
    for rows in (1, 4, 12, 31):
        motion = edge.dance(music(rows))
        assert len(motion) == 4 * rows and motion.fps == 30.0


def test_same_seed_same_dance_other_seed_other_dance(edge: EDGE) -> None:
    first, again, other = (edge.dance(music(), seed=seed, on_beat=False, clean_up=False) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.rotations, again.rotations)
    assert not np.allclose(first.rotations, other.rotations)


def held(motion: Motion, joints: tuple[int, ...], *spans: tuple[int, int]) -> HeldMotion:
    mask = np.zeros((len(motion), 24), dtype=bool)
    for first, last in spans or ((0, len(motion)),):
        mask[first:last, list(joints)] = True
    return HeldMotion(motion, mask)


@pytest.mark.parametrize(
    ("joints", "spans"),
    [
        (carried_by(SMPL24, SMPL24.upper), [(0, 96)]),
        (carried_by(SMPL24, SMPL24.lower), [(0, 96)]),
        (carried_by(SMPL24, [SMPL24.index("left_wrist")]), [(20, 60)]),
        (tuple(range(24)), [(0, 40)]),
        (tuple(range(24)), [(0, 30), (80, 96)]),
    ],
    ids=["upper", "lower", "wrist", "continuation", "between"],
)
def test_held_joints_stay_within_a_millimetre(
    edge: EDGE, wavy_motion: Motion, joints: tuple[int, ...], spans: list[tuple[int, int]]
) -> None:
    given = wavy_motion.cropped(0, 96)
    turned = Rotation.from_rotvec([0, 1.0, 0])
    rotations = given.rotations.copy()
    rotations[:, 0] = (turned * Rotation.from_quat(rotations[:, 0])).as_quat()
    given = replace(given, rotations=rotations, root=turned.apply(given.root) + np.array([3.0, 0.0, -2.0]))
    dance = edge.dance(music(12), held=held(given, joints, *spans))
    at_30 = given.resampled(30.0).positions
    mask = held(given, joints, *spans).at_rate(30.0).joints
    distance = np.linalg.norm(dance.positions - at_30, axis=-1)
    assert distance[mask].max() < 1e-3
    assert distance[~mask].max() > 1e-2


@pytest.mark.parametrize("coupling", ["faded", "overwritten"])
def test_windows_agree_in_either_way(edge: EDGE, coupling: str) -> None:
    sampling = DiffusionSampling(steps=5, coupling=coupling)  # type: ignore[arg-type]
    heard = torch.from_numpy(edge.heard_frames(edge.music(music(9))[0]))
    windows = denoise(edge.denoiser, edge._windows(heard), overlap=8, sampling=sampling)
    assert len(windows) == 4
    torch.testing.assert_close(windows[:-1, 8:], windows[1:, :8], atol=1e-6, rtol=0)


def test_what_is_held_is_seen_by_the_rest(edge: EDGE, wavy_motion: Motion) -> None:
    given = wavy_motion.cropped(0, 96)
    upper = carried_by(SMPL24, SMPL24.upper)
    one = edge.dance(music(12), held=held(given, upper))
    other = edge.dance(music(12), held=held(given.mirrored(), upper))
    knees = [SMPL24.index("left_knee"), SMPL24.index("right_hip")]
    assert not np.allclose(one.rotations[:, knees], other.rotations[:, knees])


def test_what_edge_does_not_know_is_refused(edge: EDGE, wavy_motion: Motion) -> None:
    with pytest.raises(DuendeError, match="knows no styles"):
        edge.dance(music(), style="salsa")
    with pytest.raises(DuendeError, match="knows no Sampling"):
        edge.dance(music(), sampling=Sampling())
    with pytest.raises(DuendeError, match="listens to features"):
        other = feature_set("bailando")
        edge.dance(MusicFeatures(np.zeros((4, 438), np.float32), other, Beats(np.zeros(0), np.zeros(0), 0.0)))
    with pytest.raises(DuendeError, match="nothing is left to dance"):
        held(wavy_motion, tuple(range(24)))


def test_a_folder_brings_edge_back(edge: EDGE, tmp_path: Path) -> None:
    save_pretrained(edge, tmp_path)
    loaded = from_pretrained(tmp_path)
    assert isinstance(loaded, EDGE) and loaded.config == edge.config
    np.testing.assert_array_equal(loaded.dance(music()).root, edge.dance(music()).root)


def test_configs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DuendeError, match="columns a frame"):
        replace(config(), denoiser=replace(config().denoiser, music_dimension=3))
    with pytest.raises(DuendeError, match="overlap by 1 to 8"):
        replace(config(), overlap=9)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error.splitlines()[-1]


def test_commands_tell_what_edge_does_not_know(edge: EDGE, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "edge")
    save_pretrained(edge, folder)
    dance = ["dance", "--model", folder, "--seconds", "2", "--formats", "npz", "-o", str(tmp_path / "out")]
    assert "does not know --temperature; it knows --guidance, --steps" in told(capsys, *dance, "--temperature", "1")
    assert "edge knows no styles" in told(capsys, *dance, "--style", "salsa")
    assert "do not divide" in told(capsys, *dance, "--steps", "7")
    with pytest.raises(DuendeError, match=r"this figure needs a system of pose codes .* is of edge"):
        of_codes(edge, "this figure")


def test_edge_dances_from_the_command_line(edge: EDGE, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_pretrained(edge, tmp_path / "edge")
    out = tmp_path / "out"
    dance = ["dance", "--model", str(tmp_path / "edge"), "--seconds", "3", "-o", str(out), "--formats", "npz,bvh"]
    assert main(dance) == 0
    motion = load_mocap(next(out.glob("*.npz")))
    assert motion.duration == pytest.approx(3.0, abs=0.05)
    assert main(["info", "--model", str(tmp_path / "edge"), "--layers"]) == 0
    told = capsys.readouterr().out
    assert "noise to dance" in told and "denoiser.input.weight" in told


def test_the_one_that_ships_dances() -> None:
    shipped = from_pretrained("edge")
    assert isinstance(shipped, EDGE)
    motion = shipped.dance(music(45), sampling=DiffusionSampling(steps=10), on_beat=False, clean_up=False)
    # A body that stands on the floor and moves.
    assert 0.5 < motion.root[:, 1].mean() < 1.2
    assert np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).mean() * 30 > 0.1


def test_a_config_of_no_known_system_is_told(edge: EDGE, tmp_path: Path) -> None:
    save_pretrained(edge, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"edge"', '"waltz"'))
    with pytest.raises(DuendeError, match="no system is called 'waltz'"):
        from_pretrained(tmp_path)
    path.write_text(path.read_text().replace('"waltz"', '"bailando"'))
    with pytest.raises(DuendeError, match=r"config\.json"):
        from_pretrained(tmp_path)
