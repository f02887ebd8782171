"""The straightforward loops that rows of the table are compared with: one code, one frame, one joint at a time."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from benchmarks.metrics import plain_fast_wrist, plain_kinetic
from duende.audio.handcrafted import OCTAVES, RATES
from duende.audio.song import Song
from duende.models.gpt import CrossConditionalGPT
from duende.models.reach import Reach
from duende.motion import Motion
from duende.motion.inverse_kinematics import fit_rotations
from duende.motion.timing import PASSES
from duende.systems.expressive_bailando import ExpressiveBailando

QUESTIONS = 32
"""Geometric features, of which one is written out as a plain loop."""
PLACINGS = 9
"""How often the clean-up places all joints."""


@torch.inference_mode()
def recomputed_codes(gpt: CrossConditionalGPT, music: torch.Tensor, steps: int, candidates: int = 1) -> None:
    """Recompute the whole window for every code, of so many candidates."""
    codes = torch.zeros(candidates, steps + 1, 2, dtype=torch.long, device=music.device)
    music, window = music.expand(candidates, -1, -1), gpt.config.window
    for step in range(steps):
        first = max(0, step + 1 - window)
        past = codes[:, first : step + 1]
        logits = gpt(music[:, first : step + 1], past[..., 0], past[..., 1])
        codes[:, step + 1, 0] = logits.upper[:, -1].argmax(-1)
        codes[:, step + 1, 1] = logits.lower[:, -1].argmax(-1)


@torch.inference_mode()
def decoded_code_by_code(dancer: ExpressiveBailando, codes: np.ndarray, count: int, reach: Reach) -> None:
    """Decode each of ``count`` codes with those around it that it depends on."""
    both = torch.as_tensor(codes, dtype=torch.long, device=dancer.device)
    for place in range(count):
        dancer.channels(both[None, max(0, place - reach.before) : place + reach.after + 1])


def fitted_frame_by_frame(positions: np.ndarray, fps: float) -> None:
    """Fit the rotations of two frames at a time: of one nothing can be told about how it turns."""
    for frame in range(len(positions) - 1):
        fit_rotations(positions[frame : frame + 2], fps)


def cleaned_frame_by_frame(motion: Motion) -> None:
    """What the clean-up does most: places joints, goes between rotations, and weighs which foot stands."""
    costs = np.random.default_rng(0).random((len(motion), 4))
    for _ in range(PLACINGS):
        for rotations, root in zip(motion.rotations, motion.root, strict=True):
            _placed(rotations, root, motion)
    for _ in range(PASSES + 1):
        for before, after in zip(motion.rotations[:-1], motion.rotations[1:], strict=True):
            for first, second in zip(Rotation.from_quat(before), Rotation.from_quat(after), strict=True):
                first * Rotation.from_rotvec((first.inv() * second).as_rotvec() * 0.5)
    for _ in range(PASSES):
        best = costs[0]
        for cost in costs[1:]:
            best = np.array([min(best[i] + 2.5 * (i != j) for i in range(4)) for j in range(4)]) + cost


def _placed(rotations: np.ndarray, root: np.ndarray, motion: Motion) -> list[np.ndarray]:
    world: list[Rotation] = []
    places: list[np.ndarray] = []
    for joint, parent in enumerate(motion.skeleton.parents):
        turn = Rotation.from_quat(rotations[joint])
        world.append(turn if parent < 0 else world[parent] * turn)
        offset = motion.skeleton.offsets[joint]
        places.append(root if parent < 0 else places[parent] + world[parent].apply(offset))
    return places


def measured_frame_by_frame(positions: np.ndarray) -> None:
    """Kinetic and geometric features of one dance."""
    plain_kinetic(positions)
    for _ in range(QUESTIONS):
        plain_fast_wrist(positions)


def heard_by_librosa(song: Song, name: str) -> None:
    """The same families as our handcrafted features, by librosa; raises ImportError where it is not installed."""
    import librosa

    rate, octaves = RATES[name], OCTAVES[name]
    sound = librosa.resample(song.samples, orig_sr=song.rate, target_sr=rate)
    harmonic, percussive = librosa.effects.hpss(sound)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=sound, sr=rate), ref=np.max)
    librosa.feature.delta(librosa.feature.mfcc(S=mel), width=3)
    librosa.feature.chroma_cqt(y=harmonic, sr=rate, n_octaves=octaves)
    onset = librosa.onset.onset_strength(y=percussive, sr=rate, aggregate=np.median)
    librosa.feature.tempogram(onset_envelope=onset, sr=rate)


def beats_by_librosa(song: Song) -> None:
    """Beats without downbeats; raises ImportError where librosa is not installed."""
    import librosa

    librosa.beat.beat_track(y=librosa.resample(song.samples, orig_sr=song.rate, target_sr=22_050), sr=22_050)
