# SPDX-License-Identifier: MIT
"""Blender add-on: let the selected character dance to a song.

The program ``duende`` makes the dance, in a process of its own. It is given the character as a .glb file and gives back
that file with a dance on its bones; this add-on puts the dance's keys on the armature and the song under it. For
Blender 3.4 to 5.0.
"""

import contextlib
import json
import os
import queue
import shlex
import shutil
import struct
import subprocess
import tempfile
import threading
import time
from bisect import bisect_right
from itertools import pairwise
from typing import Any

import bpy
from mathutils import Quaternion, Vector

bl_info = {
    "name": "Duende: dance to a song",
    "author": "The duende authors",
    "version": (1, 0, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > Duende",
    "description": "Let the selected character dance to a song",
    "category": "Animation",
}

STRIP = "Duende song"
SHOWN = ("song", "start", "seconds", "seed", "style", "clean_up")
SHOWN += ("first_frame", "keep_rate", "keep_pose", "bones", "more")
"""Settings in the order of the panel."""
WAIT = 0.2
"""Seconds between two looks at what the program says."""
COMPONENTS = {5120: "b", 5121: "B", 5122: "h", 5123: "H", 5125: "I", 5126: "f"}
"""glTF's numbers for kinds of values, as struct has them."""
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}

Rest = dict[str, tuple[Vector, Quaternion]]
"""Where each node lies in its parent, by name."""
Curves = dict[tuple[str, str], tuple[list[float], list[Any]]]
"""By a node's name and ``rotation`` or ``translation``: seconds and values of the keys."""


class UserError(Exception):
    """What the user can mend, in one sentence."""


# The figure and its dance as glTF files.


def read_glb(path: str) -> tuple[dict[str, Any], bytes]:
    """Read a binary glTF file: its JSON and its data."""
    with open(path, "rb") as file:  # noqa: PTH123
        data = file.read()
    if data[:4] != b"glTF":
        raise UserError(f"{path} is not a binary glTF file")
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def array_of(document: dict[str, Any], binary: bytes, accessor: int) -> list[tuple[float, ...]]:
    """The rows of values that an accessor points to."""
    entry = document["accessors"][accessor]
    view = document["bufferViews"][entry["bufferView"]]
    row = struct.Struct("<" + COMPONENTS[entry["componentType"]] * WIDTHS[entry["type"]])
    start, step = view.get("byteOffset", 0) + entry.get("byteOffset", 0), view.get("byteStride", row.size)
    return [row.unpack_from(binary, start + step * index) for index in range(entry["count"])]


def turn(values: Any) -> Quaternion:
    """A glTF rotation (x, y, z, w) as Blender has it (w, x, y, z).

    Blender writes each bone's frame as it is and turns only the frame of the whole armature to Y up, so that a bone's
    rest and its dance differ by the same turn here as there.
    """
    x, y, z, w = values
    return Quaternion((w, x, y, z))


def rest_of(path: str) -> Rest:
    """Where each node of a file lies in its parent, by name."""
    nodes = read_glb(path)[0].get("nodes", [])
    return {
        node.get("name", ""): (Vector(node.get("translation", (0, 0, 0))), turn(node.get("rotation", (0, 0, 0, 1))))
        for node in nodes
    }


def dance_of(path: str) -> Curves:
    """Keys of a file's first animation: by node name and ``rotation`` or ``translation``, seconds and values."""
    document, binary = read_glb(path)
    if not document.get("animations"):
        raise UserError("duende wrote a file without a dance; bring duende up to date")
    animation, keys = document["animations"][0], {}
    for channel in animation["channels"]:
        kind = channel["target"]["path"]
        if kind not in ("rotation", "translation"):
            continue
        sampler = animation["samplers"][channel["sampler"]]
        times = [row[0] for row in array_of(document, binary, sampler["input"])]
        convert = turn if kind == "rotation" else Vector
        values = [convert(row) for row in array_of(document, binary, sampler["output"])]
        keys[document["nodes"][channel["target"]["node"]].get("name", ""), kind] = (times, values)
    return keys


def rate_of(dance: Curves) -> float:
    """Frames a second of the curve that has most keys; whole where it is so but for rounding."""
    times = max((times for times, _ in dance.values()), key=len)
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 60.0
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 else rate


