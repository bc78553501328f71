"""The page's work by program, through gradio_client."""

from pathlib import Path

import numpy as np
import pytest
from conftest import SEEN, STEPS
from gradio_client import Client
from gradio_client.exceptions import ValidationError
from PIL import Image

from ddpm import Pipeline


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(address, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_generate_returns_the_picture_of_the_pipeline_and_a_report(client: Client, pipeline: Pipeline) -> None:
    file, report = client.predict(["cyan sphere", "red cube"], 7, "dpm++", 4, 3.0, api_name="/generate")
    x = pipeline.generate([["red cube", "cyan sphere"]], seed=7, sampler="dpm++", steps=4, guidance=3.0)
    expected = x[0].add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    assert Path(file).suffix == ".png"
    np.testing.assert_array_equal(np.asarray(Image.open(file)), expected)
    assert report == {
        "labels": ["red cube", "cyan sphere"],
        "found": {"red cube": pytest.approx(0.9)},
        "missing": {"cyan sphere": pytest.approx(0.1)},
        "unrequested": {"gray cylinder": pytest.approx(0.8)},
        "seed": 7,
        "sampler": "dpm++",
        "steps": 4,
        "guidance": 3.0,
    }


def test_defaults_are_the_models_own(client: Client, pipeline: Pipeline) -> None:
    _, report = client.predict(["red cube"], api_name="/generate")
    assert report["seed"] == 0
    assert {key: report[key] for key in ("sampler", "steps", "guidance")} == {
        "sampler": pipeline.config.sampler,
        "steps": STEPS,
        "guidance": pipeline.config.guidance,
    }
    assert set(report["found"]) | set(report["unrequested"]) == set(SEEN)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["red cub"]}, "did you mean 'red cube'"),
        ({"labels": []}, "at least one object"),
        ({"labels": ["red cube", "red cube"]}, "twice"),
        ({"labels": [f"{color} cube" for color in ("gray", "red", "blue", "green", "brown", "cyan")]}, "at most 5"),
        ({"labels": "red cube"}, "a list of labels"),
        ({"labels": ["red cube"], "seed": -1}, "seed must be a whole number from 0"),
        ({"labels": ["red cube"], "sampler": "euler"}, "allowed are ddpm, ddim, dpm"),
        ({"labels": ["red cube"], "steps": 0}, "steps must be a whole number from 1 to 1000"),
        ({"labels": ["red cube"], "steps": 1001}, "steps must be a whole number from 1 to 1000"),
        ({"labels": ["red cube"], "guidance": -1}, "guidance must be a number from 0"),
    ],
)
def test_wrong_arguments_are_refused_with_a_message(client: Client, arguments: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?i){message}"):
        client.predict(**arguments, api_name="/generate")


def test_the_endpoint_is_described(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert list(endpoints) == ["/generate"]
    names = [parameter["parameter_name"] for parameter in endpoints["/generate"]["parameters"]]
    assert names == ["labels", "seed", "sampler", "steps", "guidance"]
    assert "diffusion model" in endpoints["/generate"]["description"]
