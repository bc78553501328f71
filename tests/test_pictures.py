"""Pictures from files: what becomes of transparency, and what is not read."""

import io
import struct
import zlib

import pytest
import torch
from PIL import Image

from ddpm.pictures import MOST_PIXELS, PictureError, read_picture


def png(width: int, height: int) -> io.BytesIO:
    """The head of a PNG file that claims to be so large."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(b"")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_black(tmp_path, mode):
    picture = Image.new("RGBA", (64, 64), (200, 200, 200, 255))
    picture.paste((200, 200, 200, 0), (0, 0, 64, 32))
    picture.convert(mode).save(tmp_path / "picture.png")
    pixels = read_picture(tmp_path / "picture.png")[0]
    assert torch.equal(pixels[:, :32], torch.full((3, 32, 64), -1.0))
    torch.testing.assert_close(pixels[:, 32:], torch.full((3, 32, 64), 200 / 127.5 - 1))


def test_half_transparent_is_half_as_bright(tmp_path):
    Image.new("RGBA", (64, 64), (200, 100, 0, 128)).save(tmp_path / "picture.png")
    pixels = (read_picture(tmp_path / "picture.png")[0, :, 0, 0] + 1) * 127.5
    assert pixels.tolist() == pytest.approx([100, 50, 0], abs=1)


def test_a_picture_too_large_to_be_meant_is_refused_by_its_head_alone():
    message = f"the upload: 25000000 pixels are too many; allowed are up to {MOST_PIXELS}"
    with pytest.raises(PictureError, match=message):
        read_picture(png(5_000, 5_000), name="the upload")


def test_a_picture_cut_off_is_no_picture():
    with pytest.raises(PictureError, match="this is not a picture that can be read"):
        read_picture(png(64, 64), name="the upload")