def value_at(times: list[float], values: list[Any], second: float) -> Any:
    """What a curve is at a second: a key's own value within a tenth of a millisecond of it."""
    before = min(max(bisect_right(times, second + 1e-4) - 1, 0), len(times) - 1)
    after = min(before + 1, len(times) - 1)
    gap = times[after] - times[before]
    share = (second - times[before]) / gap if gap > 0 else 0.0
    if share < 1e-4 / max(gap, 1e-4):
        return values[before]
    first, second_value = values[before], values[after]
    return first.slerp(second_value, share) if isinstance(first, Quaternion) else first.lerp(second_value, share)


# The armature and its keys.


def chosen_armature(context: bpy.types.Context) -> Any:
    """The active armature, or the one that bends the active mesh; None for neither."""
    active = context.active_object
    if active is None or not active.select_get():
        return None
    if active.type == "ARMATURE":
        return active
    found = active.find_armature()
    return found if found is not None else None


def export_character(context: bpy.types.Context, armature: Any, path: str) -> None:
    """Write the armature in its rest pose, with the meshes that it bends, as a .glb file; leave all as it was."""
    view = context.view_layer
    selected, active, position = list(context.selected_objects), view.objects.active, armature.data.pose_position
    bent = [thing for thing in view.objects if thing.type == "MESH" and thing.find_armature() == armature]
    if not bent:
        raise UserError(f"{armature.name} bends no mesh; give it the character's mesh (Parent, Automatic Weights)")
    try:
        armature.data.pose_position = "REST"
        for thing in selected:
            thing.select_set(False)
        for thing in [armature, *bent]:
            thing.select_set(True)
        view.objects.active = armature
        bpy.ops.export_scene.gltf(
            filepath=path, export_format="GLB", use_selection=True, export_animations=False, export_materials="NONE"
        )
    except (RuntimeError, ImportError) as error:
        raise UserError(gltf_trouble(str(error))) from error
    finally:
        armature.data.pose_position = position
        for thing in [armature, *bent]:
            thing.select_set(thing in selected)
        for thing in selected:
            thing.select_set(True)
        view.objects.active = active


def gltf_trouble(said: str) -> str:
    """Blender's own words, and what to do where they are known."""
    if "numpy" in said:
        return "Blender's glTF add-on lacks numpy; install it for Blender's Python (Debian: python3-numpy)"
    last = [line for line in said.splitlines() if line.strip() and not line.startswith("Location")]
    return f"Blender's glTF add-on says: {last[-1].strip() if last else 'no reason given'}"


def new_curves(armature: Any, name: str) -> Any:
    """Give the armature an empty action of its own; return the place for curves, which Blender 4.4 moved."""
    data = armature.animation_data_create()
    action = bpy.data.actions.new(name)
    if not hasattr(action, "slots"):
        data.action = action
        return action.fcurves
    slot = action.slots.new("OBJECT", armature.name)
    strip = action.layers.new("Dance").strips.new(type="KEYFRAME")
    data.action, data.action_slot = action, slot
    return strip.channelbag(slot, ensure=True).fcurves


def add_curves(curves: Any, path: str, first: int, rows: list[Any]) -> None:
    """Add a curve for each component of ``rows``, a key at each frame from ``first``, straight lines between."""
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
    for index in range(len(rows[0])):
        curve = curves.new(path, index=index)
        curve.keyframe_points.add(len(rows))
        flat = [value for frame, row in enumerate(rows, first) for value in (frame, row[index])]
        curve.keyframe_points.foreach_set("co", flat)
        curve.keyframe_points.foreach_set("interpolation", [linear] * len(rows))
        curve.update()


def put_keys(armature: Any, rest: Rest, dance: Curves, frames: int, rate: float, first: int, name: str) -> None:
    """Put a dance on the armature, as a new action; the old one stays in the file.

    Args:
        armature: whose bones have the names of the nodes.
        rest: where the nodes lie in their parents when the armature is at rest.
        dance: their keys.
        frames: of the dance.
        rate: frames a second of the scene.
        first: frame of the scene at which the dance begins.
        name: of the action.
    """
    ours = {key: keys for key, keys in dance.items() if key[0] in armature.pose.bones and key[0] in rest}
    if not ours:
        raise UserError(f"the dance moves none of the bones of {armature.name}")
    curves = new_curves(armature, name)
    for (bone, kind), (times, values) in ours.items():
        location, rotation = rest[bone]
        back = rotation.inverted()
        sampled = [value_at(times, values, frame / rate) for frame in range(frames)]
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].'
        if kind == "rotation":
            armature.pose.bones[bone].rotation_mode = "QUATERNION"
            add_curves(curves, path + "rotation_quaternion", first, continuous([back @ value for value in sampled]))
        else:
            add_curves(curves, path + "location", first, [back @ (value - location) for value in sampled])


