"""The live add-on in the real Blender: packets over UDP move duende's own figure to where the dance has it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from live_dance import chunks_of, swaying
from test_blender import blender, constants, inside_blender  # noqa: F401

from duende.formats.glb import write_glb
from duende.live.frames import on_soles, udp_packets
from duende.motion import SMPL24

SCRIPT = """
import json, socket, sys
sys.path[:0] = [ADDONS, SCRIPTS]
import bpy
import duende_live
from inside import import_gltf

bpy.ops.wm.read_factory_settings(use_empty=True)
duende_live.register()
bpy.context.scene.duende_live.port = PORT
report = {"said": [], "heads": []}

def live():
    try:
        bpy.ops.duende.live()
    except RuntimeError as error:
        report["said"].append(str(error).strip())

live()
import_gltf(FIGURE)
armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
armature.animation_data_clear()
bpy.context.view_layer.objects.active = armature
taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taken.bind(("127.0.0.1", PORT))
live()
taken.close()
live()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for packet in json.load(open(PACKETS)):
    for data in (b"nonsense", bytes.fromhex(packet)):
        sender.sendto(data, ("127.0.0.1", PORT))
    while not duende_live.Listening.receiver.tick():
        pass
    bpy.context.view_layer.update()
    heads = [armature.matrix_world @ armature.pose.bones[name].head for name in NAMES]
    report["heads"].append([[head.x, head.z, -head.y] for head in heads])
assert duende_live.tick() == duende_live.TICK
live()
assert duende_live.tick() is None
duende_live.unregister()
json.dump(report, open(REPORT, "w"))
"""


@pytest.mark.blender
def test_the_figure_dances_live_in_blender(blender: str, tmp_path: Path) -> None:  # noqa: F811
    motion = swaying(0.4)
    write_glb(motion, tmp_path / "figure.glb")
    chunks = [on_soles(chunk) for chunk in chunks_of(motion)]
    packets = [frame[0].hex() for chunk in chunks for frame in udp_packets(chunk)]
    (tmp_path / "packets.json").write_text(json.dumps(packets))
    values: dict[str, object] = {
        "PORT": 9751,
        "FIGURE": str(tmp_path / "figure.glb"),
        "PACKETS": str(tmp_path / "packets.json"),
        "NAMES": SMPL24.names[:22],
    }
    report = inside_blender(blender, values, SCRIPT, tmp_path)
    assert report["said"][0] == "Error: select an armature first, such as that of a .glb file by duende"
    assert report["said"][1].startswith("Error: cannot listen on 127.0.0.1, port 9751")
    expected = np.concatenate([chunk.motion.positions for chunk in chunks])[:, :22]
    assert np.linalg.norm(np.array(report["heads"]) - expected, axis=-1).max() < 0.001


def test_the_documented_receiver_reads_what_is_sent(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "live.md").read_text(encoding="utf-8")
    program = next(part for part in text.split("```python\n")[1:] if "recv" in part).split("```")[0]
    assert len(program.strip().splitlines()) <= 15
    shortened = program.replace("while True:", "for _ in range(2):").replace("9750", "9752")
    running = subprocess.Popen([sys.executable, "-c", shortened], stdout=subprocess.PIPE, text=True)
    packets = udp_packets(chunks_of(swaying(0.2))[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while running.poll() is None:
            for (packet,) in packets:
                sender.sendto(packet, ("127.0.0.1", 9752))
            time.sleep(0.05)
    assert running.stdout is not None
    lines = running.stdout.read().splitlines()
    assert running.returncode == 0
    assert len(lines) == 2
