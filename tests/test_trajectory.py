"""Trajectories: every step as pictures, as a film and as data that NumPy alone reads."""

import io
import os
from itertools import pairwise

import av
import numpy as np
import pytest
import torch
from PIL import Image

from ddpm import trajectory
from ddpm.export import CAPTION, FRAME_MS, LAST_FRAME_MS, SLIDE_MS, write_file, write_gif
from ddpm.labels import LABEL_ID, LABELS
from ddpm.pictures import to_tensor
from ddpm.samplers import Step
from ddpm.schedule import NoiseSchedule
from ddpm.settings import Settings
from ddpm.trajectory import Trajectory, to_picture, to_uint8

SCENES = [["red cube"], ["gray cube", "blue sphere"]]
SETTINGS = Settings("ddim", 5, 2.5)


def steps(count: int = 5):
    generator = torch.Generator().manual_seed(0)
    for index in range(1, count + 1):
        x, x0 = torch.randn(2, 2, 3, 64, 64, generator=generator)
        yield Step(index, count, 1000 - 10 * index, x, x0.clamp(-1, 1), x, None)


@pytest.fixture
def run() -> Trajectory:
    return Trajectory.collect(steps(), SCENES, 7, SETTINGS)


def test_a_stream_is_kept_whole(run):
    assert run.timesteps == (990, 980, 970, 960, 950)
    assert run.x.shape == run.x0.shape == (5, 2, 3, 64, 64)
    for i, step in enumerate(steps()):
        assert torch.equal(run.x[i], step.x)
        assert torch.equal(run.x0[i], step.x0)


def test_a_stream_without_steps_is_refused():
    with pytest.raises(ValueError, match="at least one step"):
        Trajectory.collect([], SCENES, 7, SETTINGS)


def test_pixels_are_rounded_and_clipped():
    image = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 9.0]).reshape(1, 1, 6).expand(3, 1, 6)
    assert to_uint8(image)[0, :, 0].tolist() == [0, 0, 128, 191, 255, 255]
    assert to_uint8(image[None]).shape == (1, 1, 6, 3)
    levels = torch.arange(256).expand(3, 1, 256)
    assert torch.equal(torch.from_numpy(to_uint8(levels / 127.5 - 1))[0, :, 0], levels[0, 0].byte())


def test_frames_show_noisy_left_and_clean_right(run):
    frames = run.frames(image=1)
    assert [frame.size for frame in frames] == [(512, 192)] * 5  # 4:3 each
    small = np.asarray(frames[2])[::3, ::4]
    assert np.array_equal(small[:, :64], to_uint8(run.x[2, 1]))
    assert np.array_equal(small[:, 64:], to_uint8(run.x0[2, 1]))


@pytest.mark.parametrize(("columns", "chosen"), [(10, [0, 1, 2, 3, 4]), (3, [0, 2, 4]), (2, [0, 4]), (1, [4])])
def test_the_film_strip_goes_from_the_first_step_to_the_last(run, columns, chosen):
    strip = np.asarray(run.film_strip(image=0, columns=columns))[::3, ::4]
    assert strip.shape == (128, 64 * len(chosen), 3)
    for column, i in enumerate(chosen):
        tile = strip[:, 64 * column : 64 * (column + 1)]
        assert np.array_equal(tile[:64], to_uint8(run.x[i, 0]))
        assert np.array_equal(tile[64:], to_uint8(run.x0[i, 0]))


def test_the_png_is_the_result_to_the_pixel(run, tmp_path):
    run.save_png(tmp_path / "scene.png", image=1)
    with Image.open(tmp_path / "scene.png") as picture:
        assert np.array_equal(np.asarray(picture), to_uint8(run.x0[-1, 1]))
        assert picture.size == (64, 64)


def test_the_large_png_has_the_shape_of_the_view(run, tmp_path):
    run.save_large_png(tmp_path / "scene.png", image=1)
    with Image.open(tmp_path / "scene.png") as picture:
        assert picture.size == (1024, 768)
        assert np.array_equal(np.asarray(picture)[::12, ::16], to_uint8(run.x0[-1, 1]))
        assert "ddpm" in picture.info


def test_the_gif_plays_every_step_and_rests_on_the_last(run, tmp_path):
    run.save_gif(tmp_path / "scene.gif")
    with Image.open(tmp_path / "scene.gif") as film:
        assert film.n_frames == 5
        assert film.size == (512, 192)
        assert film.info["loop"] == 0
        film.seek(4)
        assert film.info["duration"] == LAST_FRAME_MS
        last = np.asarray(film.convert("RGB")).astype(float)
    assert np.abs(last - np.asarray(run.frames()[-1])).mean() < 16  # a frame has 256 colors


