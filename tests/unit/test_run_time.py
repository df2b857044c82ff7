"""The sentence that `make run` begins with."""

import subprocess
import sys
from pathlib import Path

import pytest

from cortexrsa.run_time import LONGEST, TOTAL, processor_flags, sentence, usable_cores

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("cores", "flags", "seconds"),
    [
        (1, {"avx2"}, TOTAL),
        (2, {"avx2", "avx512f"}, TOTAL / 2),
        (2, {"avx512_bf16"}, TOTAL / 2),
        # no more cores than the longest training can use
        (64, set(), LONGEST),
    ],
)
def test_minutes_are_those_of_the_cores(cores, flags, seconds):
    text = sentence(cores, flags)
    assert f"about {round(seconds / 60)} minutes on {cores} core" in text
    assert ("less on this processor" in text) == ("avx512_bf16" in flags)


def test_flags_are_read_where_the_system_lists_them(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor : 1\n")
    assert processor_flags(tmp_path / "cpuinfo") == {"fpu", "avx2", "amx_bf16"}
    assert processor_flags(tmp_path / "none") == set()


def test_cores_are_those_asked_for_but_no_more_than_there_are():
    assert usable_cores("1") == 1
    assert usable_cores("²") == usable_cores("³²") == usable_cores("all")
    assert usable_cores("all") == usable_cores("100000") >= 1


@pytest.mark.parametrize("cores", ["", ", '2'"])
def test_the_script_says_one_sentence_without_pytorch(cores):
    code = f"import sys, runpy; sys.argv = ['run_time.py'{cores}]; runpy.run_path('scripts/run_time.py')\n"
    code += "assert not {'torch', 'numpy'} & set(sys.modules)"
    environment = {"PYTHONPATH": str(ROOT / "scripts")}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("The embedded study will take about ")
    assert run.stdout.count("\n") == 1
