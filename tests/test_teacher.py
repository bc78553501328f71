"""Learning from a teacher: its predictions at another schedule's timesteps, and a run that learns them."""

from dataclasses import replace

import pytest
import torch

from ddpm import Pipeline
from ddpm.denoiser import Denoiser
from ddpm.schedule import NoiseSchedule
from tests.test_train import TINY, data  # noqa: F401
from training.loop.presets import PRESETS
from training.loop.run import LOG, read_log
from training.loop.teacher import teacher_of
from training.train import main, train

LINEAR = NoiseSchedule("linear")


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline.from_pretrained("checkpoints/default")


def scenes(count):
    random = torch.Generator().manual_seed(0)
    x = torch.randn((count, 3, 64, 64), generator=random)
    return x, torch.eye(24)[:count]


def test_at_its_own_schedule_it_predicts_what_the_model_predicts(pipeline):
    schedule = pipeline.config.schedule
    (x, y), t = scenes(3), torch.tensor([1000, 501, 7])
    own = Denoiser(pipeline.network, schedule, "v", 2.5, pipeline.dtype)
    with torch.no_grad():
        found, expected = teacher_of(pipeline, schedule, 2.5)(x, t, y), own(x, t, y)
    torch.testing.assert_close(found.x0, expected.x0, atol=1e-5, rtol=0)


def test_at_another_schedule_it_is_asked_where_as_much_of_the_picture_is_left(pipeline, monkeypatch):
    asked = []

    def network(x, time, labels):
        asked.append(time)
        return torch.zeros_like(x)

    monkeypatch.setattr(pipeline, "ask", network)
    (x, y), t = scenes(4), torch.tensor([900, 500, 100, 20])
    teacher_of(pipeline, LINEAR, 1.0)(x, t, y)
    s = asked[0] * 1000  # between two timesteps of its own
    low, high = pipeline.config.schedule.log_snr(s.ceil().long()), pipeline.config.schedule.log_snr(s.floor().long())
    assert (low <= LINEAR.log_snr(t) + 1e-4).all()
    assert (LINEAR.log_snr(t) <= high + 1e-4).all()


def test_no_timestep_is_beyond_the_models_own(pipeline, monkeypatch):
    monkeypatch.setattr(pipeline, "ask", lambda x, time, labels: time[:, None, None, None].expand_as(x))
    x, y = torch.zeros(1000, 3, 1, 1), torch.zeros(1000, 24)
    times = teacher_of(pipeline, LINEAR, 1.0).network(x, torch.arange(1, 1001) / 1000, y)[:, 0, 0, 0]
    assert (times.diff() > 0).all()
    assert times[0] > 0
    assert times[-1] <= 1


def test_a_taught_run_learns_what_the_teacher_predicts(data, tmp_path):  # noqa: F811
    """Who knows all that the teacher knows has nothing left to learn from it, and much from the noise."""
    train(TINY, data, tmp_path / "teacher")
    teacher = tmp_path / "teacher" / "checkpoint"
    config = replace(TINY, images=64, learning_rate=0.0, layout=0.0)
    train(config, data, tmp_path / "data", init=teacher)
    train(replace(config, taught=1.0), data, tmp_path / "taught", init=teacher, teacher=teacher)
    losses = {name: float(read_log(tmp_path / name / LOG, 64)[-1]["loss"]) for name in ("data", "taught")}
    assert losses["taught"] < 0.05 * losses["data"]  # but for what the teacher clips


def test_a_taught_preset_needs_its_teacher(data, tmp_path, capsys):  # noqa: F811
    with pytest.raises(ValueError, match="report-taught.*none is given"):
        train(PRESETS["report-taught"], data, tmp_path / "run")
    with pytest.raises(SystemExit):
        main(["--preset", "report-taught", "--data", data, "--out", str(tmp_path / "run"), "--teacher", str(tmp_path)])
    assert str(tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
