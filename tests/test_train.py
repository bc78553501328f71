"""The training loop: deterministic, resumable to the bit, and never leaving half a checkpoint behind."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm import Pipeline, checkpoint
from ddpm.denoiser import Denoiser, target
from ddpm.networks.staged import Staged
from ddpm.schedule import NoiseSchedule
from training.loop import dataset
from training.loop.pairs import HELD_OUT
from training.loop.presets import PRESETS
from training.loop.run import generator, learning_rate_factor, read_log
from training.train import batch_indices, draw_timesteps, main, timestep_weights, train

ROOT = Path(__file__).parents[1]
TINY = replace(PRESETS["tiny"], images=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twenty pictures of noise, with layouts of noise, in the form of a rendered folder."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    pixels = torch.randint(0, 256, (20, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for i, picture in enumerate(pixels):
        Image.fromarray(picture.numpy()).save(folder / "images" / f"{i}.png")
    np.save(folder / "layouts.npy", np.random.default_rng(0).integers(0, 25, (20, 16, 16), dtype=np.uint8))
    names = ", ".join(f'"{i}.png": ["{"red" if i % 2 else "cyan"} cube"]' for i in range(20))
    (folder / "labels.json").write_text("{" + names + "}")
    return str(folder)


def state(folder: Path) -> dict:
    return torch.load(folder / "state.pt", weights_only=True)


def flatten(value):
    if isinstance(value, dict):
        return [leaf for key in value for leaf in flatten(value[key])]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flatten(item)]
    return [value]


def same(a: dict, b: dict) -> bool:
    pairs = zip(flatten(a), flatten(b), strict=True)
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)


def test_every_epoch_shows_every_picture_once():
    epoch = torch.cat([batch_indices(0, seen, 8, 20) for seen in range(0, 40, 8)])
    assert sorted(epoch[:20].tolist()) == sorted(epoch[20:].tolist()) == list(range(20))
    assert epoch[:20].tolist() != epoch[20:].tolist()


def test_another_seed_is_another_run():
    orders = {tuple(batch_indices(seed, 0, 8, 1000).tolist()) for seed in range(4)}
    numbers = {torch.rand((), generator=generator(seed, seen)).item() for seed in range(4) for seen in (0, 8, 2**40)}
    assert (len(orders), len(numbers)) == (4, 12)
    assert batch_indices(3, 0, 8, 1000).tolist() == batch_indices(3, 0, 8, 1000).tolist()


def test_scenes_with_a_repeat_are_not_trained_on(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels.json").write_text('{"a.png": ["red cube", "red cube"]}')
    with pytest.raises(ValueError, match="shows labels twice"):
        train(TINY, str(tmp_path), tmp_path / "run")


def test_the_learning_rate_rises_stays_and_falls():
    config = replace(TINY, images=1000, warmup=100, batch=10, decay=0.5)
    factors = [learning_rate_factor(config, seen) for seen in range(0, 1000, 10)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:50] == [1.0] * 41
    assert factors[75] == pytest.approx(0.5)
    assert factors[-1] == pytest.approx(0.02)


@pytest.mark.parametrize("skew", [1.0, 0.5])
def test_timesteps_are_skewed_towards_noise(skew):
    config = replace(TINY, batch=20_000, skew=skew)
    t = draw_timesteps(config, torch.Generator().manual_seed(0))
    assert t.dtype == torch.int64
    assert t.min() >= 1
    assert t.max() == config.schedule.steps
    # The share up to a timestep s is (s / T)^(1 / skew)
    for share in (0.1, 0.5, 0.9):
        assert (t <= share * config.schedule.steps).double().mean() == pytest.approx(share ** (1 / skew), abs=0.01)


@pytest.mark.parametrize(("since", "until", "first", "last"), [(0.0, 0.3, 1, 300), (0.04, 0.5, 41, 500)])
def test_timesteps_begin_and_end_where_the_config_says(since: float, until: float, first: int, last: int):
    config = replace(TINY, batch=20_000, since=since, until=until, skew=1.0)
    t = draw_timesteps(config, torch.Generator().manual_seed(0))
    assert (t.min(), t.max()) == (first, last)
    assert t.double().mean() == pytest.approx((first + last) / 2, abs=3)


def test_weights_lead_from_the_loss_on_v_to_that_on_x0():
    t = torch.tensor([40, 200, 500])
    x0, eps, error = torch.randn((3, 3, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    assert timestep_weights(replace(TINY, balance=0.0), t).flatten().tolist() == [1, 1, 1]
    # The same error in v, seen as one in x0
    x_t, alpha_bar = TINY.schedule.add_noise(x0, eps, t), TINY.schedule.alpha_bar[t]
    off = Denoiser(lambda *_: target("v", x0, eps, alpha_bar) + error, TINY.schedule, "v", clip=False)
    wrong = off(x_t, t, torch.zeros(3, 24)).x0
    weights = timestep_weights(replace(TINY, balance=2.0), t)
    torch.testing.assert_close(weights * error.square(), (wrong - x0).square(), atol=1e-5, rtol=1e-4)


def test_the_loss_on_the_noise_is_lifted_to_that_on_v():
    t = torch.tensor([1, 300, 400, 1000])
    report = replace(TINY, prediction="eps", schedule=NoiseSchedule("linear"))
    assert timestep_weights(report, t).flatten().tolist() == [1, 1, 1, 1]
    x0, eps, error = torch.randn((3, 4, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    alpha_bar = report.schedule.alpha_bar[t]
    x_t, y = report.schedule.add_noise(x0, eps, t), torch.zeros(4, 24)
    wrong = Denoiser(lambda *_: eps + error, report.schedule, "eps", clip=False)(x_t, t, y)
    v = target("v", wrong.x0, wrong.eps, alpha_bar) - target("v", x0, eps, alpha_bar)
    weights = timestep_weights(replace(report, lift=2.0), t)
    torch.testing.assert_close((weights * error.square())[:3], v.square()[:3], atol=1e-4, rtol=1e-3)
    assert weights[3] == 10  # at T the noise says next to nothing of v, and would outweigh all else


@pytest.mark.parametrize("until", [0.5, 1.0])
def test_a_network_for_part_of_the_way_is_shown_by_true_pictures_drawn_again(data, tmp_path, monkeypatch, until):
    monkeypatch.setattr("training.train.SAMPLE_EVERY", 0.0)
    train(replace(TINY, images=16, until=until), str(data), tmp_path / "run")
    with Image.open(tmp_path / "run" / "samples" / "00000016.png") as sheet:
        assert sheet.size == (6 * 64, 2 * 64)
        above = torch.from_numpy(np.array(sheet))[:64].unflatten(1, (6, 64)).transpose(0, 1)
    truth = dataset.load(data)[0][-6:].permute(0, 2, 3, 1)
    assert torch.equal(above, truth) == (until < 1)


def test_a_focused_loss_is_another_loss(data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    layouts = np.full((20, 16, 16), 24, dtype=np.uint8)
    layouts[:, 3, 4] = 0
    np.save(tmp_path / "data" / "layouts.npy", layouts)
    losses = set()
    for focus in (0.0, 4.0):
        train(replace(TINY, images=16, focus=focus, layout=0.0), str(tmp_path / "data"), tmp_path / str(focus))
        losses.add((tmp_path / str(focus) / "log.csv").read_text().splitlines()[1].split(",")[1])
    assert len(losses) == 2


@pytest.fixture
def both(tmp_path):
    """A joined model and its folder."""
    options = {"until": [0.5, 1], "options": [TINY.options] * 2}
    pair = Staged(**options)
    checkpoint.save(tmp_path / "both", pair, checkpoint.ModelConfig("any", "staged", options, "v", TINY.schedule))
    return pair, tmp_path / "both"


def test_a_joined_model_without_a_network_for_these_timesteps_is_no_beginning(data, tmp_path, both):
    with pytest.raises(ValueError, match=r"up to 0.5, 1, but none up to 0.3"):
        train(replace(TINY, until=0.3), data, tmp_path / "run", init=both[1])


@pytest.mark.parametrize("until, stage", [(0.5, 0), (1.0, 1)])
def test_of_a_joined_model_the_network_for_these_timesteps_is_trained_on(data, tmp_path, both, until, stage):
    pair, folder = both
    still = replace(TINY, images=8, until=until, learning_rate=0.0)
    train(still, data, tmp_path / "run", init=folder)
    trained, config = checkpoint.load(tmp_path / "run" / "checkpoint")
    assert config.training["until"] == until
    for a, b in zip(trained.parameters(), pair.stages[stage].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0.01)  # stored in float16


@pytest.mark.parametrize("muon", [0.0, 1e-3])
def test_a_resumed_run_continues_to_the_bit(data, tmp_path, muon):
    config = replace(TINY, muon=muon)
    train(config, data, tmp_path / "whole")
    # Stopped after each single step, six times; then to the end
    for _ in range(6):
        train(config, data, tmp_path / "parts", minutes=0, resume=True)
    assert state(tmp_path / "parts")["seen"] == 48
    train(config, data, tmp_path / "parts", resume=True)
    assert same(state(tmp_path / "whole"), state(tmp_path / "parts"))


def test_a_log_may_come_back_from_a_spreadsheet(tmp_path):
    (tmp_path / "log.csv").write_text("images,loss\n8,0.5\n16,0.4\n", encoding="utf-8-sig")
    assert [row["images"] for row in read_log(tmp_path / "log.csv", 8)] == ["8"]
    (tmp_path / "log.csv").write_text("images;loss\n8;0.5\n")
    with pytest.raises(ValueError, match=r"log\.csv is no log of a training"):
        read_log(tmp_path / "log.csv", 8)


def test_what_a_run_leaves_is_a_checkpoint(data, tmp_path):
    train(TINY, data, tmp_path)
    pipe = Pipeline.from_pretrained(tmp_path / "checkpoint")
    assert pipe.config.training["images_seen"] == 64
    assert pipe.generate([["red cube"]], steps=2).shape == (1, 3, 64, 64)
    assert (tmp_path / "log.csv").read_text().startswith("images,loss,layout_loss,lr,images_per_second\n64,")
    assert (tmp_path / "log.csv").read_text().splitlines()[1].split(",")[2] > "1"  # about ln 25


def test_without_the_layout_a_run_needs_no_layouts(data, tmp_path):
    bare = tmp_path / "data"
    shutil.copytree(data, bare, ignore=shutil.ignore_patterns("layouts.npy"))
    with pytest.raises(ValueError, match="a preset with layout = 0 needs none"):
        train(TINY, str(bare), tmp_path / "run")
    train(replace(TINY, layout=0.0), str(bare), tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint" / "config.json").exists()


def test_any_preset_is_trained_on_the_labs_data(data, tmp_path, monkeypatch, capsys):
    lab = tmp_path / "lab"
    shutil.copytree(f"{data}/images", lab / "iclevr")
    (lab / "train.json").write_bytes((Path(data) / "labels.json").read_bytes())
    arguments = ["--preset", "tiny", "--images", "16", "--data", f"iclevr:{lab / 'iclevr'}", "--out", str(lab / "run")]
    monkeypatch.setattr("sys.argv", ["train", *arguments])
    main()
    assert "has no layouts: the layout loss" in capsys.readouterr().out
    assert Pipeline.from_pretrained(lab / "run" / "checkpoint").generate([["red cube"]], steps=1).shape == (
        1,
        3,
        64,
        64,
    )


def test_a_run_can_begin_with_the_weights_of_another(data, tmp_path):
    train(TINY, data, tmp_path / "first")
    first = checkpoint.load(tmp_path / "first" / "checkpoint")[0].state_dict()
    train(replace(TINY, images=8, learning_rate=0.0), data, tmp_path / "second", init=tmp_path / "first" / "checkpoint")
    second = checkpoint.load(tmp_path / "second" / "checkpoint")[0].state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    with pytest.raises(ValueError, match="holds another network"):
        train(PRESETS["default"], data, tmp_path / "third", init=tmp_path / "first" / "checkpoint")


def test_a_run_is_not_overwritten(data, tmp_path):
    train(TINY, data, tmp_path)
    with pytest.raises(ValueError, match="holds a run already"):
        train(TINY, data, tmp_path)
    with pytest.raises(ValueError, match="another config"):
        train(replace(TINY, learning_rate=0.1), data, tmp_path, resume=True)


def test_a_run_from_before_a_choice_was_there_goes_on(data, tmp_path):
    train(replace(TINY, images=32), data, tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["config"]["lift"]
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="another config"):
        train(replace(TINY, lift=2.0), data, tmp_path, resume=True)
    train(TINY, data, tmp_path, resume=True)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["seen"] == TINY.images


def test_a_damaged_state_is_named(data, tmp_path):
    train(TINY, data, tmp_path)
    whole = (tmp_path / "state.pt").read_bytes()
    for content in (whole[: len(whole) // 2], b"hi there\n", b""):
        (tmp_path / "state.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"state\.pt cannot be read: it is damaged"):
            train(TINY, data, tmp_path, resume=True)
    torch.save({"network": {}}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match=r"state\.pt is not the state of a training"):
        train(TINY, data, tmp_path, resume=True)


def start(data: str, out: Path) -> subprocess.Popen:
    code = (
        "import training.train as t; from pathlib import Path; from dataclasses import replace; t.SAVE_EVERY = 0;"
        f"t.train(replace(t.PRESETS['tiny'], images=10**6), {data!r}, Path({str(out)!r}), resume=True)"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)


def wait_for(path: Path, newer_than: float, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.stat().st_mtime <= newer_than:
        assert process.poll() is None, "the training ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_whole_checkpoints(data, tmp_path):
    # It saves after every step here, so that most kills hit a save
    seen = 0
    for delay in (0.0, 0.017, 0.04):
        before = (tmp_path / "state.pt").stat().st_mtime if seen else 0.0
        process = start(data, tmp_path)
        wait_for(tmp_path / "state.pt", before, process)
        wait_for(tmp_path / "checkpoint" / "config.json", before, process)
        time.sleep(delay)
        process.kill()
        process.wait()
        assert state(tmp_path)["seen"] > seen
        seen = state(tmp_path)["seen"]
        Pipeline.from_pretrained(tmp_path / "checkpoint")


@pytest.mark.slow
def test_ctrl_c_saves_and_ends_cleanly(data, tmp_path):
    process = start(data, tmp_path)
    wait_for(tmp_path / "checkpoint" / "config.json", 0.0, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert state(tmp_path)["seen"] > 0


def test_held_out_pairs_are_left_out(data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    entries = json.loads((folder / "labels.json").read_text())
    (folder / "labels.json").write_text(json.dumps({**entries, **{f"{i}.png": HELD_OUT[i] for i in range(5)}}))
    train(replace(TINY, images=8, hold_out=True), str(folder), tmp_path / "run")
    assert state(tmp_path / "run")["pictures"] == 15


def test_what_is_refused_leaves_no_folder(data, tmp_path):
    for wrong in ({"data": str(tmp_path / "absent")}, {"init": tmp_path / "absent"}):
        with pytest.raises((ValueError, OSError)):
            train(TINY, wrong.get("data", data), tmp_path / "run", init=wrong.get("init"))
        assert not (tmp_path / "run").exists()


def test_a_full_disk_is_an_error_of_the_file_and_leaves_the_old_state(tmp_path, monkeypatch):
    from training.loop.run import write_state

    write_state(tmp_path / "state.pt", {"seen": 1})

    def full(state: object, part: Path) -> None:
        part.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed\nmore")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"state\.pt cannot be written: PytorchStreamWriter failed .* file write failed$"):
        write_state(tmp_path / "state.pt", {"seen": 2})
    assert torch.load(tmp_path / "state.pt", weights_only=True) == {"seen": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
