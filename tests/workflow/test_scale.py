"""The number of jobs grows with data sets, networks and shards; never with layers or ROIs."""

from __future__ import annotations

import re

import pytest
from generated import write_study

from support import snakemake


@pytest.fixture
def jobs(project):
    def count(**study) -> dict[str, int]:
        write_study(project, **study)
        run = snakemake(project, "--configfile", "generated.yaml", "--dry-run", "--quiet", "all")
        assert run.returncode == 0, run.stderr[-3000:]
        return {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", run.stdout, re.M)}

    return count


def test_jobs_do_not_depend_on_layers_and_rois(jobs):
    few = jobs(models=3, datasets=2, layers=2, rois=2)
    assert few == jobs(models=3, datasets=2, layers=11, rois=6)
    assert few["extract"] == few["network_rdms"] == few["rsa"] == 6
    # five networks more: five kinds of job for each of them and each data set, and no other job
    more = jobs(models=8, datasets=2, layers=2, rois=2, shards=3)
    assert more["extract"] == 3 * 16
    assert more["network_rdms"] == more["rsa"] == more["measures"] == more["encoding"] == 16
    per_pair = {"extract", "network_rdms", "rsa", "measures", "encoding", "total"}
    assert {rule: n for rule, n in more.items() if rule not in per_pair} == {
        rule: n for rule, n in few.items() if rule not in per_pair
    }
