"""What Snakemake would do for a study, from its own objects: nothing is run, and no text is parsed."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml

from cortexrsa.errors import InputError


@dataclass(frozen=True)
class Job:
    """One job of a study.

    Attributes
    ----------
    rule : its name
    outputs : paths
    settings : `params.settings` of its rule, None where it has none
    pending : whether Snakemake would run it now
    """

    rule: str
    outputs: list[str]
    settings: object
    pending: bool


def jobs_of(root: Path, configfiles: list[str | Path], targets: list[str] | None = None) -> list[Job]:
    """All jobs of a study, those that are done included.

    Parameters
    ----------
    root : project folder, in which results lie
    configfiles : as after `--configfile`; none for config.yaml alone
    targets : rules or files; by default all that the study asks for

    Raises
    ------
    InputError : Snakemake cannot make the graph of the jobs, with what it says.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import print_exception
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        Quietness,
        RerunTrigger,
        ResourceSettings,
    )

    # the API does not read profiles
    profile = yaml.safe_load((root / "profiles/default/config.yaml").read_text())
    triggers = frozenset(RerunTrigger.parse_choice(name) for name in profile["rerun-triggers"])
    said = io.StringIO()
    try:
        with (
            contextlib.redirect_stderr(said),
            SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api,
        ):
            workflow = api.workflow(
                ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[Path(path) for path in configfiles]),
                snakefile=root / "Snakefile",
                workdir=root,
            )
            graph = workflow.dag(DAGSettings(targets=set(targets or ()), rerun_triggers=triggers))
            graph.execute_workflow(pseudo_executor="dryrun", execution_settings=ExecutionSettings(lock=False))
            # the API has no public way to the jobs
            dag = workflow._workflow.dag
            return [
                Job(job.rule.name, list(job.output), job.params.get("settings"), dag.needrun(job))
                for job in dag.jobs
            ]
    except SystemExit as error:
        # the configuration is at fault: the Snakefile said its line
        raise InputError(str(error.code).removeprefix("Error: ")) from error
    except Exception as error:
        print_exception(error)
        raise InputError(" ".join(f"{type(error).__name__}: {error}".split())) from error


def pending(jobs: list[Job]) -> Counter[str]:
    """Number of jobs that would run now, by rule; targets that make no file do not count."""
    return Counter(job.rule for job in jobs if job.pending and job.outputs)
