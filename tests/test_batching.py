"""Many runs over one network: every call gets its own rows back, forwards are shared, and nobody waits for long."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from ddpm.batching import Batcher

TIMEOUT = 30


def rows(count: int, value: float) -> tuple[Tensor, Tensor, Tensor]:
    """x, time and labels of a call whose rows are told apart by `value` and their place."""
    place = torch.arange(count, dtype=torch.float32)
    return torch.full((count, 3, 2, 2), value) + place.reshape(-1, 1, 1, 1), place, torch.full((count, 24), value)


def work(x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    """Depends on every input, row by row."""
    return 2 * x + t.reshape(-1, 1, 1, 1) + labels.sum(1).reshape(-1, 1, 1, 1)


class Gate:
    """Work that records how many rows each forward had, and whose first forward waits until it may go on."""

    def __init__(self, fail: Callable[[Tensor], bool] = lambda x: False) -> None:
        self.forwards: list[int] = []
        self.entered, self.open = threading.Event(), threading.Event()
        self.fail = fail

    def __call__(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        self.forwards.append(len(x))
        self.entered.set()
        assert self.open.wait(TIMEOUT)
        if self.fail(x):
            raise RuntimeError("broken")
        return work(x, t, labels)


def waiting(batcher: Batcher, calls: int) -> None:
    """Wait until so many calls wait for their first forward."""
    end = time.monotonic() + TIMEOUT
    while len(batcher._calls) < calls:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_call_alone_is_the_network_itself() -> None:
    inputs = rows(3, 1.0)
    assert torch.equal(Batcher(work)(*inputs), work(*inputs))


def test_calls_that_wait_share_a_forward_and_each_gets_its_own_rows() -> None:
    gate = Gate()
    batcher = Batcher(gate)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(batcher, *rows(1, 100.0))
        assert gate.entered.wait(TIMEOUT)
        others = [pool.submit(batcher, *rows(2, float(i))) for i in range(4)]
        waiting(batcher, 4)
        gate.open.set()
        assert torch.equal(first.result(TIMEOUT), work(*rows(1, 100.0)))
        for i, other in enumerate(others):
            assert torch.equal(other.result(TIMEOUT), work(*rows(2, float(i))))
    assert gate.forwards == [1, 8]


def test_only_calls_of_one_kind_share_a_forward_and_the_first_is_served_first() -> None:
    gate = Gate()
    batcher = Batcher(gate, kind=lambda t: len(t))
    with ThreadPoolExecutor(6) as pool:
        pool.submit(batcher, *rows(1, 100.0))
        assert gate.entered.wait(TIMEOUT)
        sizes = [2, 3, 2, 3, 2]
        others = []
        for i, size in enumerate(sizes):
            others.append(pool.submit(batcher, *rows(size, float(i))))
            waiting(batcher, i + 1)
        gate.open.set()
        for i, (size, other) in enumerate(zip(sizes, others, strict=True)):
            assert torch.equal(other.result(TIMEOUT), work(*rows(size, float(i))))
    assert gate.forwards == [1, 6, 6]


def test_a_large_call_takes_several_forwards_and_leaves_room_in_each() -> None:
    gate = Gate()
    batcher = Batcher(gate, rows=4)
    with ThreadPoolExecutor(3) as pool:
        pool.submit(batcher, *rows(1, 100.0))
        assert gate.entered.wait(TIMEOUT)
        large = pool.submit(batcher, *rows(10, 1.0))
        waiting(batcher, 1)
        small = pool.submit(batcher, *rows(1, 2.0))
        waiting(batcher, 2)
        gate.open.set()
        assert torch.equal(large.result(TIMEOUT), work(*rows(10, 1.0)))
        assert torch.equal(small.result(TIMEOUT), work(*rows(1, 2.0)))
    assert gate.forwards == [1, 4, 4, 3]  # the small call is in the first forward after it has come


def test_a_short_run_does_not_wait_for_a_long_one() -> None:
    order: list[str] = []
    batcher = Batcher(work, rows=8)
    started = threading.Event()

    def run(name: str, steps: int) -> None:
        for step in range(steps):
            batcher(*rows(2, 1.0))
            if step == 20:
                started.set()
        order.append(name)

    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(run, "long", 100_000)
        assert started.wait(TIMEOUT)
        pool.submit(run, "short", 25).result(TIMEOUT)
        assert order == ["short"]
        batcher.run = lambda *_: (_ for _ in ()).throw(RuntimeError("end"))  # the long run has done its part
        with pytest.raises(RuntimeError, match="end"):
            long.result(TIMEOUT)


def test_many_threads_get_what_they_would_get_alone() -> None:
    batcher = Batcher(work, rows=7)

    def run(number: int) -> bool:
        sizes = torch.randint(1, 20, (30,), generator=torch.Generator().manual_seed(number)).tolist()
        return all(torch.equal(batcher(*rows(size, number)), work(*rows(size, number))) for size in sizes)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(run, range(16)))


def test_an_error_reaches_those_in_that_forward_and_nobody_else() -> None:
    gate = Gate(fail=lambda x: bool((x == 1000.0).any()))
    batcher = Batcher(gate, rows=2)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher, *rows(1, 5.0))
        assert gate.entered.wait(TIMEOUT)
        calls = []
        for i, value in enumerate((1000.0, 6.0, 7.0)):
            calls.append(pool.submit(batcher, *rows(1, value)))
            waiting(batcher, i + 1)
        gate.open.set()
        assert torch.equal(first.result(TIMEOUT), work(*rows(1, 5.0)))
        for call in calls[:2]:
            with pytest.raises(RuntimeError, match="broken"):
                call.result(TIMEOUT)
        assert torch.equal(calls[2].result(TIMEOUT), work(*rows(1, 7.0)))
    assert torch.equal(batcher(*rows(1, 8.0)), work(*rows(1, 8.0)))  # and it goes on


def test_rows_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Batcher(work, rows=0)
