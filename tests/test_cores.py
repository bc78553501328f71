"""All heavy work in one thread: it has the cores, and no second team of threads keeps them from it."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from ddpm import cores
from ddpm.batching import Batcher
from ddpm.demo.draw.studio import Studio
from ddpm.pipeline import Pipeline

GATHERED = """
import threading, torch
from concurrent.futures import ThreadPoolExecutor
from ddpm import cores
cores.gather()
cores.gather()
with ThreadPoolExecutor(1) as other:
    print(cores.count(), torch.get_num_threads(), other.submit(torch.get_num_threads).result(), cores.count())
"""


def test_work_of_all_threads_is_done_in_one() -> None:
    with ThreadPoolExecutor(4) as pool:
        workers = {pool.submit(cores.alone, threading.get_ident).result() for _ in range(8)}
    assert len(workers) == 1
    assert workers != {threading.get_ident()}


def test_work_may_ask_for_more_work() -> None:
    assert cores.alone(cores.alone, divmod, 7, 2) == (3, 1)


def test_what_goes_wrong_is_raised_where_it_was_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        cores.alone(divmod, 1, 0)
    assert cores.alone(divmod, 7, 2) == (3, 1)


def test_gathered_cores_belong_to_that_thread_alone() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    out = subprocess.run(
        [sys.executable, "-c", GATHERED], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert out.stdout.split() == ["2", "1", "1", "2"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_has_a_thread_of_its_own() -> None:
    assert cores.alone(divmod, 7, 2) == (3, 1)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            os._exit(0 if cores.alone(divmod, 9, 2) == (4, 1) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_a_forward_asked_for_in_that_thread_is_computed_there() -> None:
    batcher = Batcher(lambda x, time, labels: x + time[:, None, None, None], rows=2)
    inputs = torch.zeros(5, 3, 64, 64), torch.arange(5.0), torch.zeros(5, 24)
    assert torch.equal(cores.alone(batcher, *inputs), batcher(*inputs))


def test_forwards_and_looks_are_that_threads_work(pipeline: Pipeline) -> None:
    threads: list[int] = []

    def judge(x: Tensor) -> Tensor:
        threads.append(threading.get_ident())
        return torch.zeros(len(x), 24)

    def forward(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        threads.append(threading.get_ident())
        return x

    studio = Studio(pipeline, judge)
    assert studio.look(torch.zeros(20, 3, 64, 64)).shape == (20, 2, 24)
    assert studio.glance(torch.zeros(3, 3, 64, 64)).shape == (3, 24)
    Batcher(forward)(torch.zeros(1, 3, 64, 64), torch.zeros(1), torch.zeros(1, 24))
    assert set(threads) == {cores.alone(threading.get_ident)}
    assert len(threads) == 3 + 1 + 1
