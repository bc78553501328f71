"""ZeroGPU in emulation: the real `spaces` package, a stand-in for its device API, and a CPU in the GPU's place."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch

from ddpm import Pipeline, checkpoint
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule

PROGRAM = """
import json, multiprocessing, os, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

asked = []

class DeviceApi(BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(self.path)
        refused = "/schedule" in self.path and "refuse" in sys.argv
        body = json.dumps(dict(idle=False, nvidiaIndex=0, nvidiaUUID="none", allowToken="token")).encode()
        self.send_response(500 if refused else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

api = HTTPServer(("127.0.0.1", 0), DeviceApi)
threading.Thread(target=api.serve_forever, daemon=True).start()
os.environ["SPACES_ZERO_DEVICE_API_URL"] = f"http://127.0.0.1:{api.server_port}"

import torch
if torch.version.cuda is None:  # a build of torch without cuda lacks what `spaces` looks at
    torch.version.cuda, torch._C._cuda_init, torch.cuda._is_in_bad_fork = "12.8", None, bool
import spaces.zero
from spaces.zero.torch import patching

def move(callback=None):  # no GPU here: the tensors "on cuda" become what they are in truth
    for fake, original in patching.cuda_aliases.items():
        fake.data = original

spaces.zero.torch.pack, spaces.zero.torch.init, spaces.zero.torch.move = lambda: 0, lambda uuid: None, move
assert torch.cuda.is_available()  # so says the main process

import app
from ddpm import Evaluator, Pipeline
from ddpm.demo.hosting import zero
from ddpm.demo.theme import launch_options

if "lose" in sys.argv:  # the GPU, on the way
    packed = zero._packed

    def broken(step):
        if step.index == 7:
            raise RuntimeError("out of time")
        return packed(step)

    zero._packed = broken

folder = sys.argv[1]
pipeline = Pipeline.from_pretrained(folder, zero.DEVICE)
evaluator = Evaluator.from_pretrained(app.CHECKPOINTS / "evaluator", zero.DEVICE)
demo = app.build_demo(pipeline, evaluator, None, folder)
_, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(demo))
started = list(asked)

from gradio_client import Client
from PIL import Image
client = Client(url, verbose=False)
forwards = []
pipeline.network.register_forward_hook(lambda *_: forwards.append(1))

def draw(**settings):
    forwards.clear()
    before = len(asked)
    picture, _ = client.predict(["red cube"], 3, "ddim", guidance=2.0, api_name="/generate", **settings)
    return dict(size=Image.open(picture).size, forwards=len(forwards), asked=[p.split("?")[0] for p in asked[before:]])

print(json.dumps(dict(started=started, device=str(pipeline.device), short=draw(steps=5), long=draw(steps=500),
    duration=[p for p in asked if "schedule" in p][-1])), flush=True)
for worker in multiprocessing.active_children():
    worker.kill()
os._exit(0)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    options = {"width": 8}
    config = checkpoint.ModelConfig("tiny", "context_unet", options, "v", NoiseSchedule(), steps=5, guidance=2.0)
    checkpoint.save(folder, build("context_unet", options), config)
    return folder


def space(model: Path, home: Path, *arguments: str) -> dict:
    """Run the app as on ZeroGPU, with a home folder that can be written, and return what happened."""
    env = os.environ | {
        "SPACES_ZERO_GPU": "1",
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "GRADIO_ANALYTICS_ENABLED": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(model), *arguments], env=env, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]) | {"log": done.stderr}


@pytest.mark.slow
def test_short_runs_stay_on_the_cpu_and_long_ones_get_a_gpu(model: Path, tmp_path: Path) -> None:
    seen = space(model, tmp_path)
    assert seen["started"] == ["/startup-report"]  # spaces has found a decorated function
    assert seen["device"] == "cpu"
    assert seen["short"]["asked"] == [] and seen["short"]["forwards"] >= 5
    assert seen["long"]["asked"] == ["/schedule", "/allow", "/release"] and seen["long"]["forwards"] == 0
    assert "durationSeconds=30" in seen["duration"]  # 10 seconds, and 0.04 for each of 500 steps
    assert seen["long"]["size"] == [64, 64]


@pytest.mark.slow
def test_a_run_that_gets_no_gpu_is_drawn_on_the_cpu(model: Path, tmp_path: Path) -> None:
    seen = space(model, tmp_path, "refuse")
    assert seen["long"]["forwards"] >= 500 and seen["long"]["size"] == [64, 64]
    assert "no GPU for a run of 500 steps" in seen["log"]


@pytest.mark.slow
def test_a_run_that_loses_its_gpu_is_finished_on_the_cpu(model: Path, tmp_path: Path) -> None:
    seen = space(model, tmp_path, "lose")
    assert seen["long"]["forwards"] >= 500 and seen["long"]["size"] == [64, 64]
    assert "the GPU is gone after step 6 of 500, the CPU draws the rest: " in seen["log"]


@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_what_another_place_leaves_is_drawn_here(model: Path, count: int) -> None:
    pipe = Pipeline.from_pretrained(model, "cpu", torch.float32)
    other = pipe.shared(elsewhere=lambda *asked: islice(pipe.sample(*asked), count))
    whole, parts = (list(place.stream([["red cube"]], 3, "sde-dpm++", 6)) for place in (pipe, other))
    assert [step.index for step in parts] == [1, 2, 3, 4, 5, 6]
    for step, part in zip(whole, parts, strict=True):
        torch.testing.assert_close(part.x0, step.x0)


def test_both_places_draw_the_same_picture(model: Path) -> None:
    from ddpm.demo.hosting import zero
    from ddpm.settings import Settings

    pipe = Pipeline.from_pretrained(model, "cpu", torch.float32)
    x, conditions = pipe.noise([3, 4]), torch.zeros(2, 24)
    settings = Settings("sde-dpm++", 6, 2.0)
    for step in pipe.sample(x, conditions, settings, [3, 4]):
        again = zero._unpacked(zero._packed(step), pipe)
        assert (again.index, again.total, again.t) == (step.index, step.total, step.t)
        for name in ("x", "x0", "eps", "pull"):
            torch.testing.assert_close(getattr(again, name), getattr(step, name))


@pytest.mark.slow
def test_nothing_of_it_is_there_elsewhere() -> None:
    program = "import sys, app; from ddpm.demo.hosting import zero; print(zero.DEVICE, 'spaces' in sys.modules)"
    env = {key: value for key, value in os.environ.items() if key != "SPACES_ZERO_GPU"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=110)
    assert done.stdout.split() == ["None", "False"], done.stderr
