"""Two networks that share the way: each is asked for its own timesteps, and two checkpoints become one."""

from dataclasses import replace

import pytest
import torch

from ddpm import Pipeline, checkpoint, labels
from ddpm.networks import build
from ddpm.networks.staged import Staged
from training.join import half, join, main
from training.presets import PRESETS

OPTIONS = {"channels": [48, 48], "blocks": [1, 1, 1], "embedding": 32}
CONFIG = checkpoint.ModelConfig("any", "unet", OPTIONS, "v", PRESETS["default"].schedule)


def awake(network):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(
                0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
            )
    return network.eval()


def inputs(*times: float):
    x = torch.randn(len(times), 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor(times), labels.encode([["red cube"]] * len(times))


@pytest.fixture
def folders(tmp_path):
    """Two checkpoints of unlike weights; the second is for the less noisy timesteps alone."""
    torch.manual_seed(0)
    noisy, clear = tmp_path / "noisy", tmp_path / "clear"
    checkpoint.save(noisy, awake(build("unet", OPTIONS)), replace(CONFIG, training={"preset": "default"}))
    checkpoint.save(clear, awake(build("unet", OPTIONS)), replace(CONFIG, training={"until": 0.5}))
    return noisy, clear


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return awake(Staged(0.5, **OPTIONS))


def test_each_network_is_asked_for_its_own_timesteps(pair):
    clear, noisy = inputs(0.001, 0.5), inputs(0.501, 1.0)
    assert torch.equal(pair(*clear), pair.fine(*clear))
    assert torch.equal(pair(*noisy), pair.coarse(*noisy))
    assert not torch.equal(pair.fine(*clear), pair.coarse(*clear))


def test_a_batch_of_both_is_its_parts(pair):
    x, time, y = inputs(0.2, 0.9, 0.4, 0.8)
    alone = torch.cat([pair(x[i : i + 1], time[i : i + 1], y[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(pair(x, time, y), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("boundary", [0, 1, -0.1, 1.5, "half", None, True])
def test_a_boundary_that_leaves_nothing_to_one_of_them_is_refused(boundary):
    with pytest.raises(ValueError, match="boundary"):
        build("staged", {"boundary": boundary, **OPTIONS})


def test_two_checkpoints_become_one_that_draws(folders, tmp_path):
    noisy, clear = folders
    main(["--coarse", str(noisy), "--fine", str(clear), "--out", str(tmp_path / "both")])
    network, config = checkpoint.load(tmp_path / "both")
    assert (config.network, network.boundary) == ("staged", 0.5)
    assert config.training == {"coarse": {"preset": "default"}, "fine": {"until": 0.5}}
    x, time, y = inputs(0.3)
    expected = checkpoint.load(clear)[0](x, time, y)
    torch.testing.assert_close(network(x, time, y), expected, rtol=0, atol=0.01)  # stored in float16
    assert Pipeline.from_pretrained(tmp_path / "both").generate([["red cube"]], steps=2).shape == (1, 3, 64, 64)


def test_a_joined_model_is_taken_apart_again(folders):
    network, config = join(*folders)
    checkpoint.save(folders[0].parent / "both", network, config)
    for name, folder in zip(("coarse", "fine"), folders, strict=True):
        (one, its), (other, own) = half(name, folders[0].parent / "both"), checkpoint.load(folder)
        assert its == own
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_only_what_fits_is_joined(folders, tmp_path, capsys):
    noisy, clear = folders
    with pytest.raises(ValueError, match="trained for all timesteps"):
        join(noisy, noisy)
    checkpoint.save(
        tmp_path / "eps", build("unet", OPTIONS), replace(CONFIG, prediction="eps", training={"until": 0.5})
    )
    with pytest.raises(ValueError, match="another prediction"):
        join(noisy, tmp_path / "eps")
    with pytest.raises(SystemExit):
        main(["--coarse", str(tmp_path / "nowhere"), "--fine", str(clear), "--out", str(tmp_path / "out")])
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
