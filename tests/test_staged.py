"""Networks that share the way: each is asked for its own timesteps, and checkpoints become one."""

from dataclasses import replace

import pytest
import torch

from ddpm import Pipeline, checkpoint, labels
from ddpm.networks import build
from ddpm.networks.staged import Staged
from training.join import join, main
from training.loop.parts import parts
from training.loop.presets import PRESETS

OPTIONS = {"channels": [48, 48], "blocks": [1, 1, 1], "embedding": 32}
SMALL = {**OPTIONS, "channels": [48, 96]}
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
    """Three checkpoints of unlike weights, for all timesteps, for the less noisy ones, and for the clearest alone."""
    torch.manual_seed(0)
    for name, until, options in (("noisy", 1.0, OPTIONS), ("clear", 0.5, OPTIONS), ("clearest", 0.2, SMALL)):
        facts = {"until": until, "preset": name}
        network = awake(build("unet", options))
        checkpoint.save(tmp_path / name, network, replace(CONFIG, options=options, training=facts))
    return [tmp_path / name for name in ("noisy", "clear", "clearest")]


@pytest.fixture
def three():
    torch.manual_seed(0)
    return awake(Staged([0.2, 0.5, 1], [SMALL, OPTIONS, OPTIONS]))


@pytest.mark.parametrize("stage, times", [(0, (0.001, 0.1, 0.2)), (1, (0.201, 0.5)), (2, (0.501, 1.0))])
def test_each_network_is_asked_for_its_own_timesteps(three, stage, times):
    assert torch.equal(three(*inputs(*times)), three.stages[stage](*inputs(*times)))
    assert not torch.equal(three(*inputs(*times)), three.stages[stage - 1](*inputs(*times)))


def test_at_no_timestep_of_a_thousand_rounding_asks_another_one():
    until = [0.2, 0.5, 1]
    network = Staged(until, [OPTIONS] * 3)
    for i, stage in enumerate(network.stages):
        stage.forward = lambda x, time, labels, i=i: torch.full_like(x, i)
    t = torch.arange(1, 1001)
    out = network(torch.zeros(1000, 3, 1, 1), t / 1000, torch.zeros(1000, 24))
    asked = out[:, 0, 0, 0].int().tolist()
    assert asked == [0] * 200 + [1] * 300 + [2] * 500


def test_a_batch_of_all_is_its_parts(three):
    x, time, y = inputs(0.3, 0.9, 0.1, 0.8)
    alone = torch.cat([three(x[i : i + 1], time[i : i + 1], y[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(three(x, time, y), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "until", [[1], [0.5], [0.5, 0.9], [0, 1], [0.5, 0.5, 1], [0.6, 0.5, 1], ["half", 1], [True, 1]]
)
def test_shares_that_leave_nothing_to_one_of_them_are_refused(until):
    with pytest.raises(ValueError, match="until must be two or more rising numbers"):
        build("staged", {"until": until, "options": [OPTIONS] * len(until)})


def test_every_stage_needs_its_options():
    with pytest.raises(ValueError, match="each of the 2 stages, not for 1"):
        build("staged", {"until": [0.5, 1], "options": [OPTIONS]})


def test_checkpoints_become_one_that_draws(folders, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "figures.json").write_text("{}")  # of weights that were there before
    main([*map(str, folders), "--out", str(tmp_path / "all")])
    assert not (tmp_path / "all" / "figures.json").exists()
    network, config = checkpoint.load(tmp_path / "all")
    assert (config.name, config.network, network.until) == ("all", "staged", [0.2, 0.5, 1.0])
    assert [facts["preset"] for facts in config.training["stages"]] == ["clearest", "clear", "noisy"]
    for time, folder in zip((0.7, 0.3, 0.1), folders, strict=True):
        expected = checkpoint.load(folder)[0](*inputs(time))
        torch.testing.assert_close(network(*inputs(time)), expected, rtol=0, atol=0.02)  # stored in float16
    assert Pipeline.from_pretrained(tmp_path / "all").generate([["red cube"]], steps=2).shape == (1, 3, 64, 64)


def test_a_joined_model_is_taken_apart_again(folders, tmp_path):
    checkpoint.save(tmp_path / "all", *join(folders))
    found = parts(tmp_path / "all")
    for until, folder in zip((1.0, 0.5, 0.2), folders, strict=True):
        (one, its), (other, own) = found[until], checkpoint.load(folder)
        assert its == own
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_later_network_for_the_same_timesteps_takes_the_place_of_the_first(folders, tmp_path):
    checkpoint.save(tmp_path / "all", *join(folders))
    better = awake(build("unet", OPTIONS))
    checkpoint.save(tmp_path / "better", better, replace(CONFIG, training={"until": 0.5, "preset": "better"}))
    network, config = join([tmp_path / "all", tmp_path / "better"])
    assert [facts["preset"] for facts in config.training["stages"]] == ["clearest", "better", "noisy"]
    assert torch.equal(network(*inputs(0.4)), better(*inputs(0.4)))


def test_only_what_fits_is_joined(folders, tmp_path, capsys):
    noisy, clear, clearest = folders
    with pytest.raises(ValueError, match=r"these are for t / T up to 1$"):
        join([noisy, noisy])
    with pytest.raises(ValueError, match=r"up to 0.2, t / T up to 0.5$"):
        join([clear, clearest])
    facts = {"until": 0.5}
    checkpoint.save(tmp_path / "eps", build("unet", OPTIONS), replace(CONFIG, prediction="eps", training=facts))
    with pytest.raises(ValueError, match="eps has another prediction than"):
        join([noisy, tmp_path / "eps"])
    report = replace(CONFIG, network="context_unet", options={"width": 16})
    checkpoint.save(tmp_path / "report", build("context_unet", {"width": 16}), report)
    with pytest.raises(ValueError, match="report holds a 'context_unet'"):
        join([tmp_path / "report", clear])
    with pytest.raises(SystemExit):
        main([str(tmp_path / "nowhere"), str(clear), "--out", str(tmp_path / "out")])
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_runs_of_different_stages_do_not_share_a_forward():
    """Each would be computed apart anyway, in batches that are smaller than they could be."""
    torch.manual_seed(0)
    network = awake(Staged([0.5, 1], [OPTIONS, OPTIONS]))
    batcher = Pipeline(network, replace(CONFIG, network="staged")).shared()._runner._batcher
    kinds = [batcher.kind(torch.tensor([share] * rows)) for share, rows in ((0.1, 1), (0.5, 2), (0.6, 2), (1.0, 1))]
    assert kinds == [0, 0, 1, 1]
