"""Pairs of labels that are held out of training stay out of it, and can be asked for afterwards."""

import subprocess
import sys

import pytest

from ddpm.labels import encode, read_spec
from training.loop.pairs import HELD_OUT, PAIRS, SEEN, without_held_out


def test_a_tenth_of_all_pairs_is_held_out():
    assert len(PAIRS) == 276
    assert len(HELD_OUT) == 28
    assert set(HELD_OUT) | set(SEEN) == set(PAIRS) and not set(HELD_OUT) & set(SEEN)


def test_every_label_is_still_seen():
    assert {label for pair in SEEN for label in pair} == {label for pair in PAIRS for label in pair}


def test_a_held_out_pair_is_found_among_others_too():
    (a, b), (c, d) = HELD_OUT[0], SEEN[0]
    assert without_held_out(encode([[], [a], [b], [a, b], [c, d]])).tolist() == [True, True, True, False, True]
    others = list({c, d} - {a, b})
    assert not without_held_out(encode([[a, b, *others]])).item()


@pytest.mark.slow
def test_specs_of_pairs(tmp_path):
    def spec(kind, *more):
        out = tmp_path / f"{kind}.json"
        subprocess.run([sys.executable, "-m", "training.specs", "--pairs", kind, "--out", out, *more], check=True)
        return read_spec(out)

    held_out = spec("held-out")
    assert {tuple(scene) for scene in held_out} == set(HELD_OUT)
    seen = spec("seen", "--seed", "2")
    assert len(seen) == len({tuple(scene) for scene in seen}) == len(HELD_OUT)
    assert without_held_out(encode(seen)).all()
