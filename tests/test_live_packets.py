"""Frames over UDP and OSC, decoded by programs that share nothing with ours, each in its moment."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import numpy as np
import pytest
from live_dance import FPS, chunks_of, swaying
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.live.datagrams import DatagramSender, Schedule, resolved
from duende.live.frames import on_soles, page_records, udp_packets
from duende.live.vmc import LARGEST, VmcEncoder
from duende.motion import SMPL24
from duende.motion.chunks import MotionChunk
from duende.motion.humanoid import straightened, with_stiff_upper_chest


def degrees(first: np.ndarray, second: np.ndarray) -> float:
    turns = [Rotation.from_quat(np.asarray(turns).reshape(-1, 4)) for turns in (first, second)]
    return float(np.degrees((turns[0].inv() * turns[1]).magnitude()).max())


def test_soles_of_standing_feet_are_at_height_0() -> None:
    chunk = chunks_of(swaying(1.0))[2]
    lifted = on_soles(chunk)
    assert lifted.begin == 16
    assert np.allclose(lifted.motion.root - chunk.motion.root, [0, 0.022, 0], atol=0.003)


def test_a_record_of_the_page() -> None:
    motion = swaying(1.0)
    data = page_records(MotionChunk(70_000, motion))
    assert len(data) == 60 * 208
    for frame in (0, 59):
        number, *values = struct.unpack_from("<I3f96h", data, frame * 208)
        assert number == 70_000 + frame
        assert np.allclose(values[:3], motion.root[frame], atol=1e-6)
        assert degrees(np.array(values[3:]) / 32767, motion.rotations[frame]) < 0.01


def test_a_packet_of_udp() -> None:
    motion = swaying(0.5)
    for frame, datagrams in enumerate(udp_packets(MotionChunk(5, motion))):
        (packet,) = datagrams
        assert len(packet) == 408
        magic, number, fps, *values = struct.unpack("<4sIf3f96f", packet)
        assert (magic, number, fps) == (b"DUE1", 5 + frame, 60.0)
        assert np.allclose(values[:3], motion.root[frame], atol=1e-6)
        assert np.allclose(np.reshape(values[3:], (24, 4)), motion.rotations[frame], atol=1e-6)


# OSC 1.0, read by its specification.


def osc_string(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("ascii"), at + (end - at) // 4 * 4 + 4


def osc_message(data: bytes) -> tuple[str, list[Any]]:
    address, at = osc_string(data, 0)
    kinds, at = osc_string(data, at)
    values: list[Any] = []
    for kind in kinds[1:]:
        if kind == "s":
            text, at = osc_string(data, at)
            values.append(text)
        else:
            values.append(struct.unpack_from({"i": ">i", "f": ">f"}[kind], data, at)[0])
            at += 4
    assert at == len(data)
    return address, values


def osc_messages(bundle: bytes) -> list[tuple[str, list[Any]]]:
    assert bundle[:8] == b"#bundle\0"
    assert bundle[8:16] == b"\0\0\0\0\0\0\0\1", "to be used at once"
    messages, at = [], 16
    while at < len(bundle):
        (size,) = struct.unpack_from(">i", bundle, at)
        messages.append(osc_message(bundle[at + 4 : at + 4 + size]))
        at += 4 + size
    return messages


def received_pose(datagrams: list[bytes]) -> dict[str, list[float]]:
    """What a receiver knows after a frame: place and turn of each bone and of the root."""
    messages = [message for datagram in datagrams for message in osc_messages(datagram)]
    assert messages[0] == ("/VMC/Ext/OK", [1, 3, 0])
    assert messages[1][0] == "/VMC/Ext/T"
    assert messages[2][0] == "/VMC/Ext/Root/Pos"
    assert {address for address, _ in messages[3:]} == {"/VMC/Ext/Bone/Pos"}
    return {"time": messages[1][1], **{str(values[0]): values[1:] for _, values in messages[2:]}}


def to_our_axes(place: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, Rotation]:
    """From Unity's left-handed axes, by the mirror plane x = 0, by matrices."""
    mirror = np.diag([-1.0, 1.0, 1.0])
    return place @ mirror, Rotation.from_matrix(mirror @ Rotation.from_quat(turn).as_matrix() @ mirror)


PARENTS = {
    "Spine": "Hips", "Chest": "Spine", "UpperChest": "Chest", "Neck": "UpperChest", "Head": "Neck",
    **{f"{side}{child}": (parent if parent in ("Hips", "UpperChest") else f"{side}{parent}")
       for side in ("Left", "Right")
       for child, parent in (
           ("Shoulder", "UpperChest"), ("UpperArm", "Shoulder"), ("LowerArm", "UpperArm"), ("Hand", "LowerArm"),
           ("UpperLeg", "Hips"), ("LowerLeg", "UpperLeg"), ("Foot", "LowerLeg"), ("Toes", "Foot"))},
}  # fmt: skip
"""Of Unity's HumanBodyBones."""
JOINTS = {"LeftHand": "left_wrist", "RightHand": "right_wrist", "LeftFoot": "left_ankle", "RightToes": "right_foot",
          "Head": "head", "LeftLowerLeg": "left_knee", "RightLowerArm": "right_elbow", "Hips": "pelvis"}  # fmt: skip


