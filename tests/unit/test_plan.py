"""What `make plan` counts, and what it refuses first."""

import re
import runpy

import pytest

from support import ROOT, message_of

PLAN = runpy.run_path(str(ROOT / "scripts/plan.py"))


def test_every_rule_that_takes_a_gpu_is_counted():
    found = {}
    for path in (ROOT / "rules").glob("*.smk"):
        for text in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            if stage := re.search(r'gpu=FIRST\["(\w+)"\]', text):
                found[text.partition(":")[0]] = stage[1]
    assert found == PLAN["GPU_STAGES"]


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_study_that_is_not_there_is_told_before_snakemake_runs(name):
    assert f"{name}: file: found" in message_of(PLAN["show"], [name])
