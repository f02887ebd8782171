"""The dance as a video with its music: frames drawn by several processes, encoded by ffmpeg (H.264 and AAC)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import cv2
import imageio_ffmpeg
import numpy as np
import soundfile

from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.camera import CameraStyle
from duende.formats.renderer import Renderer
from duende.motion import Motion

if sys.platform == "linux":
    import fcntl

if TYPE_CHECKING:
    from duende.audio.song import Song

FRAMES_PER_PROCESS = 90
"""A process takes about a second to start, so a short dance is drawn by fewer of them."""
MAXIMUM_PROCESSES = 8


def write_video(
    motion: Motion,
    path: str | Path,
    song: Song | None = None,
    fps: float = 30,
    size: tuple[int, int] = (1280, 720),
    camera: CameraStyle | None = None,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> None:
    """Write ``motion`` as an MP4 video that ends with the dance.

    Memory does not grow with the length of the dance beyond the motion itself. The file is whole or absent.

    Args:
        motion: the dance, on SMPL24.
        path: where to write; the name ends in ``.mp4``.
        song: the music, which begins with the dance; what lasts longer than the dance is left out.
        fps: frames per second of the video.
        size: width and height in pixels, even numbers.
        camera: how the dance is filmed.
        progress: called with the frames done and the frames in all.
        processes: how many draw; as many as there are processors, up to eight, where left out.

    Raises:
        DuendeError: the name does not end in ``.mp4``, the size or the rate cannot be drawn, the motion has another
            skeleton, the disk is full, or ffmpeg fails.
    """
    if Path(path).suffix.lower() != ".mp4":
        raise DuendeError(f"{path}: a video's name must end in .mp4")
    if not 1 <= fps <= 240:
        raise DuendeError(f"a video of {fps} frames per second cannot be made: choose 1 to 240")
    motion = motion.resampled(fps)
    renderer = Renderer(motion, size, camera)
    workers = processes or min(os.cpu_count() or 1, MAXIMUM_PROCESSES)
    workers = max(1, min(workers, len(motion) // FRAMES_PER_PROCESS))
    with ExitStack() as stack:
        temporary = stack.enter_context(replacing(path))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="duende-", ignore_cleanup_errors=True)))
        sound = _write_sound(song, motion.duration, folder / "song.wav") if song is not None else None
        if workers == 1:
            frames: Iterator[np.ndarray] = (to_yuv(image) for image in renderer.frames())
        else:
            frames = stack.enter_context(_Workers(motion, size, camera, workers, folder)).frames()
        _encode(frames, len(motion), temporary, sound, fps, size, folder / "ffmpeg.log", Path(path), progress)


def to_yuv(image: np.ndarray) -> np.ndarray:
    """Turn an image ``(H, W, 3)`` uint8 BGR into planar YUV 4:2:0 ``(H * 3 / 2, W)``, BT.601 limited range."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))


