"""The models in the browser: noise, schedule, samplers and files give what Python gives."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from conftest import files_of
from playwright.sync_api import Browser, Page

from ddpm import noise
from ddpm.demo.adapter.page import HOME
from ddpm.denoiser import PARAMETERISATIONS, Denoiser
from ddpm.labels import LABELS, encode
from ddpm.samplers import SAMPLERS, sample
from ddpm.schedule import KINDS, NoiseSchedule
from ddpm.variations import slerp, turnover

SEEDS = (0, 7, 2**32 + 5, 2**53 - 1)

# A network that anybody can write twice: it looks at a picture, the time and the labels.
TOY = "(x, time, labels) => x.map((value, i) => 0.4 * Math.sin(3 * value + time) + 0.1 * labels[0][i % 24])"


def toy(x: torch.Tensor, time: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    number = torch.arange(x[0].numel()) % len(LABELS)
    wave = 0.4 * torch.sin(3 * x + time.reshape(-1, 1, 1, 1))
    return wave + 0.1 * labels[:, number].reshape(x.shape)


@pytest.fixture(scope="module")
def engine(browser: Browser) -> Iterator[Page]:
    """A page that can import the modules."""
    with files_of(HOME) as address:
        page = browser.new_page()
        page.goto(f"{address}shared/favicon.svg")
        yield page
        page.close()


def run(engine: Page, module: str, script: str, *inputs: Any) -> Any:
    """Run a function of (module, ...inputs) in the browser."""
    there = f"async (inputs) => ({script})(await import('/engine/{module}.js'), ...inputs)"
    return engine.evaluate(there, list(inputs))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_generator_is_torchs_to_the_bit(engine: Page, seed: int) -> None:
    script = "({ MersenneTwister }, seed) => { const g = new MersenneTwister(BigInt(seed)); " + (
        "return Array.from({ length: 1500 }, () => g.uniform()); }"
    )
    expected = torch.rand(1500, generator=torch.Generator().manual_seed(seed))
    assert torch.tensor(run(engine, "noise", script, str(seed))).equal(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_means_the_same_noise(engine: Page, seed: int) -> None:
    found = run(engine, "noise", "({ normal }, seed) => [...normal(BigInt(seed))]", str(seed))
    # torch's own logarithms and cosines differ in the last bits from one kind of processor to another
    torch.testing.assert_close(torch.tensor(found), noise.start([seed]).flatten(), atol=3e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_means_the_same_noise_on_the_way(engine: Page, kind: str) -> None:
    schedule = NoiseSchedule(kind)  # type: ignore[arg-type]
    ways = [(1000, 960), (960, 333), (333, 332), (332, 37), (37, 1), (1000, 500)]
    script = "({ brownian }, snr, ways) => { const noise = brownian([7, 8], snr); " + (
        "return ways.map(([t, s]) => [...noise(t, s)]); }"
    )
    snr = schedule.snr(torch.arange(schedule.steps + 1))
    found = run(engine, "noise", script, [0, *snr[1:].tolist()], ways)
    path = noise.Brownian([7, 8], schedule)
    for (t, s), values in zip(ways, found, strict=True):
        torch.testing.assert_close(torch.tensor(values), path(t, s).flatten(), atol=2e-4, rtol=0)


@pytest.mark.parametrize(("start", "n"), [(1000, 25), (1000, 1000), (1000, 1), (1000, 7), (500, 12), (37, 5), (4, 3)])
def test_timesteps_are_the_same(engine: Page, start: int, n: int) -> None:
    found = run(engine, "schedule", "({ timesteps }, start, n) => timesteps(start, n)", start, n)
    assert found == NoiseSchedule().timesteps(n, start)


@pytest.mark.parametrize("prediction", PARAMETERISATIONS)
@pytest.mark.parametrize("guidance", [0, 1, 2.5])
def test_the_denoiser_is_the_same(engine: Page, prediction: Any, guidance: float) -> None:
    schedule = NoiseSchedule()
    x, labels = noise.start([3]), encode([["red cube"]])
    expected = Denoiser(toy, schedule, prediction, guidance)(x, 400, labels)
    script = f"""async ({{ denoiser }}, prediction, alphaBar, x, labels, guidance) => {{
        const model = {{ prediction, alphaBar, run: {TOY} }};
        const denoise = denoiser(model, [Float32Array.from(labels)], guidance);
        const {{ x0, eps, pull }} = await denoise(Float32Array.from(x), 400);
        return [[...x0], [...eps], pull && [...pull]];
    }}"""
    inputs = (prediction, schedule.alpha_bar.tolist(), x.flatten().tolist(), labels[0].tolist(), guidance)
    for found, wanted in zip(run(engine, "denoiser", script, *inputs), expected, strict=True):
        assert (found is None) == (wanted is None)
        if wanted is not None:
            torch.testing.assert_close(torch.tensor(found), wanted.flatten(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(
    ("kind", "steps"),
    [("cosine", 1), ("cosine", 12), ("linear", 12), pytest.param("linear", 100, marks=pytest.mark.slow)],
)
def test_every_sampler_gives_the_same_picture(engine: Page, sampler: str, kind: Any, steps: int) -> None:
    schedule = NoiseSchedule(kind)
    seeds, labels = [7, 8], encode([["red cube"], ["red cube"]])
    denoiser = Denoiser(toy, schedule, "v", 2.0)
    path = noise.Brownian(seeds, schedule)
    *_, last = sample(denoiser, noise.start(seeds), labels, sampler, steps, noise=path)
    script = f"""async ({{ steps }}, alphaBar, names, sampler, count) => {{
        const model = {{ prediction: "v", alphaBar, run: {TOY} }};
        const scenes = [["red cube"], ["red cube"]];
        let last;
        for await (const step of steps(model, names, scenes, 7, {{ sampler, steps: count, guidance: 2 }})) last = step;
        return [last.index, last.t, [...last.x0]];
    }}"""
    index, t, x0 = run(engine, "runs", script, schedule.alpha_bar.tolist(), LABELS, sampler, steps)
    assert (index, t) == (last.index, last.t)
    torch.testing.assert_close(torch.tensor(x0), last.x0.flatten(), atol=2e-3, rtol=0)


def test_a_walk_turns_the_noise_alike(engine: Page) -> None:
    script = """async ({ slerp }, share) => {
        const { normal } = await import("/engine/noise.js");
        return [...slerp(normal(1), normal(2), share)];
    }"""
    a, b = noise.start([1, 2])
    for share in (0.0, 0.3, 1.0):
        found = torch.tensor(run(engine, "variations", script, share))
        torch.testing.assert_close(found, slerp(a, b, torch.tensor([share]))[0].flatten(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (("red cube", "cyan sphere"), ("blue cube", "cyan sphere")),
        (("red cube", "cyan sphere"), ("cyan cube", "red sphere", "gray cylinder")),
        (("red cube", "gray cube", "blue sphere"), ("yellow cylinder",)),
        (("red cube", "blue cube", "green cube"), ("gray cube", "brown cube", "blue sphere", "red cylinder")),
    ],
)
def test_a_walk_exchanges_the_same_labels(engine: Page, start: tuple[str, ...], end: tuple[str, ...]) -> None:
    for count in (2, 5, 8):
        found = run(engine, "variations", "({ turnover }, ...ends) => turnover(...ends)", start, end, count)
        assert found == [list(scene) for scene in turnover(start, end, count)]


def test_pictures_become_the_same_bytes(engine: Page) -> None:
    from ddpm.trajectory import to_uint8

    x = noise.start([5])
    found = run(engine, "pictures", "({ rgb }, x) => [...rgb(Float32Array.from(x))]", x.flatten().tolist())
    np.testing.assert_array_equal(np.array(found, np.uint8), to_uint8(x[0]).reshape(-1))