def rest_others(armature: Any, dance: Curves) -> None:
    """Put bones that have no keys to rest: the dance was made for a body whose head, hands and toes lie as at rest."""
    for bone in armature.pose.bones:
        if not any((bone.name, kind) in dance for kind in ("rotation", "translation")):
            bone.matrix_basis.identity()


def continuous(turns: list[Quaternion]) -> list[Quaternion]:
    """Choose signs so that neighbours lie on the same side: curves are interpolated number by number."""
    for before, after in pairwise(turns):
        if before.dot(after) < 0:
            after.negate()
    return turns


def import_mannequin(scene: Any, danced: str, first: int) -> Any:
    """Import duende's own figure with its dance, whose first pose comes at frame ``first``; return its armature."""
    before = set(bpy.data.objects)
    try:
        bpy.ops.import_scene.gltf(filepath=danced)
    except (RuntimeError, ImportError) as error:
        raise UserError(gltf_trouble(str(error))) from error
    armature = next(thing for thing in bpy.data.objects if thing not in before and thing.type == "ARMATURE")
    for curve in curves_of(armature.animation_data.action):
        values = [0.0] * (2 * len(curve.keyframe_points))
        curve.keyframe_points.foreach_get("co", values)
        # The importer puts the start at frame 0, knows whole frame rates only, and is a little off whole frames.
        values[::2] = [round(value / scene.render.fps_base, 3) + first for value in values[::2]]
        curve.keyframe_points.foreach_set("co", values)
        curve.update()
    return armature


def curves_of(action: Any) -> list[Any]:
    """All curves of an action, wherever this Blender keeps them."""
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]


def held_elsewhere(armature: Any) -> list[str]:
    """Bones that something else moves too, so that keys alone do not decide where they are."""
    return [bone.name for bone in armature.pose.bones if any(not held.mute for held in bone.constraints)]


# The scene.


def set_rate(scene: Any, rate: float) -> None:
    """Give the scene a frame rate, which need not be whole."""
    scene.render.fps, scene.render.fps_base = round(rate), round(rate) / rate


def rate_of_scene(scene: Any) -> float:
    """Frames a second."""
    return float(scene.render.fps / scene.render.fps_base)


