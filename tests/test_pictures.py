"""Pictures from files: what becomes of transparency, and what is not read."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm._torchvision import torchvision
from ddpm.pictures import MOST_PIXELS, PictureError, cut, in_natural_order, open_picture, read_picture, sheet


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


# --- Sheets, as the lab's hand-in has them ---


def pictures(count: int) -> torch.Tensor:
    """Different pictures whose values survive eight bits: float32 (count, 3, 64, 64)."""
    levels = torch.randint(0, 256, (count, 3, 64, 64), generator=torch.Generator().manual_seed(count))
    return levels / 127.5 - 1


@pytest.mark.parametrize("count", [2, 8, 9, 32])
def test_a_sheet_is_torchvisions_grid(count):
    x = pictures(count)
    theirs = torchvision.utils.make_grid((x + 1) / 2, nrow=8, padding=2)  # as the lab's own code writes it
    pixels = torch.from_numpy(np.array(sheet(x))).permute(2, 0, 1)
    assert torch.equal(pixels, (theirs * 255).round().to(torch.uint8))


@pytest.mark.parametrize(("columns", "padding"), [(8, 2), (5, 2), (8, 0), (3, 0)])
def test_a_sheet_is_cut_row_by_row(tmp_path, columns, padding):
    x = pictures(10)
    grid = torchvision.utils.make_grid((x + 1) / 2, nrow=columns, padding=padding)
    Image.fromarray((grid * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()).save(tmp_path / "sheet.png")
    found = cut(open_picture(tmp_path / "sheet.png"))
    assert len(found) == -(-10 // columns) * columns
    torch.testing.assert_close(found[:10], x, atol=1e-6, rtol=0)


def test_one_picture_is_no_sheet_and_a_sheet_no_picture(tmp_path):
    for size in [(64, 64), (320, 240), (128, 96), (256, 256), (100, 50)]:
        Image.new("RGB", size).save(tmp_path / "picture.png")
        assert read_picture(tmp_path / "picture.png").shape == (1, 3, 64, 64)
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} is not a sheet"):
            cut(open_picture(tmp_path / "picture.png"))
    sheet(pictures(9)).save(tmp_path / "sheet.png")
    with pytest.raises(PictureError, match=r"sheet\.png: this is a sheet of 8 x 2 pictures"):
        read_picture(tmp_path / "sheet.png")


def test_a_sheet_of_one_picture_is_that_picture(tmp_path):
    sheet(pictures(1)).save(tmp_path / "sheet.png")
    torch.testing.assert_close(read_picture(tmp_path / "sheet.png"), pictures(1), atol=1 / 127, rtol=0)
    photo = Image.new("RGB", (68, 68), (90, 90, 90))
    photo.save(tmp_path / "photo.png")
    assert read_picture(tmp_path / "photo.png").unique().numel() == 1
    with pytest.raises(ValueError, match="68x68 is not a sheet"):
        cut(photo)


@pytest.mark.parametrize("error", [RuntimeError, IndexError, SyntaxError, EOFError])
def test_whatever_a_decoder_raises_the_picture_is_named(tmp_path, monkeypatch, error):
    def convert(*_):
        raise error("decoding failed")

    Image.new("RGB", (64, 64)).save(tmp_path / "bad.png")
    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(PictureError, match=r"bad\.png: this is not a picture that can be read"):
        read_picture(tmp_path / "bad.png")


def test_files_come_in_the_order_that_people_count(tmp_path):
    names = ["0.png", "001.png", "01.png", "1.png", "2.JPG", "10.png", "11.jpeg", "scene 2.png", "scene 10.png"]
    for name in [*names[::-1], "notes.txt", "._0.png"]:
        (tmp_path / name).touch()
    assert [path.name for path in in_natural_order(tmp_path)] == names
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="there is no picture in it"):
        in_natural_order(tmp_path / "empty")