def test_the_gif_for_slides_is_slower_and_says_below_where_it_stands(run, tmp_path):
    run.save_slides(tmp_path / "slides.gif", image=1)
    run.save_gif(tmp_path / "plain.gif", image=1)
    bands = []
    with Image.open(tmp_path / "slides.gif") as film, Image.open(tmp_path / "plain.gif") as plain:
        assert film.size == (512, 192 + CAPTION)
        for i in range(film.n_frames):
            film.seek(i)
            plain.seek(i)
            assert film.info["duration"] == (SLIDE_MS if i < 4 else LAST_FRAME_MS)
            frame = np.asarray(film.convert("RGB"))
            np.testing.assert_array_equal(frame[:192], np.asarray(plain.convert("RGB")))
            bands.append(frame[192:])
    colors = {tuple(color) for band in bands for color in band.reshape(-1, 3)}
    assert colors == {(255, 255, 255), (34, 38, 45)}
    ink = [(band < 128).all(-1) for band in bands]
    assert all(0.01 < there.mean() < 0.2 for there in ink)
    assert all((a != b).any() for a, b in pairwise(ink))  # each names its own step


@pytest.mark.parametrize("format", ["large_png", "strip", "gif", "mp4"])
def test_captions_stand_below_what_is_there_without(run, format, tmp_path):
    pictures = []
    for captions in (False, True):
        getattr(run, f"save_{format}")(tmp_path / "file", image=1, captions=captions)
        pictures.append(last_frame(tmp_path / "file"))
    plain, said = pictures
    height = len(plain)
    assert said.shape == (height + CAPTION * (1 if format == "gif" else 2), *plain.shape[1:])
    assert np.abs(said[:height].astype(int) - plain).mean() < (2 if format == "mp4" else 1e-9)
    assert 0.005 < (said[height:] < 128).all(-1).mean() < 0.2


def last_frame(file):
    if file.read_bytes()[4:8] != b"ftyp":
        with Image.open(file) as film:
            film.seek(getattr(film, "n_frames", 1) - 1)
            return np.asarray(film.convert("RGB"))
    with av.open(str(file)) as film:
        *_, frame = film.decode(video=0)
        return frame.to_ndarray(format="rgb24")


def test_a_run_s_first_steps_are_a_run(run):
    first = run.until(2)
    assert first.timesteps == run.timesteps[:2]
    assert torch.equal(first.x0, run.x0[:2])
    assert run.until(5) is run


def test_a_narrow_strip_gets_paper_wide_enough_for_its_caption(tmp_path):
    one = Trajectory.collect(steps(1), SCENES, 7, SETTINGS)
    one.save_strip(tmp_path / "strip.png", captions=True)
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (512, 384 + CAPTION)
        assert np.array_equal(np.asarray(strip)[:384, :256], np.asarray(one.film_strip()))


def test_a_caption_fits_whatever_stands_in_it():
    words = ", ".join(["yellow cylinder"] * 5)
    film = io.BytesIO()
    write_gif([Image.new("RGB", (128, 64))], film, captions=[f"{words}\nstep 1 of 1"])
    with Image.open(film) as picture:
        band = np.asarray(picture.convert("L"))[192:] < 128
    assert band[:, -8:].sum() == 0 and band[:, 400:].any()


@pytest.mark.parametrize("below", [False, True])
def test_the_gif_keeps_the_colors_of_the_clean_picture(tmp_path, below):
    with Image.open("ddpm/demo/lesson/scene.png") as file:
        clean = to_tensor(file.convert("RGB"))[0]
    noise = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    for share in (0.0, 0.3, 1.0):  # of the scene in the noisy picture
        pair = to_picture(torch.cat([clean.lerp(noise, 1 - share), clean], dim=-2 if below else -1))
        write_gif([pair], tmp_path / "film.gif", below)
        with Image.open(tmp_path / "film.gif") as film:
            shown = film.convert("RGB").resize(pair.size, Image.Resampling.NEAREST)
        off = np.abs(np.asarray(shown).astype(int) - np.asarray(pair))
        off = off[64:] if below else off[:, 64:]
        assert off.max() <= 16 and off.mean() <= 2  # of 255; one palette for both was off by up to 92


