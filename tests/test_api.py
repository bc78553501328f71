"""The page's work by program, through gradio_client."""

import inspect
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from conftest import ENDPOINTS, SEEN, STEPS
from gradio_client import Client, handle_file
from gradio_client.exceptions import ValidationError
from PIL import Image

from app import CHECKPOINTS
from ddpm import Pipeline
from ddpm.labels import LABELS
from ddpm.trajectory import to_picture, to_uint8
from ddpm.variations import walk

COLORS = ("gray", "red", "blue", "green", "brown", "cyan")


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(address, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture(scope="module")
def endpoints(client: Client) -> dict[str, Any]:
    return client.view_api(return_format="dict", print_info=False)["named_endpoints"]


def pixels(file: str) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


def test_generate_returns_the_picture_of_the_pipeline_and_a_report(client: Client, pipeline: Pipeline) -> None:
    file, report = client.predict(["cyan sphere", "red cube"], 7, "dpm++", 4, 3.0, api_name="/generate")
    x = pipeline.generate([["red cube", "cyan sphere"]], seed=7, sampler="dpm++", steps=4, guidance=3.0)
    assert Path(file).suffix == ".png"
    np.testing.assert_array_equal(pixels(file), to_uint8(x[0]))
    assert report == {
        "labels": ["red cube", "cyan sphere"],
        "found": {"red cube": pytest.approx(0.9)},
        "missing": {"cyan sphere": pytest.approx(0.1)},
        "unrequested": {"gray cylinder": pytest.approx(0.8)},
        "repeated": {},
        "seed": 7,
        "sampler": "dpm++",
        "steps": 4,
        "guidance": 3.0,
        "model": None,
    }


def test_another_bundled_model_draws_where_it_is_named(client: Client) -> None:
    file, report = client.predict(["red cube"], 7, "ddim", 2, 1.0, "report", api_name="/generate")
    other = Pipeline.from_pretrained(CHECKPOINTS / "report", "cpu")
    wanted = to_uint8(other.generate([["red cube"]], 7, "ddim", 2, 1.0)[0])
    np.testing.assert_array_equal(pixels(file), wanted)
    assert (report["model"], report["steps"]) == ("report", 2)
    with Image.open(file) as picture:
        assert picture.text == {  # type: ignore[attr-defined]
            "ddpm": "labels=red+cube&seed=7&sampler=ddim&steps=2&guidance=1&model=report"
        }
    pictures = client.predict(["red cube"], 7, 1, "ddim", 2, 1.0, "report", api_name="/gallery")[1]
    np.testing.assert_array_equal(pixels(pictures[0]), pixels(file))
    with pytest.raises(ValidationError, match="(?i)model .none. is unknown; allowed are tiny, "):
        client.predict(["red cube"], 7, "ddim", 2, 1.0, "none", api_name="/generate")


def test_defaults_are_the_models_own(client: Client, pipeline: Pipeline) -> None:
    _, report = client.predict(["red cube"], api_name="/generate")
    assert report["seed"] == 0
    assert {key: report[key] for key in ("sampler", "steps", "guidance")} == {
        "sampler": pipeline.config.sampler,
        "steps": STEPS,
        "guidance": pipeline.config.guidance,
    }
    assert set(report["found"]) | set(report["unrequested"]) == set(SEEN)


def test_a_trajectory_comes_in_every_format(client: Client, pipeline: Pipeline) -> None:
    files = {
        format: client.predict(["red cube"], 3, "ddim", 6, 2.0, format, api_name="/trajectory")
        for format in ("png", "large", "strip", "gif", "mp4", "npz")
    }
    names = [Path(file).name for file in files.values()]
    endings = (".png", "_large.png", "_strip.png", ".gif", ".mp4", ".npz")
    assert names == [f"red-cube_seed3{ending}" for ending in endings]
    x0 = pipeline.generate([["red cube"]], 3, "ddim", 6, 2.0)
    np.testing.assert_array_equal(pixels(files["png"]), to_uint8(x0[0]))
    assert pixels(files["strip"]).shape == (2 * 192, 6 * 256, 3)
    with Image.open(files["gif"]) as film:
        assert film.n_frames == 6
    with av.open(files["mp4"]) as film:
        assert film.streams.video[0].codec_context.pix_fmt == "yuv420p"
    with np.load(files["npz"]) as data:
        np.testing.assert_array_equal(data["x0"][-1], x0.numpy())


def test_a_step_taken_apart_adds_up(client: Client, pipeline: Pipeline) -> None:
    sheet, files, about = client.predict(["red cube"], 7, 2, "sde-dpm++", 4, 3.0, api_name="/apart")
    run = pipeline.trajectory([["red cube"]], 7, "sde-dpm++", 4, 3.0)
    assert list(files) == ["x", "uncond", "cond", "difference", "x0", "before", "fresh", "next"]
    assert pixels(sheet).shape == (192, 256 * len(files), 3)
    for name, wanted in (("x", run.x[1]), ("x0", run.x0[1]), ("before", run.x0[0]), ("next", run.x[2])):
        np.testing.assert_array_equal(pixels(files[name]), to_uint8(wanted[0]))
    assert (about["t"], about["s"], about["guidance"]) == (*run.timesteps[1:3], 3.0)
    assert set(about["mix"]) == {"x", "x0", "before", "noise"}
    _, last, about = client.predict(["red cube"], 7, 4, "ddim", 4, 3.0, api_name="/apart")
    assert (about["s"], about["mix"]) == (0, None) and "next" not in last
    with pytest.raises(Exception, match="index must be a whole number from 1 to 4, not 5"):
        client.predict(["red cube"], 7, 5, "ddim", 4, 3.0, api_name="/apart")


def test_captions_make_a_file_taller(client: Client) -> None:
    plain, said = (
        client.predict(["red cube"], 7, "ddim", 4, 3.0, "strip", None, captions, api_name="/trajectory")
        for captions in (False, True)
    )
    assert pixels(said).shape[0] == pixels(plain).shape[0] + 112


def test_emergence_gives_all_probabilities_along_the_steps(client: Client, pipeline: Pipeline) -> None:
    answer = client.predict(["red cube"], 0, "ddim", 5, api_name="/emergence")
    schedule = pipeline.config.schedule
    assert answer["timesteps"] == schedule.timesteps(5)
    assert answer["log_snr"] == pytest.approx([schedule.log_snr(t).item() for t in schedule.timesteps(5)], abs=1e-4)
    assert list(answer["probabilities"]) == list(LABELS)
    assert answer["probabilities"]["red cube"] == [0.9] * 5


def test_where_gives_a_map_for_each_label(client: Client, pipeline: Pipeline) -> None:
    sheet, maps, numbers = client.predict(["red cube", "cyan sphere"], 0, "ddim", 5, api_name="/where")
    assert pixels(sheet).shape == (192, 3 * 256, 3)
    assert list(maps) == list(numbers) == ["red cube", "cyan sphere"]
    grays = [pixels(file) for file in maps.values()]
    assert [gray.shape for gray in grays] == [(64, 64)] * 2
    assert max(gray.max() for gray in grays) == 255
    for gray, heat in zip(grays, numbers.values(), strict=True):
        column, row = heat["peak"]
        assert gray[row, column] == gray.max() == round(heat["largest"] * 255)
        assert gray.mean() / 255 == pytest.approx(heat["mean"], abs=0.01)


def test_a_picture_is_evaluated(client: Client, tmp_path: Path) -> None:
    Image.new("RGB", (320, 240)).save(tmp_path / "any.jpg")
    answer = client.predict(handle_file(tmp_path / "any.jpg"), api_name="/evaluate")
    assert answer["labels"] == list(SEEN)
    assert list(answer["probabilities"]) == list(LABELS)
    assert answer["probabilities"]["red cube"] == pytest.approx(0.9)


def test_two_settings_are_compared(client: Client, pipeline: Pipeline) -> None:
    a, b, report_a, report_b = client.predict(
        ["red cube"], seed=2, a_steps=3, b_sampler="dpm++", b_guidance=1, api_name="/compare"
    )
    own = pipeline.settings()
    for file, report, settings in (
        (a, report_a, (own.sampler, 3, own.guidance)),
        (b, report_b, ("dpm++", own.steps, 1)),
    ):
        assert tuple(report[key] for key in ("sampler", "steps", "guidance")) == settings
        np.testing.assert_array_equal(pixels(file), to_uint8(pipeline.generate([["red cube"]], 2, *settings)[0]))


def test_side_b_may_have_a_scene_of_its_own(client: Client, pipeline: Pipeline) -> None:
    _, b, report_a, report_b = client.predict(
        ["red cube"], 2, a_steps=2, b_steps=3, b_labels=["gray cube"], b_seed=5, api_name="/compare"
    )
    assert [(report["labels"], report["seed"]) for report in (report_a, report_b)] == [
        (["red cube"], 2),
        (["gray cube"], 5),
    ]
    np.testing.assert_array_equal(pixels(b), to_uint8(pipeline.generate([["gray cube"]], 5, steps=3)[0]))


def test_a_gallery_has_seeds_in_a_row(client: Client, pipeline: Pipeline) -> None:
    sheet, files, reports = client.predict(["red cube"], seed=4, count=5, steps=3, api_name="/gallery")
    assert pixels(sheet).shape == (2 * 192, 4 * 256, 3)
    assert [report["seed"] for report in reports] == [4, 5, 6, 7, 8]
    x = pipeline.generate([["red cube"]], seed=6, steps=3)
    difference = pixels(files[2]).astype(int) - to_uint8(x[0])
    assert np.abs(difference).max() <= 1  # a batch and a single agree to rounding
    np.testing.assert_array_equal(pixels(sheet)[1:192:3, 513:768:4], pixels(files[2]))


def test_a_walk_leads_from_one_scene_to_another(client: Client, pipeline: Pipeline) -> None:
    row, files, verdicts = client.predict(["red cube"], ["blue cube"], 0, 1, 5, "ddpm", 4, 2.0, api_name="/walk")
    expected = walk(pipeline, (["red cube"], 0), (["blue cube"], 1), 5, pipeline.settings("dpm++", 4, 2.0))
    assert pixels(row).shape == (192, 5 * 256, 3)
    for file, image in zip(files, expected, strict=True):
        np.testing.assert_array_equal(pixels(file), to_uint8(image))
    assert list(verdicts[0]["found"]) == ["red cube"]
    assert list(verdicts[-1]["missing"]) == ["blue cube"]


def test_a_picture_is_drawn_again_with_other_labels(client: Client, pipeline: Pipeline) -> None:
    before, after, report = client.predict(["red cube"], ["blue cube"], percent=50, steps=4, api_name="/redraw")
    np.testing.assert_array_equal(pixels(before), to_uint8(pipeline.generate([["red cube"]], 0, steps=4)[0]))
    assert pixels(after).shape == (64, 64, 3)
    assert report["start"] == 500
    assert list(report["before"]["found"]) == ["red cube"]
    assert list(report["after"]["missing"]) == ["blue cube"]


def test_one_thing_is_edited_and_the_rest_stays(client: Client, pipeline: Pipeline) -> None:
    before, after, place, report = client.predict(
        ["red cube", "cyan sphere"], ["red cube"], noise_seed=3, steps=5, api_name="/edit"
    )
    drawn = pipeline.generate([["red cube", "cyan sphere"]], 0, steps=5)
    np.testing.assert_array_equal(pixels(before), to_uint8(drawn[0]))
    kept = pixels(place) == 0
    np.testing.assert_array_equal(pixels(after)[kept], pixels(before)[kept])
    assert list(report["before"]["found"]) == list(report["after"]["found"]) == ["red cube"]
    assert list(report["before"]["missing"]) == ["cyan sphere"] and report["after"]["missing"] == {}
    with pytest.raises(Exception, match="(?i)labels stay as they are"):
        client.predict(["red cube"], ["red cube"], api_name="/edit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["red cub"]}, "did you mean 'red cube'"),
        ({"labels": []}, "at least one object"),
        ({"labels": ["red cube", "red cube"]}, "twice"),
        ({"labels": [f"{color} cube" for color in COLORS]}, "at most 5"),
        ({"labels": "red cube"}, "a list of labels"),
        ({"labels": ["red cube"], "seed": -1}, "seed must be a whole number from 0"),
        ({"labels": ["red cube"], "sampler": "euler"}, "allowed are ddpm, ddim, dpm"),
        ({"labels": ["red cube"], "steps": 0}, "steps must be a whole number from 1 to 1000"),
        ({"labels": ["red cube"], "steps": 1001}, "steps must be a whole number from 1 to 1000"),
        ({"labels": ["red cube"], "guidance": -1}, "guidance must be a number from 0"),
    ],
)
@pytest.mark.parametrize("name", ["generate", "trajectory", "emergence", "apart", "where", "gallery"])
def test_wrong_arguments_are_refused_with_a_message(client: Client, name: str, arguments: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?i){message}"):
        client.predict(**arguments, api_name=f"/{name}")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("trajectory", {"format": "avi"}, "allowed are png, large, strip, gif, slides, mp4, npz"),
        ("compare", {"a_steps": 0}, "steps must be a whole number from 1 to 1000"),
        ("compare", {"b_sampler": "euler"}, "allowed are ddpm, ddim, dpm"),
        ("compare", {"b_model": "absent"}, "model 'absent' is unknown"),
        ("compare", {"b_labels": ["red"]}, "unknown label 'red'"),
        ("compare", {"b_seed": -1}, "seed must be a whole number"),
        ("apart", {"index": 0}, "index must be a whole number from 1 to 1000"),
        ("trajectory", {"captions": "yes"}, "captions must be true or false"),
        ("gallery", {"count": 17}, "count must be a whole number from 1 to 16"),
        ("walk", {"to_labels": []}, "at least one object"),
        ("walk", {"to_labels": ["red cube"], "to_seed": -1}, "seed must be a whole number"),
        ("walk", {"to_labels": ["red cube"], "stops": 4}, "stops must be a whole number from 5 to 16"),
        ("edit", {"new_labels": ["red"]}, "unknown label 'red'"),
        ("edit", {"new_labels": ["blue cube"], "noise_seed": -1}, "seed must be a whole number"),
        ("redraw", {"new_labels": ["red"]}, "unknown label 'red'"),
        ("redraw", {"new_labels": ["red cube"], "percent": 0}, "percent must be a whole number from 1 to 100"),
        ("redraw", {"new_labels": ["red cube"], "noise_seed": 0.5}, "seed must be a whole number"),
    ],
)
def test_the_other_arguments_are_checked_too(client: Client, name: str, arguments: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?i){message}"):
        client.predict(labels=["red cube"], **arguments, api_name=f"/{name}")


