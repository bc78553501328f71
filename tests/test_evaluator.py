"""The judge: it takes the lab's weights as they are, refuses others clearly, and its figures are what they claim."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ddpm import labels
from ddpm._torchvision import torchvision
from ddpm.counting import CountHead, Judge
from ddpm.evaluator import (
    Evaluator,
    EvaluatorConfig,
    EvaluatorError,
    build_network,
    duplicates,
    exact_match,
    exact_scenes,
    per_image_accuracy,
    predicted_labels,
    topk_accuracy,
)
from training import train_evaluator

BUNDLED = Path(__file__).parent.parent / "checkpoints" / "evaluator"
REFERENCE = Path(__file__).parent.parent.parent / "shared" / "reference"


@pytest.fixture(scope="module")
def lab_state() -> dict[str, Tensor]:
    """What the lab's file holds, with random weights: built from torchvision's network, not from ours."""
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=1000)
    network.fc = torch.nn.Sequential(torch.nn.Linear(512, 24), torch.nn.Sigmoid())
    return network.state_dict()


@pytest.fixture(scope="module")
def lab_file(lab_state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lab") / "checkpoint.pth"
    torch.save({"model": lab_state, "epoch": 17}, path)
    return path


def noise(n: int) -> Tensor:
    return torch.rand(n, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


# --- The lab's file ---


def test_the_plain_stem_has_exactly_the_labs_keys_and_shapes(lab_state: dict[str, Tensor]) -> None:
    ours = build_network("plain").state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in lab_state.items()}


def test_the_labs_file_loads_as_it_is_and_scores(lab_file: Path) -> None:
    evaluator = Evaluator.from_pretrained(lab_file, device="cpu")
    x = noise(3)
    p = evaluator(x)
    assert p.shape == (3, 24) and p.dtype == torch.float32 and p.min() >= 0 and p.max() <= 1
    features = evaluator.features(x)
    assert features.shape == (3, 512) and features.dtype == torch.float32
    torch.testing.assert_close(evaluator.network.fc(features), p)


def test_a_verdict_does_not_depend_on_the_batch(lab_file: Path) -> None:
    evaluator = Evaluator.from_pretrained(lab_file, device="cpu")
    x = noise(66)  # more than one forward takes
    torch.testing.assert_close(evaluator(x)[-2:], evaluator(x[-2:]), atol=1e-5, rtol=1e-4)
    assert evaluator(x[:0]).shape == (0, 24)


def test_wrong_files_are_refused_with_a_reason(lab_state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    with pytest.raises(
        FileNotFoundError, match="no evaluator: .*no such checkpoint folder.*or the lab's checkpoint.pth"
    ):
        Evaluator.from_pretrained(path)
    path.write_bytes(b"not weights at all")
    with pytest.raises(EvaluatorError, match=r"checkpoint\.pth is not a file of"):
        Evaluator.from_pretrained(path)
    torch.save({"model": {**lab_state, "fc.0.bias": torch.full((24,), torch.nan)}}, path)
    with pytest.raises(EvaluatorError, match=r"checkpoint\.pth: fc\.0\.bias holds NaN"):
        Evaluator.from_pretrained(path)
    torch.save({"state": lab_state}, path)
    with pytest.raises(EvaluatorError, match="plain or under the key 'model' or 'state_dict'"):
        Evaluator.from_pretrained(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 44800000\n")
    with pytest.raises(EvaluatorError, match="Git LFS pointer.*git lfs pull"):
        Evaluator.from_pretrained(path)
    torch.save({"model": {key: value for key, value in lab_state.items() if key != "fc.0.bias"}}, path)
    with pytest.raises(EvaluatorError, match=r"24 outputs.*(?s:.*)fc\.0\.bias"):
        Evaluator.from_pretrained(path)


@pytest.mark.parametrize("wrap", [dict, lambda s: {"state_dict": s}, lambda s: {"model_state_dict": s, "epoch": 3}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_labs_weights_may_be_kept_as_people_keep_them(
    lab_state: dict[str, Tensor], lab_file: Path, tmp_path: Path, wrap: Callable[..., object], prefix: str
) -> None:
    torch.save(wrap({prefix + key: value for key, value in lab_state.items()}), tmp_path / "theirs.pth")
    theirs = Evaluator.from_pretrained(tmp_path / "theirs.pth")
    torch.testing.assert_close(theirs(noise(2)), Evaluator.from_pretrained(lab_file)(noise(2)))


def test_a_file_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"model": Payload()}, tmp_path / "checkpoint.pth")
    with pytest.raises(EvaluatorError, match="plain weights"):
        Evaluator.from_pretrained(tmp_path / "checkpoint.pth")
    assert not (tmp_path / "ran").exists()


# --- Our own folder ---


def test_our_folder_loads_with_its_stem_and_half_weights(tmp_path: Path) -> None:
    train_evaluator.save(tmp_path, build_network("gentle"), EvaluatorConfig("gentle"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert (tmp_path / "model.safetensors").stat().st_size < 23e6
    evaluator = Evaluator.from_pretrained(tmp_path, device="cpu")
    assert evaluator.network.conv1.weight.shape == (64, 3, 3, 3)
    assert evaluator(noise(2)).dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"stem": "wide"}, "unknown stem 'wide'; allowed are plain, gentle"), ({"labels": ["red cone"]}, "other labels")],
)
def test_a_config_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    train_evaluator.save(tmp_path, build_network("gentle"), EvaluatorConfig("gentle"))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(EvaluatorError, match=reason):
        Evaluator.from_pretrained(tmp_path)


def test_weights_of_another_stem_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluatorError, match="is no evaluator"):
        Evaluator.from_pretrained(tmp_path)
    train_evaluator.save(tmp_path, build_network("gentle"), EvaluatorConfig("plain"))
    with pytest.raises(EvaluatorError, match="plain stem"):
        Evaluator.from_pretrained(tmp_path)


@pytest.mark.parametrize("x", [torch.zeros(3, 64, 64), torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 64, 64).byte()])
def test_only_float_image_batches_are_judged(lab_file: Path, x: Tensor) -> None:
    with pytest.raises(EvaluatorError, match=r"\(N, 3, 64, 64\)"):
        Evaluator.from_pretrained(lab_file, device="cpu")(x)


# --- Counting ---


def test_the_labs_evaluator_cannot_count(lab_file: Path) -> None:
    with pytest.raises(EvaluatorError, match="cannot count.*no count head"):
        Evaluator.from_pretrained(lab_file, device="cpu").counts(noise(1))


def test_a_count_needs_both_heads() -> None:
    """The sums of the count head: a label's count is 2 from a sum of 1.5 on, if its probability is 0.5 or more."""
    network, counter = build_network("gentle"), CountHead()
    head = network.get_submodule("fc.0")
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, -3.0)
    with torch.no_grad():
        head.bias[:3] = torch.tensor([3.0, 3.0, 0.0])
        counter.density.bias[:4] = torch.tensor([0.4, 1.51, 1.49, 2.0]) / 64  # of an 8x8 grid
    counts = Evaluator(network, EvaluatorConfig(counts=True), counter=counter).counts(noise(2))
    assert counts.dtype == torch.int64 and counts.shape == (2, 24)
    assert counts.tolist() == [[1, 2, 1, *[0] * 21]] * 2


