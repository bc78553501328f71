"""The pipeline: what a seed means, defaults, streams, and arguments that are refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm import Pipeline, checkpoint, pipeline
from ddpm.checkpoint import CheckpointError, ModelConfig
from ddpm.labels import LabelError, encode
from ddpm.networks import build
from ddpm.precision import cpu_dtype
from ddpm.samplers import SAMPLERS
from ddpm.schedule import NoiseSchedule
from ddpm.settings import Settings

CONFIG = ModelConfig(
    "tiny", "context_unet", {"width": 8}, "v", NoiseSchedule("cosine"), sampler="ddim", steps=4, guidance=2.0
)
SCENES = [["red cube"], ["blue sphere", "gray cube"], []]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        checkpoint.save(folder, build(CONFIG.network, CONFIG.options), CONFIG)
    return folder


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Pipeline:
    return Pipeline(*checkpoint.load(folder))  # in float32 on every CPU


def test_images_are_float32_on_the_cpu_within_one(pipe):
    x = pipe.generate(SCENES, seed=0)
    assert x.shape == (3, 3, 64, 64)
    assert x.dtype == torch.float32
    assert x.device.type == "cpu"
    assert x.abs().max() <= 1
    assert not x.requires_grad


@each_sampler
def test_a_batch_is_its_singles_with_seeds_that_count_up(pipe, sampler):
    batch = pipe.generate(SCENES, seed=5, sampler=sampler)
    for i, scene in enumerate(SCENES):
        torch.testing.assert_close(pipe.generate([scene], 5 + i, sampler)[0], batch[i], atol=1e-4, rtol=0)


def test_large_batches_are_drawn_in_parts_that_do_not_show(pipe, monkeypatch):
    whole = pipe.generate(SCENES, seed=5)
    monkeypatch.setattr(pipeline, "BATCH", 2)
    torch.testing.assert_close(pipe.generate(SCENES, seed=5), whole, atol=1e-4, rtol=0)


@each_sampler
def test_a_seed_means_the_same_image_and_another_seed_another(pipe, sampler):
    first = pipe.generate([["red cube"]], 7, sampler)
    torch.manual_seed(123)  # of no account
    assert torch.equal(pipe.generate([["red cube"]], 7, sampler), first)
    assert not torch.allclose(pipe.generate([["red cube"]], 8, sampler), first, atol=0.1)


def test_the_noise_is_that_of_a_cpu_generator_with_the_seed(pipe):
    first = next(pipe.stream([["red cube"]], seed=9))
    assert torch.equal(first.x[0], torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(9)))


def test_the_order_of_labels_is_of_no_account(pipe):
    assert torch.equal(pipe.generate([["gray cube", "blue sphere"]]), pipe.generate([["blue sphere", "gray cube"]]))


@each_sampler
def test_the_last_step_is_the_result(pipe, sampler):
    steps = list(pipe.stream(SCENES, 3, sampler, steps=5, guidance=1.0))
    assert [(step.index, step.total) for step in steps] == [(i, 5) for i in range(1, 6)]
    assert torch.equal(steps[-1].x0, pipe.generate(SCENES, 3, sampler, steps=5, guidance=1.0))


def test_defaults_come_from_the_config(pipe):
    assert pipe.settings() == Settings("ddim", 4, 2.0)
    assert pipe.settings("dpm++", guidance=0) == Settings("dpm++", 4, 0.0)
    assert torch.equal(pipe.generate(SCENES), pipe.generate(SCENES, 0, "ddim", 4, 2.0))


def test_guidance_zero_ignores_the_labels(pipe):
    assert torch.equal(pipe.generate([["red cube"]], guidance=0), pipe.generate([["blue sphere"]], guidance=0))
    assert not torch.equal(pipe.generate([["red cube"]], guidance=1), pipe.generate([["blue sphere"]], guidance=1))


@pytest.mark.parametrize("enabled", [True, False])
def test_a_stream_closed_early_leaves_the_grad_mode_alone(pipe, enabled):
    with torch.set_grad_enabled(enabled):
        stream = pipe.stream(SCENES)
        next(stream)
        assert torch.is_grad_enabled() == enabled
        next(stream)
        stream.close()
        assert torch.is_grad_enabled() == enabled


def test_streams_can_be_interleaved(pipe):
    alone = [step.x0 for step in pipe.stream([["red cube"]], 1, "ddpm")]
    pairs = zip(pipe.stream([["red cube"]], 1, "ddpm"), pipe.stream([["cyan cube"]], 2, "ddpm"), strict=True)
    for expected, (step, _) in zip(alone, pairs, strict=True):
        assert torch.equal(step.x0, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenes": []}, "no scenes: give at least one"),
        ({"scenes": ["red cube"]}, "scene 0: a scene is a list of labels"),
        ({"scenes": [["red cube"], ["pink cube"]]}, "scene 1: unknown label 'pink cube'"),
        ({"seed": -1}, "seed must be a whole number from 0 to 9223372036854775807, not -1"),
        ({"seed": 2**63}, "seed must be"),
        ({"seed": 1.0}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"seed": None}, "seed must be"),
        ({"sampler": "euler"}, "sampler 'euler' is unknown; allowed are ddpm, ddim, dpm++, sde-dpm++"),
        ({"sampler": ["ddim"]}, "is unknown"),
        ({"steps": 0}, "steps must be a whole number from 1 to 1000, not 0"),
        ({"steps": 1001}, "steps must be"),
        ({"steps": 2.5}, "steps must be"),
        ({"steps": "4"}, "steps must be"),
        ({"guidance": -0.1}, "guidance must be a number from 0 to 20, not -0.1"),
        ({"guidance": 20.1}, "guidance must be"),
        ({"guidance": math.nan}, "guidance must be"),
        ({"guidance": math.inf}, "guidance must be"),
        ({"guidance": 10**400}, "guidance must be"),
        ({"guidance": "2"}, "guidance must be"),
    ],
)
@pytest.mark.parametrize("method", ["generate", "stream"])
def test_arguments_out_of_range_are_refused_before_the_first_step(pipe, method, arguments, message):
    with pytest.raises(ValueError) as caught:
        getattr(pipe, method)(**{"scenes": SCENES, **arguments})
    assert message in str(caught.value)


def test_the_largest_seed_and_numpy_numbers_are_welcome(pipe):
    pipe.generate(SCENES, seed=2**63 - 1, steps=1)
    exact = pipe.generate([["red cube"]], seed=3, steps=2, guidance=1.5)
    assert torch.equal(pipe.generate([["red cube"]], np.int64(3), steps=np.int32(2), guidance=np.float32(1.5)), exact)


def test_seeds_count_on_beyond_a_small_number_of_numpy(pipe, monkeypatch):
    monkeypatch.setattr("ddpm.pipeline.BATCH", 2)
    scenes, exact = [["red cube"]] * 4, {"steps": 2, "sampler": "ddim"}
    assert torch.equal(pipe.generate(scenes, np.uint8(254), **exact), pipe.generate(scenes, 254, **exact))


def test_label_errors_keep_their_kind(pipe):
    with pytest.raises(LabelError):
        pipe.generate([["pink cube"]])


def test_a_checkpoint_folder_is_loaded_for_this_machine(folder, pipe):
    loaded = Pipeline.from_pretrained(str(folder), device="cpu")
    assert loaded.config == CONFIG
    assert loaded.dtype == cpu_dtype()
    assert (loaded.generate(SCENES) - pipe.generate(SCENES)).abs().mean() < 0.05


def test_bfloat16_draws_nearly_the_same_images_each_on_its_own(folder, pipe):
    short = Pipeline(*checkpoint.load(folder), dtype=torch.bfloat16)
    batch = short.generate(SCENES, seed=5)
    assert (batch - pipe.generate(SCENES, seed=5)).abs().mean() < 0.05
    for i, scene in enumerate(SCENES):
        assert (short.generate([scene], 5 + i)[0] - batch[i]).abs().mean() < 0.01


def test_pipelines_on_one_network_do_not_break_each_other(folder):
    network, config = checkpoint.load(folder)
    first = Pipeline(network, config)
    before = first.generate(SCENES)
    short = Pipeline(network, config, dtype=torch.bfloat16)
    short.generate(SCENES)
    assert torch.equal(first.generate(SCENES), before)
    assert all(weight.dtype == torch.float32 for weight in network.parameters())
    back = Pipeline(short.network, config)  # of rounded weights
    assert (back.generate(SCENES) - before).abs().mean() < 0.05
    short.generate(SCENES)


def test_the_precision_can_be_told(folder):
    for dtype in (torch.float32, torch.bfloat16):
        assert Pipeline.from_pretrained(folder, "cpu", dtype=dtype).dtype == dtype
    with pytest.raises(CheckpointError, match=r"dtype must be torch\.float32 or torch\.bfloat16, not torch\.int8"):
        Pipeline.from_pretrained(folder, "cpu", dtype=torch.int8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_saved_pipeline_is_loaded_again(pipe, tmp_path, dtype):
    pipe.save_pretrained(tmp_path / "saved", dtype)
    again = Pipeline.from_pretrained(tmp_path / "saved", "cpu", dtype=torch.float32)
    assert again.config == pipe.config
    exact = torch.equal(again.generate(SCENES), pipe.generate(SCENES))
    assert exact == (dtype == torch.float32)
    card = (tmp_path / "saved" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: text-to-image" in card and "# tiny" in card
    (tmp_path / "saved" / "README.md").write_text("a card of one's own", encoding="utf-8")
    pipe.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "README.md").read_text(encoding="utf-8") == "a card of one's own"


def test_a_model_is_pushed_to_the_hub(pipe, monkeypatch):
    import huggingface_hub

    asked = []

    class Api:
        def __init__(self, token: str | None) -> None:
            asked.append(token)

        def create_repo(self, repo: str, private: bool | None, exist_ok: bool) -> huggingface_hub.RepoUrl:
            asked.append((repo, private, exist_ok))
            return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo}")

        def upload_folder(self, repo_id: str, folder_path: Path, commit_message: str) -> None:
            asked.append((repo_id, sorted(path.name for path in folder_path.iterdir())))
            assert Pipeline.from_pretrained(folder_path, "cpu").config == CONFIG

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert pipe.push_to_hub("someone/tiny", private=True, token="hf_x") == "https://huggingface.co/someone/tiny"
    files = ["README.md", "config.json", "model.safetensors"]
    assert asked == ["hf_x", ("someone/tiny", True, True), ("someone/tiny", files)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_seed_means_the_same_image_on_a_gpu(folder, pipe):
    drawn = Pipeline.from_pretrained(folder, device="cuda").generate(SCENES, seed=5)
    assert drawn.device.type == "cpu"
    assert (drawn - pipe.generate(SCENES, seed=5)).abs().mean() < 0.01


def test_defaults_out_of_range_are_refused_with_the_checkpoint(tmp_path, folder):
    network, config = checkpoint.load(folder)
    for change, message in (({"steps": 5000}, "steps must be"), ({"guidance": 99.0}, "guidance must be")):
        checkpoint.save(tmp_path / "wrong", network, replace(config, **change))
        with pytest.raises(CheckpointError, match=f"wrong: {message}"):
            Pipeline.from_pretrained(tmp_path / "wrong")


@pytest.mark.parametrize("source", ["absent", "./absent/model", "checkpoints/absent", "/absent/model", "a/b/c", ""])
def test_folders_that_are_not_there_are_refused_without_the_network(source, tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the Hub"))
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        Pipeline.from_pretrained(source)


def test_a_model_of_the_hub_is_fetched(folder, tmp_path, monkeypatch):
    import huggingface_hub

    asked = []

    def fetch(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(folder)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert Pipeline.from_pretrained("someone/tiny", device="cpu").config == CONFIG
    assert asked == [("someone/tiny", ["model.safetensors", "config.json", "figures.json"])]


def test_a_hub_that_cannot_be_reached_is_a_clear_error(tmp_path, monkeypatch):
    import huggingface_hub

    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match="someone/tiny: neither a folder here nor a model of the Hub: no route"):
        Pipeline.from_pretrained("someone/tiny")


@each_sampler
def test_denoising_the_noise_of_a_seed_is_what_generate_does(pipe, sampler):
    x = pipe.noise([5, 6, 7])
    *_, last = pipe.denoise(x, encode(SCENES), pipe.settings(sampler), seed=5)
    torch.testing.assert_close(last.x0, pipe.generate(SCENES, 5, sampler), atol=1e-4, rtol=0)


def test_a_lower_start_takes_its_share_of_the_steps(pipe):
    steps = list(pipe.denoise(pipe.noise([0]), encode([[]]), pipe.settings(steps=10), start=500))
    assert [step.t for step in steps] == [500, 400, 300, 200, 100]
    assert len(list(pipe.denoise(pipe.noise([0]), encode([[]]), pipe.settings(steps=10), start=1))) == 1


def test_shapes_that_do_not_fit_are_refused(pipe):
    with pytest.raises(ValueError, match=r"must be \(N, 3, 64, 64\) and \(N, 24\)"):
        pipe.denoise(pipe.noise([0, 1]), encode([[]]), pipe.settings())


def test_a_trajectory_is_the_stream_with_its_own_settings(pipe):
    run = pipe.trajectory(SCENES, 5, "ddpm", 3, 1.5)
    assert (run.scenes, run.seed, run.settings) == (SCENES, 5, Settings("ddpm", 3, 1.5))
    for i, step in enumerate(pipe.stream(SCENES, 5, "ddpm", 3, 1.5)):
        assert torch.equal(run.x[i], step.x) and torch.equal(run.x0[i], step.x0) and run.timesteps[i] == step.t
    assert pipe.trajectory([["red cube"]]).settings == pipe.settings()