def test_what_is_no_picture_is_refused_with_a_message(client: Client, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("no picture")
    with pytest.raises(ValidationError, match="(?i)note.png: this is not a picture"):
        client.predict(handle_file(tmp_path / "note.png"), api_name="/evaluate")


def test_only_uploaded_pictures_are_read(client: Client, tmp_path: Path) -> None:
    path = str(tmp_path / "own.png")
    to_picture(torch.zeros(3, 64, 64)).save(path)
    for picture in ({"path": path}, path, None):
        with pytest.raises(ValidationError, match="must be an uploaded file"):
            client.predict(picture, api_name="/evaluate")


def test_every_action_of_the_page_is_an_endpoint_and_nothing_else(endpoints: dict[str, Any]) -> None:
    assert set(endpoints) == {f"/{name}" for name in ENDPOINTS}


def test_every_endpoint_is_typed_and_described(endpoints: dict[str, Any]) -> None:
    for endpoint in endpoints.values():
        assert len(endpoint["description"]) > 60
        for parameter in endpoint["parameters"]:
            assert parameter["python_type"]["type"] not in ("", "Any")
    names = [parameter["parameter_name"] for parameter in endpoints["/generate"]["parameters"]]
    assert names == ["labels", "seed", "sampler", "steps", "guidance", "model"]
    assert [value["python_type"]["type"] for value in endpoints["/where"]["returns"][:2]] == [
        "filepath",
        "dict(str, filepath)",
    ]
    assert endpoints["/evaluate"]["parameters"][0]["python_type"]["type"] == "filepath"
    assert "probabilities: dict(str, float)" in endpoints["/evaluate"]["returns"][0]["python_type"]["type"]


def test_every_parameter_and_every_result_is_explained() -> None:
    from ddpm.demo.api.draw import Drawing
    from ddpm.demo.api.explore import Experiments

    for owner in (Drawing, Experiments):
        for name, work in vars(owner).items():
            if name.startswith("_"):
                continue
            for parameter in list(inspect.signature(work).parameters)[1:]:
                assert f"    {parameter}: " in inspect.getdoc(work), f"{name}: {parameter}"
            assert "Returns:" in inspect.getdoc(work)
