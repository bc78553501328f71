"""Files that people take away: written into Gradio's cache, from where `delete_cache` clears them."""

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from io import BytesIO
from pathlib import Path
from typing import Literal, TypedDict, get_args

import gradio as gr
from gradio.blocks import Block
from gradio.processing_utils import hash_bytes
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ddpm.trajectory import Trajectory

log = logging.getLogger(__name__)


class FileMeta(TypedDict):
    """The mark by which Gradio knows a file."""

    _type: Literal["gradio.FileData"]


class File(TypedDict):
    """A `gradio.FileData` as plain data, which clients receive and send as a file."""

    path: str
    url: str | None
    size: int | None
    orig_name: str | None
    mime_type: str | None
    is_stream: bool
    meta: FileMeta


Format = Literal["png", "large", "strip", "gif", "slides", "mp4", "npz"]
"""The picture, the same for slides, the film strip, the film (twice as GIF, as MP4), every step as arrays."""

FORMATS: tuple[Format, ...] = get_args(Format)

CAPTIONED: tuple[Format, ...] = ("large", "strip", "gif", "mp4")
"""Those that can have captions; `slides` always has them."""

_WRITERS: dict[Format, tuple[Callable[..., None], str, str]] = {
    "png": (Trajectory.save_png, ".png", "image/png"),
    "large": (Trajectory.save_large_png, "_large.png", "image/png"),
    "strip": (Trajectory.save_strip, "_strip.png", "image/png"),
    "gif": (Trajectory.save_gif, ".gif", "image/gif"),
    "slides": (Trajectory.save_slides, "_slides.gif", "image/gif"),
    "mp4": (Trajectory.save_mp4, ".mp4", "video/mp4"),
    "npz": (Trajectory.save_npz, ".npz", "application/octet-stream"),
}


_LARGE = 2**24
_ONE_LARGE = threading.Lock()
"""One run of more than so many bytes is written at a time: as arrays it is in memory twice more meanwhile."""


def run_file(owner: Block, run: Trajectory, format: Format, captions: bool = False) -> File:
    """Write a run of one image in a format, under a name such as red-cube_cyan-sphere_seed7.gif.

    A run that was stopped after 12 steps is red-cube_cyan-sphere_seed7_step12.gif.
    """
    write, ending, mime = _WRITERS[format]
    objects = "_".join(label.replace(" ", "-") for label in run.scenes[0]) or "empty"
    done = len(run.timesteps)
    stopped = f"_step{done}" if done < run.settings.steps else ""
    large = run.x.nbytes + run.x0.nbytes > _LARGE
    with _ONE_LARGE if large else nullcontext():
        buffer = BytesIO()
        write(run, buffer, **{"captions": True} if captions and format in CAPTIONED else {})
        return cached(owner, buffer.getvalue(), f"{objects}_seed{run.seed}{stopped}{ending}", mime)


def picture_file(owner: Block, picture: Image.Image, name: str = "scene.png", info: PngInfo | None = None) -> File:
    """Keep a picture as PNG, pixel for pixel; info: what it carries, see `ddpm.recipe`."""
    buffer = BytesIO()
    picture.save(buffer, "PNG", pnginfo=info)
    return cached(owner, buffer.getvalue(), name, "image/png")


def cached(owner: Block, data: bytes, name: str, mime: str) -> File:
    """Keep data as a file of that name in the cache; it is cleared away with the files of the component `owner`.

    Raises gr.Error where the disk does not take it, and leaves nothing half-written behind.
    """
    try:
        path = str(_kept(Path(owner.GRADIO_CACHE).resolve() / hash_bytes(data) / name, data))
    except OSError as error:
        log.warning("a file cannot be kept: %s", error)
        raise gr.Error(f"The server cannot keep files: {error.strerror}.", print_exception=False) from error
    owner.temp_files.add(path)
    return File(
        path=path,
        url=None,
        size=len(data),
        orig_name=name,
        mime_type=mime,
        is_stream=False,
        meta={"_type": "gradio.FileData"},
    )


def _kept(path: Path, data: bytes) -> Path:
    """Have data in a file, as a whole at every moment: the same may be on its way to somebody else."""
    with suppress(FileNotFoundError):  # it may be cleared away just now
        if path.stat().st_size == len(data):
            os.utime(path)  # its hour begins anew
            return path
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent)
    try:
        os.close(handle)
        Path(part).write_bytes(data)
        os.replace(part, path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
    return path
