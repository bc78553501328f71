"""Random scenes keep the rules of the set-up; scene files are checked."""

import importlib
import json
import math

import numpy as np
import pytest

from ddpm.labels import LABELS
from training.render import MIN_VISIBLE, random_scenes
from training.scene.placement import (
    COUNT_WEIGHTS,
    MIN_DISTANCE,
    Scene,
    SceneObject,
    random_labels,
    random_scene,
    read_scenes,
)
from training.scene.tracer import sights


def test_count_weights_are_a_distribution_over_0_to_5():
    assert len(COUNT_WEIGHTS) == 6
    assert sum(COUNT_WEIGHTS) == pytest.approx(1)


@pytest.mark.parametrize("count", range(6))
def test_labels_are_distinct(count):
    rng = np.random.default_rng(count)
    for _ in range(50):
        labels = random_labels(rng, count)
        assert len(labels) == len(set(labels)) == count
        assert set(labels) <= set(LABELS)


@pytest.mark.parametrize("count", [None, 2, 3, 5])
def test_a_repeat_is_one_label_that_stands_twice(count):
    rng = np.random.default_rng(7)
    firsts = set()
    for _ in range(50):
        labels = random_labels(rng, count, repeat=True)
        assert len(labels) == (count or len(labels)) and 2 <= len(labels) <= 5
        assert len(set(labels)) == len(labels) - 1
        firsts.add(labels.count(labels[0]))
    assert firsts == ({2} if count == 2 else {1, 2})  # the two stand anywhere in the order


@pytest.mark.parametrize("count", [0, 1])
def test_a_repeat_needs_two_objects(count):
    with pytest.raises(ValueError, match=f"two objects or more, not {count}"):
        random_labels(np.random.default_rng(0), count, repeat=True)


def test_repeats_are_a_share_of_the_scenes_and_keep_the_rules():
    scenes = random_scenes(range(60), seed=3, counts=[2, 3], repeats=0.5)
    assert [len(scene.objects) for scene in scenes] == [2, 3] * 30
    repeated = [len(set(scene.labels)) < len(scene.labels) for scene in scenes]
    assert 20 <= sum(repeated) <= 40
    assert all(covers >= MIN_VISIBLE for scene in sights(scenes) for covers, _ in scene)
    assert random_scenes(range(4), seed=3, counts=[2, 3], repeats=0.5) == scenes[:4]
    assert all(len(set(s.labels)) < len(s.labels) for s in random_scenes(range(6), seed=3, repeats=1.0))


def test_placement():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scene = random_scene(rng, random_labels(rng, 5))
        places = [(o.x, o.y) for o in scene.objects]
        assert places[0] == (0, 0)
        assert all(abs(v) <= 3 for place in places for v in place)
        assert all(math.dist(a, b) >= MIN_DISTANCE for i, a in enumerate(places) for b in places[:i])
        assert all(0 <= o.theta < 2 * math.pi for o in scene.objects)
        assert all(abs(v) <= 1 for lamp in scene.jitter for v in lamp)


def test_every_object_of_a_random_scene_is_well_visible():
    scenes = random_scenes(range(12), seed=3)
    assert min(covers for scene in sights(scenes) for covers, _ in scene) >= MIN_VISIBLE


def test_no_object_hides_another_where_that_is_asked_for():
    def least(scenes: list[Scene]) -> float:
        return min(unhidden for scene in sights(scenes) for _, unhidden in scene)

    assert least(random_scenes(range(12), seed=3, counts=[4, 5])) < 0.9  # objects of one of these do hide each other
    scenes = random_scenes(range(12), seed=3, counts=[4, 5], in_sight=0.9)
    assert least(scenes) >= 0.9
    assert {len(scene.objects) for scene in scenes} == {4, 5}


def test_how_much_of_an_object_is_in_sight():
    behind, aside = SceneObject("red cube", 0, 0, 0.1), SceneObject("blue sphere", -1.5, -1.5, 0)
    between = SceneObject("green cube", 1.1, -0.96, 0)  # on the way to the camera
    empty, [alone], apart, [front, hidden] = sights(
        [Scene(()), Scene((behind,)), Scene((behind, aside)), Scene((between, behind))]
    )
    assert empty == []
    assert apart[0] == alone
    assert alone[1] == apart[1][1] == front[1] == 1
    assert hidden[1] < 0.6
    assert hidden[0] == pytest.approx(alone[0] * hidden[1])


def test_a_scene_depends_on_seed_and_index_alone():
    assert random_scenes(range(4), seed=1)[2:] == random_scenes(range(2, 4), seed=1)
    assert random_scenes(range(2), seed=1) != random_scenes(range(2), seed=2)


def entry(**changes):
    jitter = {lamp: [0, 0, 0] for lamp in ("Lamp_Key", "Lamp_Fill", "Lamp_Back")}
    return {"file": "a.png", "objects": [{"label": "red cube", "x": 0, "y": 0, "theta": 1}], "jitter": jitter} | changes


def test_read_scenes(tmp_path):
    path = tmp_path / "scenes.json"
    path.write_text(json.dumps([entry()]), encoding="utf-8-sig")
    assert read_scenes(path)["a.png"].labels == ["red cube"]


@pytest.mark.parametrize("command", ["contact_sheet", "fit_bounce"])
@pytest.mark.parametrize(("name", "message"), [("a.png", "'a.png' names no sequence"), ("ref_00001_0.png", "sequence")])
def test_scenes_that_cannot_be_compared_are_refused(tmp_path, capsys, command, name, message):
    (tmp_path / "frames").mkdir()
    (tmp_path / "scenes.json").write_text(json.dumps([entry(file=name)]))
    places = {
        "contact_sheet": ["--reference", str(tmp_path), "--out", str(tmp_path / "out.png")],
        "fit_bounce": ["--scenes", str(tmp_path / "scenes.json"), "--frames", str(tmp_path / "frames")],
    }
    with pytest.raises(SystemExit):
        importlib.import_module(f"training.{command}").main(places[command])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        json.dumps([entry(), entry(objects=[{"label": "pink cube", "x": 0, "y": 0, "theta": 0}])]),
        json.dumps([entry(), entry(objects=[{"label": "red cube", "x": 0}])]),
        json.dumps([entry(), entry(jitter={})]),
        json.dumps([entry(), entry(file="../a.png")]),
        json.dumps([entry(), 3]),
        json.dumps([entry(), entry(objects=[{"label": "red cube", "x": 10**400, "y": 0, "theta": 0}])]),
        "[" * 100_000,
        "[]",
    ],
)
def test_a_malformed_scene_file_is_named(tmp_path, content):
    path = tmp_path / "scenes.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"scenes\.json.*(JSON|list|scene 1|no scene)"):
        read_scenes(path)
