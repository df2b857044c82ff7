"""What jobs ask for: GPUs by rule, memory and time that grow with every retry; the profile for SLURM."""

import re
from pathlib import Path

import pytest
from snakemake.profiles import ProfileConfigFileParser

ROOT = Path(__file__).resolve().parents[2]
RULES = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))


def blocks() -> dict[str, str]:
    parts = re.split(r"^(?:use rule \w+ as|rule|checkpoint) (\w+)(?: with)?:", RULES, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def growing() -> set[str]:
    """Functions of resources that have more at every attempt."""
    text = (ROOT / "rules/common/resources.smk").read_text()
    functions = re.split(r"^def (\w+)", text, flags=re.MULTILINE)[1:]
    return {
        name
        for name, body in zip(functions[::2], functions[1::2], strict=True)
        if "* attempt" in body or "attempt *" in body
    }


@pytest.mark.parametrize("rule", blocks())
def test_memory_and_run_time_of_every_rule_grow_with_the_retries(rule):
    """Where a rule says nothing, the profiles' usual ones hold (test_environments.py)."""
    for resource in ("mem_mb", "runtime"):
        value = re.search(rf"^        {resource}=(\w+)", blocks()[rule], re.MULTILINE)
        assert value is None or value[1] in growing(), f"{resource} of {rule} is the same at every retry"


def test_the_profile_sends_the_gpu_rules_and_no_other_to_the_gpu_partition():
    with open(ROOT / "profiles/slurm/config.yaml") as file:
        profile = ProfileConfigFileParser().parse(file)
    asks = {rule for rule, block in blocks().items() if re.search(r"^        gpu=", block, re.MULTILINE)}
    assert asks == {"train", "train_guided", "extract", "robustness"}
    assert set(profile["set-resources"]) == {f"{rule}:slurm_partition=gpu" for rule in asks}
    assert "slurm_partition=cpu" in profile["default-resources"]