def add_song(scene: Any, song: str, start: float, first: int, frames: int) -> Any:
    """Put the song into the sequencer in place of the one before: from its second ``start``, as long as the dance."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    for strip in [strip for strip in strips if strip.name.startswith(STRIP)]:
        strips.remove(strip)
    channel = 1 + max((strip.channel for strip in strips), default=0)
    before = round(start * rate_of_scene(scene))
    strip = strips.new_sound(STRIP, song, channel, first - before)
    strip.frame_offset_start = before
    strip.frame_final_duration = min(strip.frame_final_duration, frames) or frames
    return strip


# The program duende.


class Work:
    """The program at work: started at once, looked at now and then, ended when it is no longer wanted.

    Attributes:
        said: the last line that it said.
    """

    def __init__(self, command: list[str]) -> None:
        self.said = ""
        self.started = time.monotonic()
        self._lines: queue.Queue[str] = queue.Queue()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise UserError(
                f"{command[0]} cannot be started ({error.strerror}); see the add-on's preferences"
            ) from error
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(line)

    def done(self) -> bool:
        """Whether it has ended well; meanwhile read what it says.

        Raises:
            UserError: it ended with an error, in its own words.
        """
        ended = self._process.poll()
        with contextlib.suppress(queue.Empty):
            # Having ended, it may still have words on the way.
            while line := self._lines.get(timeout=WAIT if ended is not None else 0.001):
                self.said = line.strip() or self.said
        if ended:
            raise UserError(self.said.removeprefix("duende: ") or f"duende ended with status {ended}")
        return ended == 0

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
        if self._process.poll() is None:
            self._process.kill()


class Dance:
    """One dance from button to keys."""

    def __init__(self, context: bpy.types.Context) -> None:
        settings = context.scene.duende
        self.song = bpy.path.abspath(settings.song)
        if not settings.song:
            raise UserError("choose a song first")
        if not os.path.isfile(self.song):  # noqa: PTH113
            raise UserError(f"there is no song {self.song}; choose another file")
        armature = chosen_armature(context)
        # By name: an undo meanwhile would leave a reference that points nowhere.
        self.dancer = armature.name if armature is not None else None
        self.start, self.first = settings.start, settings.first_frame
        self.keep_rate, self.keep_pose = settings.keep_rate, settings.keep_pose
        program = program_path(context)
        self.folder = tempfile.mkdtemp(prefix="duende-")
        self.out = os.path.join(self.folder, "out")  # noqa: PTH118
        self.character = os.path.join(self.folder, "character.glb")  # noqa: PTH118
        try:
            if armature is not None:
                with object_mode(context):
                    export_character(context, armature, self.character)
            self.work = Work(self._command(program, settings))
        except Exception:
            self.close()
            raise

    def _command(self, program: str, settings: Any) -> list[str]:
        command = [program, "dance", self.song, "--formats", "glb", "-o", self.out, "--seed", str(settings.seed)]
        if self.start > 0:
            command += ["--start", f"{self.start:g}"]
        if settings.seconds > 0:
            command += ["--seconds", f"{settings.seconds:g}"]
        if settings.style.strip():
            command += ["--style", settings.style.strip()]
        if not settings.clean_up:
            command.append("--no-clean-up")
        if self.dancer is not None:
            command += ["--character", self.character]
            if settings.bones:
                command += ["--bones", bpy.path.abspath(settings.bones)]
        try:
            return command + shlex.split(settings.more)
        except ValueError as error:
            raise UserError(f"more options: {error}; write them as on the command line") from error

    def finish(self, context: bpy.types.Context) -> str:
        """Take up what the program has made; return a sentence about it."""
        written = [name for name in os.listdir(self.out) if name.endswith(".glb")]  # noqa: PTH208
        if not written:
            raise UserError("duende wrote no .glb file; bring duende up to date")
        danced, title = os.path.join(self.out, written[0]), os.path.splitext(written[0])[0]  # noqa: PTH118, PTH122
        scene, dance = context.scene, dance_of(danced)
        armature = scene.objects.get(self.dancer) if self.dancer is not None else None
        if self.dancer is not None and (armature is None or armature.type != "ARMATURE"):
            raise UserError(f"{self.dancer} is no longer in the scene; select a character and try again")
        before = rate_of_scene(scene)
        rate = before if self.keep_rate else rate_of(dance)
        frames = int(max(times[-1] for times, _ in dance.values()) * rate + 1e-3) + 1
        if not self.keep_rate:
            set_rate(scene, rate)
        try:
            with object_mode(context):
                if armature is None:
                    armature = import_mannequin(scene, danced, self.first)
                else:
                    put_keys(armature, rest_of(self.character), dance, frames, rate, self.first, title)
                    if not self.keep_pose:
                        rest_others(armature, dance)
        except Exception:
            if not self.keep_rate:
                set_rate(scene, before)
            raise
        scene.frame_start, scene.frame_end = self.first, self.first + frames - 1
        # Playing leaves out frames rather than lag behind the song.
        scene.sync_mode = "AUDIO_SYNC"
        sentence = f"{armature.name} dances {frames} frames"
        try:
            add_song(scene, self.song, self.start, self.first, frames)
        except RuntimeError:
            sentence += "; this Blender cannot play the song"
        scene.frame_set(self.first)
        held = held_elsewhere(armature)
        return sentence + (f"; constraints also move {len(held)} of its bones, such as {held[0]}" if held else "")

    def close(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "work"):
            self.work.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def object_mode(context: bpy.types.Context) -> Any:
    """Leave pose and edit mode for a while."""
    active = context.view_layer.objects.active
    mode = active.mode if active is not None else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        if mode != "OBJECT" and context.view_layer.objects.active == active:
            bpy.ops.object.mode_set(mode=mode)


def program_path(context: bpy.types.Context) -> str:
    """The program duende: that of the preferences, else the one on the path."""
    entry = context.preferences.addons.get(__name__)
    named = bpy.path.abspath(entry.preferences.program) if entry is not None else ""
    found = shutil.which(named or "duende")
    if found is None:
        raise UserError(
            f"there is no program {named}; correct its path in the add-on's preferences"
            if named
            else "the program duende is not on the path; give it in the add-on's preferences"
        )
    return found


# What the user sees.


class DuendePreferences(bpy.types.AddonPreferences):
    """Where the program is."""

    bl_idname = __name__

    program: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Program duende", subtype="FILE_PATH", description="Path of the program duende; empty: found on the path"
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Show the path."""
        self.layout.prop(self, "program")


