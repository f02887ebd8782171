# SPDX-License-Identifier: MIT
"""Blender add-on: let the selected armature dance live, to what ``duende live --udp HOST:PORT`` sends.

Each packet is one frame: joints' turns and the root's place, as docs/live.md describes it. For Blender 3.4 to 5.0.
"""

import socket
import struct
from typing import Any

import bpy
from mathutils import Quaternion, Vector

bl_info = {
    "name": "Duende: dance live",
    "author": "The duende authors",
    "version": (1, 0, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > Duende",
    "description": "Let the selected armature dance while the music plays",
    "category": "Animation",
}

PACKET = struct.Struct("<4sIf3f96f")
MAGIC = b"DUE1"
TICK = 1 / 120
"""Seconds between two looks at the network."""
HIPS_HEIGHT = 0.978
"""Metres over the floor of the dancer's hips at rest: others' ways are as much longer as theirs are higher."""
JOINTS = (
    ("pelvis", "hips"), ("left_hip", "leftUpperLeg"), ("right_hip", "rightUpperLeg"), ("spine1", "spine"),
    ("left_knee", "leftLowerLeg"), ("right_knee", "rightLowerLeg"), ("spine2", "chest"), ("left_ankle", "leftFoot"),
    ("right_ankle", "rightFoot"), ("spine3", "upperChest"), ("left_foot", "leftToes"), ("right_foot", "rightToes"),
    ("neck", "neck"), ("left_collar", "leftShoulder"), ("right_collar", "rightShoulder"), ("head", "head"),
    ("left_shoulder", "leftUpperArm"), ("right_shoulder", "rightUpperArm"), ("left_elbow", "leftLowerArm"),
    ("right_elbow", "rightLowerArm"), ("left_wrist", "leftHand"), ("right_wrist", "rightHand"), ("left_hand", ""),
    ("right_hand", ""),
)  # fmt: skip
"""Of a packet, in its order: names of a bone in duende's files, and in VRM animations."""


class UserError(Exception):
    """What the user can mend, in one sentence."""


class Receiver:
    """Listens for frames, and poses an armature as the newest of them says."""

    def __init__(self, armature: Any, host: str, port: int) -> None:
        self.armature = armature
        self.shown = -1
        self.bones = [next((armature.pose.bones[name] for name in names if name in armature.pose.bones), None)
                      for names in JOINTS]  # fmt: skip
        if self.bones[0] is None:
            raise UserError(f"{armature.name} has no bone pelvis or hips; take duende's figure, or --osc and VMC4B")
        self.rests = [bone and bone.bone.matrix_local.to_quaternion() for bone in self.bones]
        for bone in filter(None, self.bones):
            bone.rotation_mode = "QUATERNION"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.bind((host, port))
        except (OSError, OverflowError) as error:
            self.socket.close()
            raise UserError(f"cannot listen on {host}, port {port}: {error}; choose another port") from error
        self.socket.setblocking(False)

    def tick(self) -> bool:
        """Show the newest frame that has come; whether there was one."""
        newest = None
        while True:
            try:
                packet = self.socket.recv(2048)
            except BlockingIOError:
                break
            except OSError:
                return False
            if len(packet) == PACKET.size and packet[:4] == MAGIC:
                newest = PACKET.unpack(packet)
        if newest is None:
            return False
        self.show(newest[1], newest[3:6], newest[6:])
        return True

    def show(self, number: int, root: tuple[float, ...], turns: tuple[float, ...]) -> None:
        """Pose the armature as a frame says."""
        self.shown = number
        for joint, (bone, rest) in enumerate(zip(self.bones, self.rests, strict=True)):
            if bone is not None:
                x, y, z, w = turns[joint * 4 : joint * 4 + 4]
                # Blender's Z is up, ours is Y; a bone's turn is told in its own axes at rest.
                bone.rotation_quaternion = rest.inverted() @ Quaternion((w, x, -z, y)) @ rest
        hips = self.bones[0]
        head = hips.bone.head_local
        scale = head.z / HIPS_HEIGHT if head.z > 0 else 1.0
        place = Vector((root[0], -root[2], root[1])) * scale
        hips.location = self.rests[0].inverted() @ (place - head)

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()


class Listening:
    """The one receiver, while there is one."""

    receiver: Receiver | None = None


def tick() -> float | None:
    """Look at the network, called by Blender's timer; None ends the timer."""
    receiver = Listening.receiver
    if receiver is None:
        return None
    try:
        receiver.tick()
    except ReferenceError:
        # The armature was deleted.
        stop()
        return None
    return TICK


def stop() -> None:
    """Let go of the armature and the network."""
    if Listening.receiver is not None:
        Listening.receiver.close()
        Listening.receiver = None


class DuendeLiveSettings(bpy.types.PropertyGroup):
    """Where frames come in, kept in the scene."""

    host: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Host", default="127.0.0.1", description="Address to listen on; 0.0.0.0 hears other machines too"
    )
    port: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Port", default=9750, min=1, max=65535, description="Port that duende live --udp HOST:PORT names"
    )


class DUENDE_OT_live(bpy.types.Operator):  # noqa: N801
    """Let the selected armature dance as duende live sends it, or stop"""

    bl_idname = "duende.live"
    bl_label = "Dance live"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin, or end what goes on."""
        if Listening.receiver is not None:
            stop()
            return {"FINISHED"}
        armature, settings = context.object, context.scene.duende_live
        if armature is None or armature.type != "ARMATURE":
            self.report({"ERROR"}, "select an armature first, such as that of a .glb file by duende")
            return {"CANCELLED"}
        try:
            Listening.receiver = Receiver(armature, settings.host, settings.port)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        bpy.app.timers.register(tick)
        return {"FINISHED"}


class DUENDE_PT_live(bpy.types.Panel):  # noqa: N801
    """The panel in the 3D view's sidebar"""

    bl_label = "Duende live"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Duende"

    def draw(self, context: bpy.types.Context) -> None:
        """Show where frames come in, and the button."""
        layout, receiver = self.layout, Listening.receiver
        layout.use_property_split, layout.use_property_decorate = True, False
        for name in ("host", "port"):
            layout.prop(context.scene.duende_live, name)
        icon = "PLAY" if receiver is None else "PAUSE"
        layout.operator("duende.live", text="Dance live" if receiver is None else "Stop", icon=icon)


CLASSES = (DuendeLiveSettings, DUENDE_OT_live, DUENDE_PT_live)


def register() -> None:
    """Add panel, operator and settings."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.duende_live = bpy.props.PointerProperty(type=DuendeLiveSettings)


def unregister() -> None:
    """Stop, and take them away again."""
    stop()
    del bpy.types.Scene.duende_live
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