def test_a_vmc_receiver_has_the_joints_where_the_dance_has_them() -> None:
    motion = swaying(0.5)
    frames = VmcEncoder()(MotionChunk(120, motion))
    assert len(frames) == len(motion)
    assert max(len(datagram) for frame in frames for datagram in frame) <= LARGEST
    exact = with_stiff_upper_chest(straightened(motion))
    for number in (0, 17, 29):
        pose = received_pose(frames[number])
        assert pose.pop("time")[0] == pytest.approx((120 + number) / FPS)
        places, turns = {}, {}
        root, turn = to_our_axes(np.array(pose["root"][:3]), np.array(pose["root"][3:7]))
        assert turn.magnitude() < 1e-6
        for name in ["Hips", *PARENTS]:
            place, turn = to_our_axes(np.array(pose[name][:3]), np.array(pose[name][3:7]))
            if name == "Hips":
                places[name], turns[name] = root + place, turn
                assert np.allclose(place[[0, 2]], 0), "the way over the floor is the root's"
                continue
            parent = PARENTS[name]
            places[name] = places[parent] + turns[parent].apply(place)
            turns[name] = turns[parent] * turn
        assert set(pose) == {"root", "Hips", *PARENTS}
        for bone, joint in JOINTS.items():
            index = SMPL24.index(joint)
            assert np.allclose(places[bone], exact.positions[number, index], atol=1e-5), bone
            # The stiff upper chest moves arms and head by millimetres, legs not at all.
            assert np.linalg.norm(places[bone] - motion.positions[number, index]) < 0.02


def test_a_dancer_at_rest_is_an_avatar_at_rest() -> None:
    rest = np.tile([0.0, 0.0, 0.0, 1.0], (1, 24, 1))
    still = straightened(swaying(0.1).cropped(0, 1))
    straight = MotionChunk(0, type(still)(rest, np.array([[0.1, 0.9, 0.2]]), 60.0))
    pose = received_pose(VmcEncoder()(straight)[0])
    assert pose["root"][:3] == pytest.approx([-0.1, 0.0, 0.2])
    assert pose["Hips"] == pytest.approx([0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 1.0], abs=1e-6)
    # Left is at -X there, and the arm of a T-pose lies along it.
    assert pose["LeftUpperLeg"][0] < 0 < pose["RightUpperLeg"][0]
    assert pose["LeftLowerArm"][1:3] == pytest.approx([0, 0], abs=1e-6)


# In their moments.


def test_frames_wait_for_their_moments_and_come_in_order() -> None:
    schedule = Schedule()
    for number in range(10):
        schedule.add(number / 10, [bytes([number])])
    assert schedule.due(-0.01) == []
    assert schedule.due(0.0) == [[b"\0"]]
    assert schedule.due(0.15) == [[b"\1"]]
    assert schedule.next() == pytest.approx(0.2)
    assert schedule.due(0.3) == [[b"\2"], [b"\3"]]
    # Long after: only the newest that is due, and those that are hardly late.
    assert schedule.due(0.85) == [[bytes([8])]]
    assert (schedule.skipped, len(schedule)) == (4, 1)
    assert schedule.due(99.0) == [[bytes([9])]], "the last frame is sent however late"
    assert schedule.next() is None


def test_a_schedule_never_grows_beyond_its_size() -> None:
    schedule = Schedule(most=5)
    for number in range(12):
        schedule.add(float(number), [bytes([number])])
    assert (len(schedule), schedule.skipped) == (5, 7)
    assert schedule.next() == 7.0


@pytest.fixture
def listener() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        handle.bind(("127.0.0.1", 0))
        handle.settimeout(10)
        yield handle


def test_each_frame_of_a_dance_is_sent_once_and_none_before_its_moment(listener: Any) -> None:
    motion, begun = swaying(0.5), time.monotonic()
    told: list[float] = []

    def moment() -> float:
        told.append(time.monotonic() - begun)
        return told[-1]

    sender = DatagramSender(f"127.0.0.1:{listener.getsockname()[1]}", "--udp", udp_packets, moment, delay=0.1)
    for chunk in chunks_of(motion):
        sender.take(chunk)
    sender.finish()
    passed = told[-1]
    sender.close()
    numbers = [struct.unpack_from("<I", listener.recv(1000), 4)[0] for _ in range(len(motion))]
    assert numbers == list(range(30))
    assert passed >= 29 / FPS + 0.1
    assert sender.measured() == {"--udp": {"sent": 30, "skipped": 0, "failed": 0}}


def test_a_sender_waits_for_the_first_sound_and_stops_at_once(listener: Any) -> None:
    sender = DatagramSender(f"127.0.0.1:{listener.getsockname()[1]}", "--udp", udp_packets, lambda: None)
    sender.take(chunks_of(swaying(0.5))[0])
    sender.close()
    assert sender.measured()["--udp"]["sent"] == 0


@pytest.mark.parametrize(
    "address", ["", "here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", ":90", "a b:x"]
)
def test_what_is_no_address_is_told_in_a_sentence(address: str) -> None:
    with pytest.raises(DuendeError, match=r"--osc .* is no address; write HOST:PORT"):
        resolved(address, "--osc")


def test_hosts_are_looked_up_once() -> None:
    assert resolved("127.0.0.1:39539", "--osc") == (socket.AF_INET, ("127.0.0.1", 39539))
    assert resolved("[::1]:9000", "--osc")[0] == socket.AF_INET6
    with pytest.raises(DuendeError, match=r"--udp nowhere\.invalid:9: this host is not known"):
        resolved("nowhere.invalid:9", "--udp")
