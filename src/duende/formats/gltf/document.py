"""A binary glTF file (``.glb``, ``.vrm``, ``.vrma``): its JSON and the arrays that the JSON points to.

Layouts and numbers are those of the glTF 2.0 specification (Khronos, section 4.4 for GLB, 3.6 for accessors).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from duende.errors import DuendeError
from duende.files import replacing

MAGIC, VERSION = b"glTF", 2
JSON_CHUNK, BINARY_CHUNK = b"JSON", b"BIN\x00"
MESHOPT = "EXT_meshopt_compression"
MOST_BYTES = 512 * 2**20
"""Larger files are refused: no viewer of characters opens them, and they are read whole."""
COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
COMPONENT_OF = {np.dtype(kind): number for number, kind in COMPONENTS.items()}
SHAPES: dict[str, tuple[int, ...]] = {
    "SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT2": (2, 2), "MAT3": (3, 3), "MAT4": (4, 4),
}  # fmt: skip
VERTICES, INDICES = 34962, 34963
"""Buffer view targets: vertex attributes, and triangles' indices."""


@dataclass
class Document:
    """A glTF scene that is being read or built.

    Attributes:
        json: the file's JSON, as the specification names it.
        binary: the buffer that the accessors point into.
    """

    json: dict[str, Any]
    binary: bytearray = field(default_factory=bytearray)

    def add(self, group: str, entry: dict[str, Any]) -> int:
        """Append an entry to a top-level array such as ``"nodes"`` and return its index."""
        entries = self.json.setdefault(group, [])
        entries.append(entry)
        return len(entries) - 1

    def add_array(self, values: np.ndarray, kind: str, target: int | None = None, bounds: bool = False) -> int:
        """Append an array and return the index of its accessor.

        Args:
            values: ``(N, ...)`` of a type that glTF knows (:data:`COMPONENTS`); matrices ``(N, 4, 4)`` as mathematics
                writes them, they are stored column by column.
            kind: ``"SCALAR"``, ``"VEC3"``, ``"MAT4"`` and so on.
            target: :data:`VERTICES` or :data:`INDICES` for what a mesh is drawn from.
            bounds: also store least and largest values, which positions and times of keys must have.
        """
        values = np.asarray(values)
        if kind.startswith("MAT"):
            values = values.swapaxes(-1, -2)
        self.binary.extend(b"\x00" * (-len(self.binary) % 4))
        raw = np.ascontiguousarray(values).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(raw)}
        if target is not None:
            view["target"] = target
        self.binary.extend(raw)
        accessor: dict[str, Any] = {
            "bufferView": self.add("bufferViews", view),
            "componentType": COMPONENT_OF[values.dtype],
            "count": len(values),
            "type": kind,
        }
        if bounds:
            flat = values.reshape(len(values), -1)
            accessor["min"], accessor["max"] = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
        return self.add("accessors", accessor)

    def array(self, accessor: int) -> np.ndarray:
        """Return what an accessor holds: ``(N, ...)``, normalised integers as float32.

        Raises:
            DuendeError: it points outside the file, or its values are compressed or sparse.
        """
        try:
            entry = self.json["accessors"][accessor]
            kind, shape = np.dtype(COMPONENTS[entry["componentType"]]), SHAPES[entry["type"]]
            if "sparse" in entry or "bufferView" not in entry:
                raise DuendeError("the file holds sparse or compressed arrays; export it without compression")
            view = self.json["bufferViews"][entry["bufferView"]]
            size = kind.itemsize * int(np.prod(shape, dtype=int))
            stride = view.get("byteStride", size)
            start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
            count = entry["count"]
            if view.get("buffer", 0) != 0 or start + stride * (count - 1) + size > len(self.binary):
                raise IndexError("past the end of the file's data")
            rows = np.lib.stride_tricks.as_strided(
                np.frombuffer(self.binary, np.uint8)[start:], (count, size), (stride, 1), writeable=False
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DuendeError(f"array {accessor} of the file is damaged ({error}); export it again") from error
        values = np.ascontiguousarray(rows).view(kind).reshape(count, *shape)
        if entry["type"].startswith("MAT"):
            values = values.swapaxes(-1, -2)
        if entry.get("normalized") and kind.kind in "iu":
            values = np.maximum(values.astype(np.float32) / float(np.iinfo(kind.type).max), -1.0)
        return np.asarray(values)


def read_document(path: str | Path) -> Document:
    """Read a binary glTF file.

    Raises:
        DuendeError: the file is missing, too large, cut short, or something else than binary glTF.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DuendeError(
                f"{path} has {size / 2**20:.0f} MiB, at most {MOST_BYTES // 2**20} are read; "
                "export it with smaller textures"
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise DuendeError(f"no file {path}; check the name") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DuendeError(f"{path} cannot be read ({reason}); check its name and permissions") from error
    if data[:4] != MAGIC:
        raise DuendeError(f"{path} is not a binary glTF file (.glb or .vrm); export it as glTF Binary")
    return _parsed(data, path)


def _parsed(data: bytes, path: Path) -> Document:
    try:
        version, length = struct.unpack_from("<II", data, 4)
        if version != VERSION:
            raise DuendeError(f"{path} is glTF version {version}, version {VERSION} is expected; export it again")
        if length > len(data):
            raise DuendeError(f"{path} announces {length} bytes and holds {len(data)}; it is cut short, copy it again")
        chunks: dict[bytes, bytes] = {}
        at = 12
        while at + 8 <= length:
            size, kind = struct.unpack_from("<I4s", data, at)
            chunks.setdefault(kind, data[at + 8 : at + 8 + size])
            at += 8 + size
        found = json.loads(chunks[JSON_CHUNK].decode("utf-8"), parse_constant=_no_number)
        buffers = found.get("buffers", []) if isinstance(found, dict) else None
        if not isinstance(buffers, list) or not all(isinstance(buffer, dict) for buffer in buffers):
            raise ValueError("its JSON is no scene")
    except (struct.error, KeyError, ValueError, RecursionError) as error:
        raise DuendeError(f"{path} is a damaged glTF file ({error}); export it again") from error
    if MESHOPT in found.get("extensionsUsed", []):
        raise DuendeError(f"{path} is compressed with meshopt, which is not read; export it without compression")
    if len(buffers) > 1 or any("uri" in buffer for buffer in buffers):
        raise DuendeError(f"{path} keeps its data in other files; export it as one glTF Binary (.glb)")
    return Document(found, bytearray(chunks.get(BINARY_CHUNK, b"")))


def _no_number(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number")


def write_document(document: Document, path: str | Path) -> None:
    """Write a binary glTF file.

    Raises:
        DuendeError: the file cannot be written.
    """
    binary = bytes(document.binary) + b"\x00" * (-len(document.binary) % 4)
    if binary:
        document.json["buffers"] = [{"byteLength": len(binary)}]
    text = json.dumps(document.json, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # Names that came out of a file system may hold what UTF-8 cannot.
    encoded = text.encode("utf-8", "replace")
    encoded += b" " * (-len(encoded) % 4)
    chunks = [(JSON_CHUNK, encoded), *([(BINARY_CHUNK, binary)] if binary else [])]
    length = 12 + sum(8 + len(chunk) for _, chunk in chunks)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<4sII", MAGIC, VERSION, length))
        for kind, chunk in chunks:
            file.write(struct.pack("<I4s", len(chunk), kind))
            file.write(chunk)