class DuendeSettings(bpy.types.PropertyGroup):
    """What a dance is asked for, kept in the scene."""

    song: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Song", subtype="FILE_PATH", description="wav, mp3, ogg, flac, m4a, or a video with sound"
    )
    start: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Start", min=0.0, default=0.0, description="Second of the song at which the dance begins"
    )
    seconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Seconds", min=0.0, default=0.0, description="How long to dance; 0: to the end of the song"
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed", min=0, default=0, description="Another number gives another dance"
    )
    style: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Style", description="A style that the model knows (see: duende info); empty: the music decides"
    )
    keep_pose: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep other bones",
        default=False,
        description="Leave bones that the dance does not move, such as fingers, as they are; else they go to rest",
    )
    clean_up: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Clean up", default=True, description="Plant the feet and take out trembling"
    )
    bones: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bones", subtype="FILE_PATH", description="YAML list of bones, where their names are not known"
    )
    more: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="More options", description="Other options of duende dance, as on the command line"
    )
    first_frame: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="First frame", default=1, description="Where the dance and the song begin"
    )
    keep_rate: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep frame rate", default=False, description="Do not give the scene the dance's frame rate"
    )


class DUENDE_OT_dance(bpy.types.Operator):  # noqa: N801
    """Let the selected character dance, or bring in duende's own figure where none is selected"""

    bl_idname = "duende.dance"
    bl_label = "Dance"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def invoke(self, context: bpy.types.Context, event: Any) -> set[str]:
        """Start the program and come back to it now and then."""
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(WAIT, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it all at once, for scripts without a window."""
        if not self._start(context):
            return {"CANCELLED"}
        try:
            while not self._dance.work.done():
                time.sleep(WAIT)
        except UserError as error:
            return self._end(context, str(error), "ERROR")
        return self._finish(context)

    def modal(self, context: bpy.types.Context, event: Any) -> set[str]:
        """Tell what goes on; take the dance up when it is done; stop at Escape."""
        if event.type == "ESC":
            return self._end(context, "stopped", "INFO")
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            if self._dance.work.done():
                return self._finish(context)
        except UserError as error:
            return self._end(context, str(error), "ERROR")
        work = self._dance.work
        seconds = time.monotonic() - work.started
        context.workspace.status_text_set(f"Duende: {work.said or 'starting'} ({seconds:.0f} s; Esc stops)")
        return {"RUNNING_MODAL"}

    def _start(self, context: bpy.types.Context) -> bool:
        self._timer = None
        try:
            self._dance = Dance(context)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return False
        return True

    def _finish(self, context: bpy.types.Context) -> set[str]:
        try:
            sentence = self._dance.finish(context)
        except UserError as error:
            return self._end(context, str(error), "ERROR")
        except (LookupError, OSError, ValueError, struct.error) as error:
            return self._end(context, f"the dance cannot be read ({error}); bring duende up to date", "ERROR")
        return self._end(context, sentence, "INFO", {"FINISHED"})

    def _end(
        self, context: bpy.types.Context, sentence: str, kind: str, result: set[str] = frozenset({"CANCELLED"})
    ) -> set[str]:
        self._dance.close()
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.workspace.status_text_set(None)
        self.report({kind}, sentence)
        return set(result)


class DUENDE_PT_panel(bpy.types.Panel):  # noqa: N801
    """The panel in the 3D view's sidebar"""

    bl_label = "Duende"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Duende"

    def draw(self, context: bpy.types.Context) -> None:
        """Show what a dance is asked for, whom it is for, and the button."""
        layout, settings = self.layout, context.scene.duende
        layout.use_property_split, layout.use_property_decorate = True, False
        for name in SHOWN:
            layout.prop(settings, name)
        armature = chosen_armature(context)
        layout.label(text=f"Dancer: {armature.name if armature else 'a new figure'}", icon="ARMATURE_DATA")
        layout.operator("duende.dance", icon="PLAY")


CLASSES = (DuendePreferences, DuendeSettings, DUENDE_OT_dance, DUENDE_PT_panel)


def register() -> None:
    """Add panel, operator and settings."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.duende = bpy.props.PointerProperty(type=DuendeSettings)


def unregister() -> None:
    """Take them away again."""
    del bpy.types.Scene.duende
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
