"""Moving among pictures: along the sphere of noises, from scene to scene, and back into the noise."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm import Pipeline
from ddpm.influence import influence, telling_steps
from ddpm.labels import LABELS, check
from ddpm.trajectory import Trajectory
from ddpm.variations import DETERMINISTIC, redraw, slerp, turnover, walk

SCENE, OTHER = ["red cube"], ["blue sphere", "gray cube"]


def test_slerp_keeps_to_the_sphere():
    a, b = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    b *= a.norm() / b.norm()
    path = slerp(a, b, torch.tensor([0.0, 0.3, 0.5, 1.0]))
    torch.testing.assert_close(path[0], a)
    torch.testing.assert_close(path[3], b)
    torch.testing.assert_close(path.flatten(1).norm(dim=1), a.norm().expand(4))


def test_slerp_turns_evenly():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    path = slerp(a, b, torch.tensor([1 / 3]))
    torch.testing.assert_close(path, torch.tensor([[math.cos(math.pi / 6), math.sin(math.pi / 6)]]))


def test_slerp_between_equal_noises_stays_there():
    a = torch.randn(3, 8, 8)
    torch.testing.assert_close(slerp(a, a, torch.tensor([0.5]))[0], a)


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_a_walk_begins_and_ends_with_the_pictures_of_its_ends(pipeline: Pipeline, sampler: str):
    path = walk(pipeline, (SCENE, 3), (OTHER, 8), 4, pipeline.settings(sampler, 4))
    assert path.shape == (4, 3, 64, 64)
    for picture, scene, seed in ((path[0], SCENE, 3), (path[3], OTHER, 8)):
        torch.testing.assert_close(picture, pipeline.generate([scene], seed, sampler, 4)[0], atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("start", "end", "count", "scenes"),
    [
        (["red cube"], ["red cube"], 3, [["red cube"]] * 3),
        (["red cube"], ["blue cube"], 4, [["red cube"], ["red cube"], ["blue cube"], ["blue cube"]]),
        # first to the same shape, then to the same color, then to anything
        (
            ["red cube", "gray sphere", "cyan cylinder"],
            ["cyan cube", "gray cylinder", "blue sphere"],
            4,
            [
                ["red cube", "gray sphere", "cyan cylinder"],
                ["cyan cube", "gray sphere", "cyan cylinder"],
                ["cyan cube", "blue sphere", "cyan cylinder"],
                ["cyan cube", "blue sphere", "gray cylinder"],
            ],
        ),
        (["red cube", "cyan sphere"], ["cyan sphere"], 2, [["red cube", "cyan sphere"], ["cyan sphere"]]),
        (
            ["red cube"],
            ["red cube", "cyan sphere", "gray cube"],
            3,
            [["red cube"], ["red cube", "cyan sphere"], ["red cube", "cyan sphere", "gray cube"]],
        ),
    ],
)
def test_labels_are_exchanged_one_at_a_time(start, end, count, scenes):
    assert turnover(start, end, count) == [tuple(scene) for scene in scenes]


scenes_of_labels = st.lists(st.sampled_from(LABELS), min_size=1, max_size=5, unique=True)


@given(scenes_of_labels, scenes_of_labels, st.integers(2, 16))
def test_every_stop_is_a_scene_and_no_step_changes_more_than_it_must(start, end, count):
    scenes = turnover(start, end, count)
    assert len(scenes) == count and set(scenes[0]) == set(start) and set(scenes[-1]) == set(end)
    moves = max(len(set(start) - set(end)), len(set(end) - set(start)))
    for before, after in pairwise(scenes):
        assert 1 <= len(check(after)) == len(after)
        changed = max(len(set(before) - set(after)), len(set(after) - set(before)))
        assert changed <= -(-moves // (count - 1))


def test_a_walk_that_cannot_be_is_refused(pipeline: Pipeline):
    with pytest.raises(ValueError, match="deterministic sampler: ddim or dpm"):
        walk(pipeline, (SCENE, 0), (SCENE, 1), 3, pipeline.settings("ddpm", 4))
    with pytest.raises(ValueError, match="at least 2 pictures"):
        walk(pipeline, (SCENE, 0), (SCENE, 1), 1, pipeline.settings("ddim", 4))


def test_little_noise_leaves_the_picture_and_all_of_it_leaves_nothing(pipeline: Pipeline):
    x0 = pipeline.generate([SCENE], 0)
    settings = pipeline.settings("ddim", 20)
    near, far = ([*redraw(pipeline, x0, SCENE, start, 1, settings)] for start in (50, 1000))
    assert [step.t for step in near] == [50]
    assert len(far) == 20
    assert torch.corrcoef(torch.stack([near[0].x.flatten(), x0.flatten()]))[0, 1] > 0.8
    assert torch.corrcoef(torch.stack([far[0].x.flatten(), x0.flatten()]))[0, 1].abs() < 0.1


def test_a_start_outside_the_schedule_is_refused(pipeline: Pipeline):
    with pytest.raises(ValueError, match="start must be a timestep from 1 to 1000"):
        redraw(pipeline, pipeline.generate([SCENE]), SCENE, 0, 1, pipeline.settings())


def test_each_label_has_a_map_and_the_strongest_reaches_one(pipeline: Pipeline):
    settings = pipeline.settings()
    run = Trajectory.collect(pipeline.stream([OTHER, SCENE], 0), [OTHER, SCENE], 0, settings)
    maps = influence(pipeline, run)
    assert list(maps) == OTHER
    assert all(values.shape == (64, 64) and values.min() >= 0 for values in maps.values())
    assert max(values.max().item() for values in maps.values()) == pytest.approx(1)
    assert list(influence(pipeline, run, image=1)) == SCENE


def test_an_empty_scene_has_no_maps(pipeline: Pipeline):
    run = Trajectory.collect(pipeline.stream([[]]), [[]], 0, pipeline.settings())
    assert influence(pipeline, run) == {}


def test_a_network_that_looks_only_at_one_corner_acts_only_there(pipeline: Pipeline):
    class Corner(torch.nn.Module):
        def forward(self, x, time, labels):
            out = torch.zeros_like(x)
            out[:, :, :8, :8] = labels.clamp_min(0).sum(1)[:, None, None, None]
            return out

    corner = Pipeline(Corner(), pipeline.config)
    run = Trajectory.collect(corner.stream([SCENE]), [SCENE], 0, corner.settings())
    values = influence(corner, run)["red cube"]
    assert values[:8, :8].max() > 0
    assert values[8:].max() == values[:, 8:].max() == 0


def test_telling_steps_lie_where_the_scene_is_decided(pipeline: Pipeline):
    alpha_bar = pipeline.config.schedule.alpha_bar
    chosen = telling_steps(pipeline, tuple(range(1000, 0, -40)))
    shares = [alpha_bar[1000 - 40 * i].item() for i in chosen]
    assert len(chosen) == len(set(chosen)) == 6
    assert all(0.02 <= share <= 0.8 for share in shares)
    assert telling_steps(pipeline, (1000,)) == [0]
