"""Checkpoints: what is saved comes back, and what is damaged is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ddpm import checkpoint
from ddpm.checkpoint import CheckpointError, ModelConfig, load, read_config, save
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule

OPTIONS = {"width": 8}
CONFIG = ModelConfig(
    name="tiny",
    network="context_unet",
    options=OPTIONS,
    prediction="v",
    schedule=NoiseSchedule("linear", steps=100, beta_end=0.05),
    sampler="dpm++",
    steps=10,
    guidance=2.5,
    training={"preset": "tiny", "images_seen": 3},
)


@pytest.fixture
def network() -> nn.Module:
    return build("context_unet", OPTIONS)


@pytest.fixture
def folder(tmp_path: Path, network: nn.Module) -> Path:
    save(tmp_path / "model", network, CONFIG)
    return tmp_path / "model"


def edit_config(folder: Path, **changes: Any) -> None:
    """Change keys of the config; None takes a key away."""
    data = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in data.items() if value is not None}))


def test_a_checkpoint_comes_back_as_it_was(folder, network):
    loaded, config = load(folder)
    assert config == CONFIG
    assert not loaded.training
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_the_folder_holds_two_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_stored_short_are_loaded_as_float32(tmp_path, network, dtype):
    save(tmp_path / "full", network, CONFIG)
    save(tmp_path / "short", network, CONFIG, dtype)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "short")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = load(tmp_path / "short")[0].state_dict()
    for key, value in network.state_dict().items():
        assert loaded[key].dtype == value.dtype
        expected = value.to(dtype).float() if value.ndim > 1 else value  # norms keep their range
        assert torch.equal(loaded[key], expected)


def test_weights_in_channels_last_are_saved_too(tmp_path, network):
    save(tmp_path, network.to(memory_format=torch.channels_last), CONFIG)
    load(tmp_path)


def test_saving_again_replaces_the_checkpoint(folder):
    other = build("context_unet", OPTIONS)
    save(folder, other, CONFIG)
    assert torch.equal(load(folder)[0].state_dict()["times.0.0.bias"], other.state_dict()["times.0.0.bias"])


def test_a_save_that_fails_leaves_the_old_checkpoint(folder, network, monkeypatch):
    def broken(file: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint.os, "fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        save(folder, build("context_unet", OPTIONS), CONFIG)
    loaded, _ = load(folder)
    assert torch.equal(loaded.state_dict()["times.0.0.bias"], network.state_dict()["times.0.0.bias"])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: cannot be read"):
        load(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="absent.*cannot be read"):
        load(tmp_path / "absent")


@pytest.mark.parametrize("keep", [0, 4, 100, 10_000])
def test_truncated_weights_are_refused(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read"):
        load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_a_training_that_diverged_are_refused(folder, network, value):
    name, weight = next(iter(network.named_parameters()))
    with torch.no_grad():
        weight.view(-1)[3] = value
    save(folder, network, CONFIG)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: {name} holds NaN or infinite values"):
        load(folder)


def test_a_network_of_impossible_size_is_refused_before_it_is_built(folder):
    edit_config(folder, options={"width": 8 * 10**6})
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit .* the network has [\d,]+$"):
        load(folder)


def test_weights_of_another_network_are_refused(folder):
    edit_config(folder, options={"width": 16})
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit the network of config\.json"):
        load(folder)
    edit_config(folder, network="unet", options={})
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit the network of config\.json"):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 10**5, "nonsense", "\udcff"])
def test_a_config_that_is_no_json_is_refused(folder, text):
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CheckpointError, match=r"config\.json: "):
        load(folder)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_a_config_that_is_no_object_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json: the config must be an object"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1, "beauty": 2}, "the config has unknown keys: beauty, colour"),
        ({"prediction": None, "schedule": None}, "the config lacks the keys: prediction, schedule"),
        ({"schedule": {"kind": "linear", "warp": 1}}, "'schedule' has unknown keys: warp"),
        ({"schedule": "cosine"}, "'schedule' must be an object"),
        ({"schedule": {"kind": "sigmoid"}}, "'sigmoid' is unknown"),
        ({"schedule": {"kind": ["linear"]}}, "is unknown"),
        ({"schedule": {"steps": "100"}}, "schedule steps must be a whole number"),
        ({"schedule": {"beta_start": "0.1"}}, "beta_start and beta_end must be numbers"),
        ({"prediction": "score"}, "'prediction' is 'score'; allowed are eps, x0, v"),
        ({"prediction": ["v"]}, "'prediction' is"),
        ({"sampler": "euler"}, r"'sampler' is 'euler'; allowed are ddpm, ddim, dpm\+\+"),
        ({"steps": "10"}, "'steps' must be of type int"),
        ({"steps": 2.5}, "'steps' must be of type int"),
        ({"guidance": True}, "'guidance' must be of type float"),
        ({"name": 3}, "'name' must be of type str"),
        ({"options": [1]}, "'options' must be of type dict"),
        ({"network": "resnet"}, "network 'resnet' is unknown; allowed are unet, staged, context_unet"),
        ({"options": {"height": 3}}, "does not take the options"),
        ({"options": {"width": "wide"}}, "does not take the options"),
        ({"options": {"width": 12}}, "width must be a positive multiple of 8"),
        ({"schedule": {"kind": "linear", "steps": 10**9}}, "schedule steps must be a whole number from 1 to 10000"),
        ({"network": "unet", "options": {"blocks": [2, 10**9, 2]}}, "blocks must be three numbers from 1 to 64"),
    ],
)
def test_a_wrong_config_is_refused_by_file_and_key(folder, changes, message):
    edit_config(folder, **changes)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{message}"):
        load(folder)


def test_keys_with_a_default_may_be_missing(folder):
    edit_config(folder, sampler=None, steps=None, guidance=None, training=None)
    config = read_config(folder)
    assert (config.sampler, config.steps, config.guidance, config.training) == ("ddim", 50, 1.0, {})
