"""The harness of the benchmarks counts units, memory and names as it says."""

from pathlib import Path

import numpy as np
import pytest
from harness import Case, load_cases, time_side


def spend(n):
    return np.ones(n).sum()


def case(**changes) -> Case:
    settings = {"name": "a", "size": "1", "peer": "none", "inputs": lambda: {"n": 10}}
    return Case(**(settings | {"ours": spend, "theirs": spend} | changes))


def test_seconds_are_those_of_one_unit(monkeypatch):
    ticks = iter(np.arange(100.0))
    monkeypatch.setattr("harness.time.perf_counter", lambda: next(ticks))
    assert time_side(case(ours_units=4, repeats=3), "ours")["seconds"] == 0.25
    assert time_side(case(peer_units=2), "peer")["seconds"] == 0.5


def test_peak_memory_is_that_of_the_work():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the kernel does not count peak memory anew here")
    small = time_side(case(repeats=1), "ours")["rss_mb"]
    large = time_side(case(repeats=1, inputs=lambda: {"n": 20_000_000}), "ours")["rss_mb"]
    assert 150 < large - small < 250  # 160 MB of float64


def test_warms_up_only_before_repeats():
    calls = []
    counted = case(ours=lambda n: calls.append(n), theirs=lambda n: calls.append(n), repeats=3)
    time_side(counted, "ours")
    assert len(calls) == 4
    time_side(counted, "peer")
    assert len(calls) == 5


def test_names_are_unique(tmp_path):
    for name in ("bench_one_fixture", "bench_two_fixture"):
        (tmp_path / f"{name}.py").write_text(
            "from harness import Case\n"
            "CASES = [Case('same', '1', 'none', dict, lambda: None, lambda: None)]\n"
        )
    with pytest.raises(ValueError, match="bench_two_fixture.py: case 'same' is in bench_one_fixture.py too"):
        load_cases(tmp_path)