def test_the_video_plays_in_a_browser(run, tmp_path):
    run.save_mp4(tmp_path / "scene.mp4", image=1)
    rest = LAST_FRAME_MS // FRAME_MS
    with av.open(tmp_path / "scene.mp4") as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (1024, 384)
        assert stream.average_rate * FRAME_MS == 1000
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
    assert len(pictures) == 5 + rest
    for i, frame in enumerate(run.frames(image=1)):
        assert np.abs(pictures[i][::2, ::2] - np.asarray(frame)).mean() < 20  # nothing but noise, the worst case
    assert np.abs(pictures[-1] - pictures[4]).mean() < 2
    data = (tmp_path / "scene.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it can start before all of it is there


def test_the_strip_is_a_file_too(run, tmp_path):
    run.save_strip(tmp_path / "strip.png", image=1, columns=3)
    with Image.open(tmp_path / "strip.png") as strip:
        assert np.array_equal(np.asarray(strip), np.asarray(run.film_strip(1, 3)))


@pytest.mark.parametrize("format", ["png", "large_png", "strip", "gif", "slides", "mp4", "npz"])
def test_files_need_no_name_and_no_place(run, format):
    file = io.BytesIO()
    getattr(run, f"save_{format}")(file)
    assert len(file.getvalue()) > 100


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "scene.gif"
    path.write_text("before")

    def fail(part):
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_file(path, fail)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["scene.gif"]


def test_a_long_gif_is_thinned(monkeypatch):
    monkeypatch.setattr(trajectory, "FILM_FRAMES", 6)
    file = io.BytesIO()
    Trajectory.collect(steps(20), SCENES, 7, SETTINGS).save_gif(file)
    with Image.open(file) as film:
        assert film.n_frames == 6


def test_the_archive_is_read_by_numpy_without_pickle(run, tmp_path):
    run.save_npz(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as data:
        assert set(data) == {
            *("x", "x0", "timesteps", "labels", "label_names", "seeds", "sampler", "steps", "guidance"),
            "model",
        }
        assert data["x"].dtype == data["x0"].dtype == np.float32
        assert np.array_equal(data["x"], run.x.numpy())
        assert np.array_equal(data["x0"], run.x0.numpy())
        assert data["timesteps"].tolist() == [990, 980, 970, 960, 950]
        assert tuple(data["label_names"]) == LABELS
        names = [data["label_names"][row == 1].tolist() for row in data["labels"]]
        assert names == SCENES
        assert data["seeds"].tolist() == [7, 8]
        assert (data["sampler"].item(), data["steps"].item(), data["guidance"].item()) == ("ddim", 5, 2.5)
        assert data["model"].item() == ""


def test_the_largest_seed_fits_into_the_archive():
    file = io.BytesIO()
    Trajectory.collect(steps(1), SCENES, 2**63 - 1, SETTINGS).save_npz(file)
    file.seek(0)
    assert np.load(file)["seeds"].tolist() == [2**63 - 1, 2**63]


def test_the_plot_names_timesteps_and_labels(run, tmp_path):
    figure = run.plot(image=1, columns=3)
    assert [axis.get_title() for axis in figure.axes[:3]] == ["t = 990", "t = 970", "t = 950"]
    assert len(figure.axes) == 6
    assert figure.get_suptitle() == "gray cube, blue sphere"
    figure.savefig(tmp_path / "plot.png")
    assert Trajectory.collect(steps(1), [[], []], 0, SETTINGS).plot().get_suptitle() == "empty scene"


def test_emergence_is_plotted_in_the_objects_own_colors(run, tmp_path):
    chances = run.emergence(lambda x: torch.zeros(len(x), 24))
    assert chances.shape == (5, 2, 24)
    chances[:, 1, LABEL_ID["blue sphere"]] = torch.linspace(0, 1, 5)
    chances[2, 1, LABEL_ID["red cube"]] = 0.7
    figure = run.plot_emergence(chances, NoiseSchedule(), image=1)
    upper, lower = figure.axes
    lines = {line.get_label(): line for line in upper.get_lines()}
    assert {"gray cube", "blue sphere", "red cube (not requested)"} <= set(lines)
    assert lines["blue sphere"].get_color() == "#2a4bd7"
    assert lines["blue sphere"].get_ydata() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert lines["red cube (not requested)"].get_linestyle() == "--"
    assert lower.get_lines()[0].get_ydata() == pytest.approx([NoiseSchedule().log_snr(t).item() for t in run.timesteps])
    assert lower.get_xlim()[0] > lower.get_xlim()[1]  # from noise to picture
    figure.savefig(tmp_path / "emergence.png")


def test_a_picture_is_pixel_for_pixel(run):
    assert to_picture(run.x0[0, 0]).size == (64, 64)