def test_a_count_does_not_depend_on_the_batch_and_the_labels_stay_as_they_are() -> None:
    torch.manual_seed(0)
    network, counter = build_network("gentle"), CountHead()
    torch.nn.init.normal_(counter.density.weight)
    plain, counting = Evaluator(network, EvaluatorConfig()), Evaluator(network, EvaluatorConfig(), counter=counter)
    x = noise(3)
    assert torch.equal(counting.counts(x)[2:], counting.counts(x[2:]))
    torch.testing.assert_close(counting(x), plain(x))
    judge = Judge(network, counter).eval()
    torch.testing.assert_close(judge(x)[:, 0].sigmoid(), plain(x))
    assert judge(x)[:, 1].std() > 0


def test_a_count_head_is_stored_beside_the_network(tmp_path: Path) -> None:
    counter = CountHead()
    torch.nn.init.normal_(counter.density.weight)
    train_evaluator.save(tmp_path, build_network("gentle"), EvaluatorConfig(counts=True), counter)
    loaded = Evaluator.from_pretrained(tmp_path, device="cpu").counter
    assert loaded is not None
    torch.testing.assert_close(loaded.density.weight, counter.density.weight, atol=1e-3, rtol=1e-3)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"counts": true', '"counts": false'))
    with pytest.raises(EvaluatorError, match=r"counter\.fine"):
        Evaluator.from_pretrained(tmp_path)


