"""The few-step student: what it is taught, and that a run of it is a run like any other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm import Pipeline, checkpoint, labels
from ddpm.denoiser import Denoiser
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule
from training import distill, match
from training.loop.presets import DISTILLED, MATCHED, TrainConfig
from training.match import Drawn

SMALL = {"channels": [48, 48], "blocks": [1, 1, 1]}
COSINE = NoiseSchedule("cosine")


def small(name: str) -> TrainConfig:
    """A preset of the student with a network of a few seconds."""
    return replace(DISTILLED[name], options=SMALL, images=32, batch=8, warmup=0)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(0)
    network = build("unet", SMALL)
    with torch.no_grad():  # at the start the last layer is zero: such a network answers the same to everything
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.02)
    checkpoint.save(folder, network, checkpoint.ModelConfig("teacher", "unet", SMALL, "v", COSINE, guidance=2.5))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    for i in range(8):
        Image.new("RGB", (64, 64), (30 * i, 90, 200)).save(folder / "images" / f"{i}.png")
    (folder / "labels.json").write_text(json.dumps({f"{i}.png": ["red cube"] for i in range(8)}))
    return str(folder)


def test_the_calls_of_both_networks_are_the_whole_way():
    assert distill.calls(DISTILLED["fast-coarse"]) == [(1000, 750), (750, 500)]
    assert distill.calls(DISTILLED["fast-fine"]) == [(500, 250), (250, 0)]


@pytest.mark.parametrize(("t", "s"), [(1000, 750), (750, 500), (250, 0)])
def test_one_step_of_ddim_with_the_target_ends_at_the_teachers_point(t, s):
    x0, noise = torch.rand((2, 2, 3, 64, 64), generator=torch.Generator().manual_seed(t)).mul(1.8).sub(0.9)
    alpha, sigma = COSINE.coefficients(t, x0)
    alpha_s, sigma_s = COSINE.coefficients(s, x0)
    x_t = alpha * x0 + sigma * noise
    x_s = alpha_s * (0.9 * x0 + 0.05) + sigma_s * (x_t - alpha * (0.9 * x0 + 0.05)) / sigma
    target = distill.clean_target(COSINE, x_t, t, x_s, s)
    torch.testing.assert_close(target, 0.9 * x0 + 0.05, atol=1e-4, rtol=0)
    eps = (x_t - alpha * target) / sigma
    torch.testing.assert_close(alpha_s * target + sigma_s * eps, x_s, atol=1e-4, rtol=0)


def test_the_teachers_way_to_the_first_point_is_its_samplers(teacher):
    pipe = Pipeline.from_pretrained(teacher, "cpu")
    scenes = [["red cube"], ["blue sphere", "gray cube"]]
    frames = list(pipe.stream(scenes, seed=3, sampler="dpm++", steps=distill.SUBSTEPS * 4, guidance=2.5))
    with torch.no_grad():
        found = distill.interval(pipe, frames[0].x, labels.encode(scenes), 1000, 750, 2.5)
    torch.testing.assert_close(found, frames[distill.SUBSTEPS].x, atol=1e-4, rtol=1e-4)


def test_the_teachers_last_way_ends_in_a_picture(teacher):
    pipe = Pipeline.from_pretrained(teacher, "cpu")
    x, y = pipe.noise([1]), labels.encode([["red cube"]])
    with torch.no_grad():
        found = distill.interval(pipe, x, y, 250, 0, 2.5)
    assert found.abs().max() <= 1


@pytest.mark.parametrize("name", sorted(DISTILLED))
def test_a_lesson_has_an_example_for_every_call(teacher, name):
    pipe = Pipeline.from_pretrained(teacher, "cpu")
    student = distill.Denoiser(pipe.network, COSINE, "v", dtype=pipe.dtype)
    x0 = torch.zeros((2, 3, 64, 64))
    y = labels.encode([["red cube"], ["gray cube"]])
    rows = distill.lesson(pipe, student, small(name), x0, y, torch.Generator().manual_seed(0))
    assert [row[1] for row in rows] == [t for t, _ in distill.calls(small(name)) for _ in range(2)]
    assert all(torch.equal(row[2], y[i % 2]) for i, row in enumerate(rows))
    assert all(row[3].abs().max() <= 1 for row in rows)


def test_the_later_calls_begin_where_the_earlier_ones_come_to(teacher):
    pipe = Pipeline.from_pretrained(teacher, "cpu")
    student = distill.Denoiser(pipe.network, COSINE, "v", dtype=pipe.dtype)
    x0, y = torch.zeros((8, 3, 64, 64)), labels.encode([["red cube"]] * 8)
    fine, seed = small("fast-fine"), torch.Generator().manual_seed
    rows = distill.lesson(pipe, student, fine, x0, y, seed(4), before=student)[:8]
    noise = torch.randn(x0.shape, generator=seed(4))
    with torch.no_grad():
        x = noise
        for t, s in ((1000, 750), (750, 500)):
            x = distill.step(student, x, y, t, s)
    came = [torch.allclose(row[0], x[i], atol=1e-4) for i, row in enumerate(rows)]
    noised = [torch.allclose(row[0], COSINE.add_noise(x0, noise, 500)[i], atol=1e-4) for i, row in enumerate(rows)]
    assert any(came) and any(noised) and all(a != b for a, b in zip(came, noised, strict=True))


def test_a_run_leaves_a_network_of_the_student_and_goes_on(teacher, data, tmp_path):
    other = replace(small("fast-coarse"), learning_rate=1e-5)
    distill.distill(small("fast-coarse"), teacher, data, tmp_path, minutes=1e-9, resume=False)
    first = len((tmp_path / "log.csv").read_text().splitlines())
    distill.distill(small("fast-coarse"), teacher, data, tmp_path, minutes=None, resume=True)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["seen"] == 32
    assert len((tmp_path / "log.csv").read_text().splitlines()) > first
    _, config = checkpoint.load(tmp_path / "checkpoint")
    assert (config.sampler, config.steps, config.guidance, config.prediction) == ("ddim", 4, 1.0, "v")
    with pytest.raises(ValueError, match="holds a run already: add --resume"):
        distill.distill(small("fast-coarse"), teacher, data, tmp_path, None, resume=False)
    with pytest.raises(ValueError, match="belongs to another config"):
        distill.distill(other, teacher, data, tmp_path, None, resume=True)


def test_another_schedule_cannot_be_learned_from(teacher, data, tmp_path):
    with pytest.raises(ValueError, match="another schedule or prediction"):
        distill.distill(
            replace(small("fast-fine"), schedule=NoiseSchedule("linear")), teacher, data, tmp_path / "x", None, False
        )


@pytest.mark.parametrize("wrong", [["--images", "0"], ["--minutes", "-1"], ["--teacher", "absent"]])
def test_a_wrong_command_line_leaves_nothing(data, tmp_path, capsys, wrong):
    with pytest.raises(SystemExit):
        distill.main(["--preset", "fast-fine", "--data", data, "--out", str(tmp_path / "run"), *wrong])
    assert wrong[0].strip("-") in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# --- Distribution matching: training.match ---


def small_match(name: str) -> TrainConfig:
    return replace(MATCHED[name], options=SMALL, images=32, batch=8)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


Y = labels.encode([["red cube"], ["gray cube"]])


def test_the_presets_go_on_with_the_networks_of_the_student():
    for half in ("coarse", "fine"):
        one, other = MATCHED[f"match-{half}"], DISTILLED[f"fast-{half}"]
        assert (one.since, one.until, one.network, one.options) == (
            other.since,
            other.until,
            other.network,
            other.options,
        )
        assert (one.sampler, one.steps, one.guidance) == ("ddim", 4, 1.0)


@pytest.mark.parametrize("s", [0, 250, 750])
def test_noise_on_the_way_adds_up_to_that_of_the_timestep(s: int):
    x0, noise = 0.3 * normal(2, 3, 64, 64), normal(2, 3, 64, 64, seed=1)
    tau = torch.tensor([s + 1, s + 200])
    x_s = COSINE.add_noise(x0, normal(2, 3, 64, 64, seed=2), s) if s else x0
    x, share = match.noised(COSINE, Drawn(x_s, s, Y), tau, noise)
    alpha, sigma = COSINE.coefficients(tau, x0)
    residual = x - alpha * x0
    torch.testing.assert_close(residual.std((1, 2, 3)), sigma.flatten(), rtol=0.03, atol=0)
    assert (share <= sigma + 1e-6).all()


def exact(x0: torch.Tensor, clip: bool = False) -> Denoiser:
    """The denoiser of a world with no pictures but these, each drawn again and again."""

    def network(x: torch.Tensor, time: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        alpha, sigma = COSINE.coefficients((time * COSINE.steps).round().long(), x)
        return (alpha * x - x0) / sigma  # v at which x0 is that

    return Denoiser(network, COSINE, "v", clip=clip)


def test_a_companion_that_knows_what_is_drawn_expects_the_noise():
    x0 = 0.5 * normal(2, 3, 64, 64)
    tau, noise = torch.tensor([30, 240]), normal(2, 3, 64, 64, seed=1)
    assert match.fake_loss(exact(x0), Drawn(x0, 0, Y), tau, noise) < 1e-6
    assert match.fake_loss(exact(x0 + 0.1), Drawn(x0, 0, Y), tau, noise) > 0.01


def test_from_noisy_pictures_the_best_guess_of_the_new_noise_is_its_share_of_all():
    x0, s, tau = torch.zeros(64, 3, 64, 64), 500, torch.full((64,), 700)
    drawn = Drawn(COSINE.add_noise(x0, normal(64, 3, 64, 64), s), s, Y[:1].expand(64, -1))
    x, share = match.noised(COSINE, drawn, tau, normal(64, 3, 64, 64, seed=1))
    _, sigma = COSINE.coefficients(tau, x)
    wanted = 1 - float((share / sigma)[0]) ** 2  # the variance that no denoiser can explain
    found = match.fake_loss(exact(x0), drawn, tau, normal(64, 3, 64, 64, seed=1))
    assert found.item() == pytest.approx(wanted, rel=0.01)


def test_a_student_that_draws_as_the_teacher_stays_and_another_moves_to_it():
    there, elsewhere = 0.5 * normal(2, 3, 64, 64), 0.5 * normal(2, 3, 64, 64, seed=3)
    tau, noise = torch.tensor([30, 240]), normal(2, 3, 64, 64, seed=1)
    drawn = Drawn(there, 0, Y)
    move = match.direction(exact(there), exact(there), drawn, there, tau, noise)
    assert move.abs().max() < 1e-3
    move = match.direction(exact(elsewhere), exact(there), drawn, there, tau, noise)
    cosine = torch.nn.functional.cosine_similarity(move.flatten(1), (elsewhere - there).flatten(1))
    assert (cosine > 0.999).all()
    torch.testing.assert_close(move.abs().mean((1, 2, 3)), torch.ones(2), atol=0.01, rtol=0)


@pytest.mark.parametrize(("s", "until"), [(750, 1000), (500, 1000), (250, 500), (0, 500)])
def test_a_call_is_matched_at_the_noise_of_its_network_that_it_leaves(s: int, until: int):
    tau = match.timesteps(Drawn(torch.zeros(4000, 1), s, Y), until, torch.Generator().manual_seed(0))
    assert (int(tau.min()), int(tau.max())) == (max(s, match.LEAST) + 1, until)


def test_a_call_begins_where_the_student_itself_comes_to(teacher: Path):
    student = Denoiser(Pipeline.from_pretrained(teacher, "cpu", torch.float32).network, COSINE, "v")
    x = normal(2, 3, 64, 64)
    with torch.no_grad():
        whole = x
        for t, s in ((1000, 750), (750, 500), (500, 250)):
            whole = match.step(student, whole, Y, t, s)
    found, t, s = match.beginning(student, small_match("match-fine"), 1, x, Y, before=student)
    torch.testing.assert_close(found, whole)
    assert (t, s) == (250, 0)


def test_other_pictures_and_scenes_with_a_repeat_are_not_learned_from(teacher: Path, data: str, tmp_path: Path):
    config, other = small("fast-fine"), tmp_path / "other"
    (other / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(other / "images" / "a.png")
    (other / "labels.json").write_text('{"a.png": ["red cube", "red cube"]}')
    with pytest.raises(ValueError, match="shows labels twice"):
        distill.distill(config, teacher, str(other), tmp_path / "run", None, False)
    with pytest.raises(ValueError, match="shows labels twice"):
        match.match(small_match("match-fine"), teacher, teacher, str(other), tmp_path / "run", None, False)
    assert not (tmp_path / "run").exists()
    distill.distill(replace(config, images=8), teacher, data, tmp_path / "run", None, False)
    (other / "labels.json").write_text('{"a.png": ["red cube"]}')
    with pytest.raises(ValueError, match=r"run was trained on 8 pictures; .*other holds 1"):
        distill.distill(config, teacher, str(other), tmp_path / "run", None, True)


@pytest.mark.parametrize("name", sorted(MATCHED))
def test_a_run_changes_the_student_and_goes_on(teacher: Path, data: str, tmp_path: Path, monkeypatch, name: str):
    monkeypatch.setattr(match, "FIRST", 2)
    out, before = tmp_path / "run", teacher if name == "match-fine" else None

    def run(images: int, resume: bool = True) -> dict:
        config = replace(small_match(name), images=images)
        match.match(config, teacher, teacher, data, out, minutes=None, resume=resume, before_folder=before)
        return torch.load(out / "state.pt", weights_only=True)

    state = run(16, resume=False)
    begun = checkpoint.load(teacher)[0].state_dict()
    assert state["seen"] == 16
    for part in ("network", "fake"):
        assert any(not torch.equal(weight, begun[key]) for key, weight in state[part].items())
    again = run(16)  # nothing is left to do: what was saved is saved once more
    for part in ("network", "fake", "ema"):
        assert all(torch.equal(weight, state[part][key]) for key, weight in again[part].items())
    for part in ("optimizer", "fake_optimizer"):
        moments = [found[part]["state"][0]["exp_avg"] for found in (state, again)]
        assert moments[0].abs().sum() > 0 and torch.equal(*moments)
    assert run(32)["seen"] == 32
    _, config = checkpoint.load(out / "checkpoint")
    assert (config.sampler, config.steps, config.guidance, config.training["preset"]) == ("ddim", 4, 1.0, name)
    with pytest.raises(ValueError, match="holds a run already: add --resume"):
        match.match(small_match(name), teacher, teacher, data, out, None, resume=False)
    with pytest.raises(ValueError, match="belongs to another config"):
        match.match(replace(small_match(name), learning_rate=1e-5), teacher, teacher, data, out, None, resume=True)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (["--images", "0"], "--images must be at least 1, got 0"),
        (["--minutes", "-1"], "--minutes must be more than 0, got -1"),
        (["--teacher", "absent"], "absent: there is no such checkpoint folder"),
        (["--student", "absent"], "absent"),
        (["--before", "x", "--preset", "match-coarse"], "--before is for a preset of the later calls"),
        (["--student", "LATER", "--preset", "match-coarse"], "has networks for t / T up to 0.5, but none up to 1"),
    ],
)
def test_a_wrong_command_line_of_matching_leaves_nothing(
    teacher: Path, data: str, tmp_path: Path, capsys, wrong: list[str], reason: str
):
    if "LATER" in wrong:
        network, config = checkpoint.load(teacher)
        checkpoint.save(tmp_path / "later", network, replace(config, training={"until": 0.5}))
        wrong = [str(tmp_path / "later") if part == "LATER" else part for part in wrong]
    run = ["--preset", "match-fine", "--student", str(teacher), "--data", data, "--out", str(tmp_path / "run"), *wrong]
    with pytest.raises(SystemExit):
        match.main(run)
    assert reason in capsys.readouterr().err.split("error: ")[1]
    assert not (tmp_path / "run").exists()