def _write_sound(song: Song, seconds: float, path: Path) -> Path:
    samples = song.samples[: max(1, round(seconds * song.rate))]
    try:
        soundfile.write(path, samples, song.rate, subtype="PCM_16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise DuendeError(f"cannot write the music to {path.parent}: {error}; free some space there") from error
    return path


def _encode(
    frames: Iterator[np.ndarray],
    count: int,
    temporary: Path,
    sound: Path | None,
    fps: float,
    size: tuple[int, int],
    log: Path,
    target: Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    command = _command(temporary, sound, fps, size, count / fps)
    with log.open("wb") as errors:
        try:
            encoder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
        except OSError as error:
            raise DuendeError(f"cannot start ffmpeg ({command[0]}): {error}; reinstall imageio-ffmpeg") from error
        _widen(encoder.stdin)
        try:
            _feed(encoder, frames, count, progress)
        except BaseException:
            encoder.kill()
            encoder.wait()
            raise
        encoder.wait()
    if encoder.returncode:
        said = log.read_text(errors="replace").strip().splitlines() or ["it gave no reason"]
        if any("No space left" in line for line in said):
            raise DuendeError(
                f"cannot write {target}: no space left on device; free some space there or choose another folder"
            )
        raise DuendeError(
            f"cannot write {target}: ffmpeg stopped with: {said[-1]}; check that the folder can be written"
        )


def _feed(
    encoder: subprocess.Popen[bytes],
    frames: Iterator[np.ndarray],
    count: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    pipe = encoder.stdin
    assert pipe is not None
    try:
        for done, frame in enumerate(frames, start=1):
            pipe.write(frame.data)
            if progress is not None:
                progress(done, count)
        pipe.close()
    except BrokenPipeError:
        # The encoder has ended; its exit status and its log say why.
        return


def _command(output: Path, sound: Path | None, fps: float, size: tuple[int, int], seconds: float) -> list[str]:
    raw = f"-f rawvideo -pix_fmt yuv420p -s {size[0]}x{size[1]} -r {fps:g} -i pipe:0"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-nostdin", "-loglevel", "error", *raw.split()]
    if sound is not None:
        command += ["-i", str(sound), "-c:a", "aac", "-b:a", "192k"]
    # A quarter quicker than veryfast and a fifth larger: superfast with the look-ahead that it leaves out.
    picture = "-c:v libx264 -preset superfast -crf 20 -bf 0 -x264-params rc-lookahead=10:mbtree=1 -pix_fmt yuv420p"
    colours = "-colorspace smpte170m -color_range tv"
    command += [*picture.split(), *colours.split(), "-movflags", "+faststart"]
    return [*command, "-t", f"{seconds:.6f}", "-f", "mp4", str(output)]


class _Workers:
    """Processes that draw every n-th frame each and send them through pipes, which also hold them back.

    Plain programs and not :mod:`multiprocessing`: they start from any script, guarded by ``__main__`` or not.
    """

    def __init__(
        self, motion: Motion, size: tuple[int, int], style: CameraStyle | None, count: int, folder: Path
    ) -> None:
        self.size = size
        self.length = len(motion)
        job = folder / "job.npz"
        style = style or CameraStyle()
        np.savez(
            job,
            rotations=motion.rotations,
            root=motion.root,
            fps=motion.fps,
            size=size,
            camera=[style.angle, style.pitch, style.lens, style.follow],
        )
        # One thread each: there are as many processes as processors.
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        program = [sys.executable, "-m", "duende.formats.video_worker", str(job)]
        self._logs = [folder / f"worker{number}.log" for number in range(count)]
        self._processes: list[subprocess.Popen[bytes]] = []
        for number, log in enumerate(self._logs):
            with log.open("wb") as errors:
                process = subprocess.Popen(
                    [*program, str(number), str(count)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment,
                    bufsize=0,
                )
            _widen(process.stdout)
            self._processes.append(process)

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def frames(self) -> Iterator[np.ndarray]:
        """Yield all frames in order, as :func:`to_yuv` gives them."""
        width, height = self.size
        for frame in range(self.length):
            number = frame % len(self._processes)
            image = np.empty((height * 3 // 2, width), np.uint8)
            pipe = self._processes[number].stdout
            assert pipe is not None
            if not _read_all(pipe, image):
                said = self._logs[number].read_text(errors="replace").strip().splitlines() or ["it was ended"]
                raise DuendeError(f"a process that draws the video stopped at frame {frame}: {said[-1]}; try again")
            yield image


def _widen(pipe: IO[bytes] | None) -> None:
    """Let a pipe hold most of a frame, where the system allows: fewer changes between processes."""
    if pipe is not None and sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)


def _read_all(pipe: IO[bytes], image: np.ndarray) -> bool:
    """Fill ``image`` from the pipe; False if the pipe ends before."""
    rest = memoryview(image.data).cast("B")
    while len(rest):
        got = pipe.readinto(rest)  # type: ignore[attr-defined]
        if not got:
            return False
        rest = rest[got:]
    return True
