"""The 24 labels: their order, scenes as vectors, and files of scenes."""

import json
from pathlib import Path

import pytest
import torch

from ddpm.labels import (
    COLORS,
    LABEL_ID,
    LABELS,
    NULL,
    SHAPES,
    LabelError,
    check,
    decode,
    encode,
    read_labels,
    read_objects,
    read_spec,
)

SPECS = Path(__file__).parents[2] / "shared" / "specs"


def test_label_id_is_shape_times_eight_plus_color():
    for i, shape in enumerate(SHAPES):
        for j, color in enumerate(COLORS):
            assert LABEL_ID[f"{color} {shape}"] == 8 * i + j
    assert len(LABELS) == len(set(LABELS)) == 24
    assert (LABELS[0], LABELS[9], LABELS[23]) == ("gray cube", "red sphere", "yellow cylinder")


@pytest.mark.skipif(not SPECS.exists(), reason="the lab's files are not here")
def test_lab_files_are_understood():
    assert read_objects(SPECS / "objects.json") == LABEL_ID
    for name, scenes, objects in (("test.json", 32, 72), ("new_test.json", 32, 84)):
        spec = read_spec(SPECS / name)
        assert (len(spec), sum(map(len, spec))) == (scenes, objects)
    assert len(read_labels(SPECS / "train.json")) == 18_009


def test_check_puts_labels_in_order_and_allows_an_empty_scene():
    assert check(["cyan cylinder", "red cube"]) == ("red cube", "cyan cylinder")
    assert check([]) == ()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["red cub"], r"unknown label 'red cub'; did you mean 'red cube'\?"),
        (["Red Sphere"], r"did you mean 'red sphere'\?"),
        (["zzz"], r"unknown label 'zzz'; a label is a color \(gray, .*\) and a shape \(cube, sphere, cylinder\)"),
        (["red cube", "blue cube", "red cube"], "'red cube' stands twice"),
        (list(LABELS[:6]), "6 labels in a scene; at most 5"),
        ("red cube", "a scene is a list of labels"),
        (None, "a scene is a list of labels"),
        ({"red cube": 1}, "a scene is a list of labels"),
        ([3], "a label is a text"),
        ([["red cube"]], "a label is a text"),
        (["x" * 10**5], "unknown label 'xxx"),
    ],
)
def test_check_says_what_is_wrong_in_a_short_message(labels, message):
    with pytest.raises(LabelError, match=message) as caught:
        check(labels)
    assert len(str(caught.value)) < 250


def test_encode_is_multi_hot_and_decode_its_inverse():
    scenes = [["red cube"], [], ["gray cube", "yellow cylinder"]]
    vectors = encode(scenes)
    assert vectors.dtype == torch.float32
    assert vectors.nonzero().tolist() == [[0, 1], [2, 0], [2, 23]]
    assert vectors.max() == 1
    assert [decode(vector) for vector in vectors] == scenes


def test_encode_names_the_scene_at_fault():
    with pytest.raises(LabelError, match="scene 1: unknown label 'red'"):
        encode([["red cube"], ["red"]])
    for scenes in ("red cube", ["red cube"], 7, None):
        with pytest.raises(LabelError, match="a (scene is a )?list of"):
            encode(scenes)


def test_decode_takes_what_reaches_the_threshold():
    vector = torch.zeros(24)
    vector[[2, 5]] = torch.tensor([0.5, 0.4])
    assert decode(vector) == ["blue cube"]
    assert decode(vector, threshold=0.4) == ["blue cube", "purple cube"]
    with pytest.raises(LabelError, match=r"shape \(1, 24\)"):
        decode(vector[None])


def test_null_condition_differs_from_the_empty_scene():
    assert NULL not in encode([[], ["red cube"]])


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "scenes.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_files_are_read_with_labels_in_order(tmp_path):
    assert read_spec(write(tmp_path, '[["red cube", "gray cube"], []]')) == [["gray cube", "red cube"], []]
    assert read_spec(write(tmp_path, b'\xef\xbb\xbf[["red cube"]]')) == [["red cube"]]  # a byte order mark
    assert read_labels(write(tmp_path, '{"a.png": ["red cube"]}')) == {"a.png": ["red cube"]}


def test_a_picture_may_show_a_label_twice_but_a_request_may_not(tmp_path: Path) -> None:
    twice = ["red cube", "blue cube", "red cube"]
    assert check(twice, repeats=True) == ("red cube", "red cube", "blue cube")
    assert read_labels(write(tmp_path, json.dumps({"a.png": twice})), repeats=True)["a.png"].count("red cube") == 2
    with pytest.raises(LabelError, match=r"'a\.png': 'red cube' stands twice"):
        read_labels(write(tmp_path, json.dumps({"a.png": twice})))
    with pytest.raises(LabelError, match="at most 5"):
        check(["red cube"] * 6, repeats=True)


@pytest.mark.parametrize("read", [read_spec, read_labels, read_objects])
@pytest.mark.parametrize("content", ["", "[[", "nonsense", b"\xff\xfe\x00", "[" * 10**5, '"red cube"', "7", "null"])
def test_files_that_are_no_scenes_are_refused_by_name(tmp_path, read, content):
    with pytest.raises(LabelError, match=r"scenes\.json: ") as caught:
        read(write(tmp_path, content))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_spec, '{"a.png": []}', "a list of scenes"),
        (read_spec, '[["red cube"], ["red"]]', "scene 1: unknown label 'red'"),
        (read_spec, '[["red cube"], "red cube"]', "scene 1: a scene is a list"),
        (read_spec, '[["red cube", null]]', "scene 0: a label is a text"),
        (read_labels, '[["red cube"]]', "an object"),
        (read_labels, '{"a.png": ["red"]}', "'a.png': unknown label 'red'"),
        (read_labels, '{"a.png": 3}', "'a.png': a scene is a list"),
        (read_objects, "[]", "an object"),
        (read_objects, '{"gray cub": 0}', "unknown label 'gray cub'; did you mean 'gray cube'"),
        (read_objects, '{"gray cube": 1}', "'gray cube' must have the number 0, not 1"),
        (read_objects, '{"gray cube": false}', "'gray cube' must have the number 0, not False"),
        (read_objects, json.dumps({**LABEL_ID, "red cube": "1"}), "'red cube' must have the number 1, not '1'"),
        (read_objects, json.dumps({name: i for name, i in LABEL_ID.items() if i < 23}), "yellow cylinder missing"),
    ],
)
def test_entries_that_are_no_scenes_are_named(tmp_path, read, content, message):
    with pytest.raises(LabelError, match=rf"scenes\.json: {message}"):
        read(write(tmp_path, content))


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        read_spec(tmp_path / "absent.json")
