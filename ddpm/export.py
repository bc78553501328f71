"""Films: pictures in a row as files that other programs play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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

SLIDE_MS = 300
"""The same for each frame of a film with captions, which are read."""

CAPTION, MARGIN, LARGEST = 56, 12, 18
"""The height of a caption of two lines, its margin on the left, and the height of its letters, all in pixels below a
frame of a GIF, and twice as much below anything larger."""

LEAST = 512
"""How wide a picture with a caption is at least."""

_HALF = 127  # colors of each half of a frame
_PAPER, _INK = (255, 255, 255), (34, 38, 45)

_BT709 = 1  # for colors, as the H.264 standard numbers it (ITU-T H.264, tables E-3 to E-5)


def write_gif(
    pictures: Sequence[Image.Image],
    file: File,
    below: bool = False,
    captions: Sequence[str] | None = None,
    frame_ms: int = FRAME_MS,
) -> None:
    """Write pictures as a GIF that rests on the last one and repeats. captions: two lines for each, below it.

    Each picture has a palette of its own, half of it for the noisy image and half for the clean one, which stands on
    the right, or `below`: noise takes all the colors that it can get, and the clean image would show bands.
    """
    frames = [enlarge(_with_palette(picture, below)) for picture in pictures]
    if captions is not None:
        frames = [captioned(frame, words) for frame, words in zip(frames, captions, strict=True)]
    first, *others = frames
    durations = [frame_ms] * len(others) + [LAST_FRAME_MS]
    write_file(
        file, lambda path: first.save(path, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    )


def write_mp4(pictures: Sequence[Image.Image], file: File, captions: Sequence[str] | None = None) -> None:
    """Write pictures as a film that browsers play, resting on the last one: H.264, yuv420p. captions: as for a GIF."""
    frames = [enlarge(picture, FILM_SCALE) for picture in pictures]
    if captions is not None:
        frames = [captioned(frame, words) for frame, words in zip(frames, captions, strict=True)]
    write_file(file, lambda path: _encode(frames, path))


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
    """The picture in 254 colors, 127 for each half; the last two of the palette are those of a caption."""
    width, height = picture.size
    edges = ((0, 0, width, height // 2), (0, height // 2, width, height))
    if not below:
        edges = ((0, 0, width // 2, height), (width // 2, 0, width, height))
    halves = [picture.crop(edge).quantize(_HALF, Image.Quantize.MAXCOVERAGE, kmeans=1) for edge in edges]
    pixels = [np.asarray(half) + _HALF * i for i, half in enumerate(halves)]
    palettes = [(half.getpalette() or [])[: 3 * _HALF] for half in halves]
    joined = Image.fromarray(np.concatenate(pixels, axis=0 if below else 1).astype(np.uint8), "P")
    padded = [color for palette in palettes for color in (*palette, *[0] * (3 * _HALF - len(palette)))]
    joined.putpalette([*padded, *_PAPER, *_INK])
    return joined


def captioned(picture: Image.Image, words: str) -> Image.Image:
    """Add two lines below a picture, which is RGB or a frame of `_with_palette`.

    That makes it 56 pixels higher, or 112 where it is wider than 512; a narrower one becomes so wide.
    """
    width, height = max(picture.width, LEAST), picture.height
    scale = 1 if width <= LEAST else 2
    paper, ink = (2 * _HALF, 2 * _HALF + 1) if picture.mode == "P" else (_PAPER, _INK)
    whole = Image.new(picture.mode, (width, height + scale * CAPTION), paper)
    if picture.mode == "P":
        whole.putpalette(picture.getpalette() or [])
    whole.paste(picture)
    draw = ImageDraw.Draw(whole)
    margin, size = scale * MARGIN, scale * LARGEST
    while draw.multiline_textbbox((0, 0), words, font := ImageFont.load_default(size))[2] > width - 2 * margin:
        size -= 1
    middle = height + scale * CAPTION // 2
    draw.multiline_text((margin, middle), words, ink, font, anchor="lm", spacing=6 * scale)
    return whole


def _encode(pictures: Sequence[Image.Image], path: Path) -> None:
    import av
    from av.video.reformatter import ColorRange

    frames = [_frame(picture) for picture in pictures]
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
