"""Films: pictures in a row as files that other programs play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from ddpm.checkpoint import write_whole

if TYPE_CHECKING:
    import av

File = str | PathLike[str] | BinaryIO

SCALE = 4
"""How many pixels of a film stand beside each other for one of its pictures, and 3/4 as many above each other."""

FILM_SCALE = 8
"""The same for MP4: the blocks are even in both directions, see `_frame`."""

FRAME_MS, LAST_FRAME_MS = 60, 2000
"""How long a film shows each frame, and its last one, in milliseconds."""

_BT709 = 1  # for colors, as the H.264 standard numbers it (ITU-T H.264, tables E-3 to E-5)


def write_gif(pictures: Sequence[Image.Image], file: File, below: bool = False) -> None:
    """Write pictures as a GIF that rests on the last one and repeats.

    Each picture has a palette of its own, half of it for the noisy image and half for the clean one, which stands on
    the right, or `below`: noise takes all the colors that it can get, and the clean image would show bands.
    """
    first, *others = (enlarge(_with_palette(picture, below)) for picture in pictures)
    durations = [FRAME_MS] * len(others) + [LAST_FRAME_MS]
    write_file(
        file, lambda path: first.save(path, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    )


def write_mp4(pictures: Sequence[Image.Image], file: File) -> None:
    """Write pictures as a film that browsers play, resting on the last one: H.264, yuv420p."""
    write_file(file, lambda path: _encode(pictures, path))


def write_file(file: File, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside the place it is meant for, and move it there once it is whole."""
    if isinstance(file, (str, PathLike)):
        write_whole(Path(file), write)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        file.write(path.read_bytes())


def enlarge(picture: Image.Image, scale: int = SCALE) -> Image.Image:
    """Make each pixel `scale` wide and 3/4 of that high, in which 64x64 becomes 4:3 again, as the camera saw it.

    scale: a multiple of 4.
    """
    return picture.resize((picture.width * scale, picture.height * scale * 3 // 4), Image.Resampling.NEAREST)


def _with_palette(picture: Image.Image, below: bool) -> Image.Image:
    """The picture in 256 colors, 128 for each half."""
    width, height = picture.size
    edges = ((0, 0, width, height // 2), (0, height // 2, width, height))
    if not below:
        edges = ((0, 0, width // 2, height), (width // 2, 0, width, height))
    halves = [picture.crop(edge).quantize(128, Image.Quantize.MAXCOVERAGE, kmeans=1) for edge in edges]
    pixels = [np.asarray(half) + 128 * i for i, half in enumerate(halves)]
    palettes = [(half.getpalette() or [])[: 3 * 128] for half in halves]
    joined = Image.fromarray(np.concatenate(pixels, axis=0 if below else 1).astype(np.uint8), "P")
    joined.putpalette([*palettes[0], *[0] * (3 * 128 - len(palettes[0])), *palettes[1]])
    return joined


def _encode(pictures: Sequence[Image.Image], path: Path) -> None:
    import av
    from av.video.reformatter import ColorRange

    frames = [_frame(enlarge(picture, FILM_SCALE)) for picture in pictures]
    frames += frames[-1:] * (LAST_FRAME_MS // FRAME_MS)  # players tend to cut a single long frame short
    # faststart: the index comes first, so that a browser can begin before it has the whole file.
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as film:
        stream = film.add_stream("libx264", rate=Fraction(1000, FRAME_MS), options={"crf": "16", "preset": "veryfast"})
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        for i, frame in enumerate(frames):
            frame.pts = i
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


def _frame(picture: Image.Image) -> av.VideoFrame:
    """Convert to yuv420p: it halves the colors in both directions, which blocks of even sides do not notice."""
    from av import VideoFrame
    from av.video.reformatter import ColorRange, Colorspace

    frame = VideoFrame.from_image(picture.convert("RGB"))
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