# --- Figures, on hand-made outputs ---

# Three images: "red cube" (id 1) and "blue cube" (2) requested, both found; "gray cube" (0) and "gray sphere" (8)
# requested, one found; "yellow cylinder" (23) requested and found beside an extra "gray cube". The fourth is empty.
REQUESTED = labels.encode([["red cube", "blue cube"], ["gray cube", "gray sphere"], ["yellow cylinder"], []])
P = torch.full((4, 24), 0.01)
P[0, [1, 2]] = torch.tensor([0.6, 0.9])
P[1, [0, 3, 8]] = torch.tensor([0.8, 0.45, 0.35])
P[2, [0, 23]] = torch.tensor([0.7, 0.8])


def test_topk_pools_hits_over_labels() -> None:
    assert topk_accuracy(P, REQUESTED) == pytest.approx(4 / 5)


def test_per_image_accuracy_averages_the_shares_of_images_that_request_something() -> None:
    assert per_image_accuracy(P, REQUESTED) == pytest.approx((1 + 0.5 + 1) / 3)


def test_exact_match_sees_extra_objects_and_counts_empty_scenes() -> None:
    assert exact_match(P, REQUESTED) == pytest.approx(2 / 4)
    assert exact_match(P, REQUESTED, threshold=0.75) == pytest.approx(2 / 4)  # not the first, but the third


def test_exact_scenes_and_duplicates_go_by_counts() -> None:
    counts = REQUESTED.long()
    assert exact_scenes(counts, REQUESTED) == 1 and duplicates(counts) == 0
    counts[0, 1] = 2  # a second red cube
    counts[1, 8] = 0  # no gray sphere
    counts[3, 5] = 2  # two where nothing was requested
    assert exact_scenes(counts, REQUESTED) == pytest.approx(1 / 4)
    assert duplicates(counts) == pytest.approx(2 / 4)


def test_a_figure_over_nothing_is_nan() -> None:
    assert math.isnan(exact_scenes(REQUESTED[:0].long(), REQUESTED[:0]))
    assert math.isnan(topk_accuracy(P[3:], REQUESTED[3:]))
    assert math.isnan(per_image_accuracy(P[3:], REQUESTED[3:]))


def test_predicted_labels_are_those_at_or_above_the_threshold_surest_first() -> None:
    assert predicted_labels(P) == [["blue cube", "red cube"], ["gray cube"], ["yellow cylinder", "gray cube"], []]
    assert predicted_labels(P[1:2], threshold=0.3) == [["gray cube", "green cube", "gray sphere"]]


# --- The bundled weights ---


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the path-traced frames (../shared/reference) are not here")
def test_the_bundled_evaluator_knows_path_traced_frames_it_never_saw() -> None:
    scenes = json.loads((REFERENCE / "scenes.json").read_text())
    frames = [Image.open(REFERENCE / "frames" / scene["file"]).convert("RGB").resize((64, 64), 2) for scene in scenes]
    x = torch.from_numpy(np.stack([np.array(frame) for frame in frames])).permute(0, 3, 1, 2) / 127.5 - 1
    requested = labels.encode([[thing["label"] for thing in scene["objects"]] for scene in scenes])
    p = Evaluator.from_pretrained(BUNDLED, device="cpu")(x)
    assert topk_accuracy(p, requested) >= 0.98
    assert exact_match(p, requested) >= 0.93


def test_an_evaluator_of_the_hub_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    bundled = Path(__file__).resolve().parent.parent / "checkpoints" / "evaluator"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: {"someone/judge": str(bundled)}[name])
    assert Evaluator.from_pretrained("someone/judge", device="cpu").config.stem == "gentle"
