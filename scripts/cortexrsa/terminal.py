"""What a run says on the terminal: stages, jobs, time left. The file of the run keeps what Snakemake says."""

from __future__ import annotations

import logging
import math
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cortexrsa.errors import reason
from cortexrsa.jobs import ERROR, FULL, WARNING, last_line

# what Snakemake says of itself at every step, and of a script that failed: a line of our own tells of it
ITSELF = re.compile(
    r"Select jobs to execute|Execute \d+ jobs|Using shell:|Assuming unrestricted|Conda environments: ignored"
    r"|RuleException:\sCalledProcessError in file .*\s.*/\.snakemake/scripts/.*"
    r"(?:returned non-zero exit status|died with)"
)
# of jobs that failed without a word of their own
KILLED = "{} ended without a word of its own, as a job does that is killed, perhaps for want of memory"
UNRECORDED = "results: The disk is full: no record of this job could be written: {}"
# events that have lines of their own here, or none
OF_A_JOB = ("job_info", "job_finished", "job_error", "run_info")
SILENT = ("job_started", "progress", "shellcmd", "resources_info")


@dataclass(frozen=True)
class Planned:
    """A job of the run.

    Attributes
    ----------
    stage : of the study, such as inference
    rule : its name
    needed : whether it runs now; else what it makes is there
    seconds : that it took the last time, None if it never ran
    """

    stage: str
    rule: str
    needed: bool
    seconds: float | None


@dataclass(frozen=True)
class Started:
    """A job that began: its rule, its stage, what it does in words, and when."""

    rule: str
    stage: str
    words: str
    since: float


def spoken(seconds: float) -> str:
    """A duration in words.

    Examples
    --------
    >>> spoken(8.2), spoken(250), spoken(9000)
    ('8 s', '4 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def left(
    waiting: Counter[str], known: dict[str, list[float]], finished: list[float], elapsed: float
) -> float:
    """Seconds that a run still takes, as far as the jobs before tell; nan while they tell nothing.

    Jobs take what others of their rule took, in this run or before. Those of rules that never ran take the
    mean of all rules. As many run side by side as until now.

    Parameters
    ----------
    waiting : jobs that are not finished, by rule
    known : seconds of finished jobs, by rule, of this run and of former ones
    finished : seconds of the jobs that finished in this run
    elapsed : seconds since the run began
    """
    if not finished or elapsed < 5:
        return float("nan")
    means = {rule: sum(all_) / len(all_) for rule, all_ in known.items() if all_}
    usual = sum(means.values()) / len(means)
    beside = max(1.0, sum(finished) / elapsed)
    return sum(count * means.get(rule, usual) for rule, count in waiting.items()) / beside


def overview(planned: list[Planned]) -> str:
    """Table of the stages: jobs to run, and those whose results are there."""
    wanted = [job for job in planned if job.needed]
    stages = list(dict.fromkeys(job.stage for job in planned))
    lines = [f"{len(wanted)} jobs to run; {len(planned) - len(wanted)} are done already."]
    for stage in stages:
        own = [job for job in planned if job.stage == stage]
        needed = sum(job.needed for job in own)
        lines.append(f"  {stage:<11}{needed:>5} to run {len(own) - needed:>5} there")
    return "\n".join(lines)


class Speaker(logging.StreamHandler):
    """Handler of Snakemake's log that says what a person wants to know.

    Parameters
    ----------
    former : handler that it replaces: its stream, filters and formatter stay
    plan : function that returns the jobs of the run once they are known
    """

    def __init__(self, former: logging.StreamHandler, plan) -> None:
        super().__init__(former.stream)
        self.setFormatter(former.formatter)
        for each in former.filters:
            self.addFilter(each)
        self.plan = plan
        self.stages: dict[str, str] = {}
        self.known: dict[str, list[float]] = {}
        self.waiting: Counter[str] = Counter()
        self.running: dict[int, Started] = {}
        self.finished: list[float] = []
        # in words, its logs, and whether Snakemake met a full disk
        self.failed: dict[int, tuple[str, list[str], bool]] = {}
        self.full = False
        self.began = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record, if it has something to say."""
        try:
            if said := self._said_or_told(record):
                self.stream.write(f"{said}\n")
                self.flush()
        except BrokenPipeError:
            raise
        except Exception:
            self.handleError(record)

    def _said_or_told(self, record: logging.LogRecord) -> str:
        """What a record says here; where that fails, a warning and Snakemake's words: a run goes on."""
        try:
            return self._said(record)
        except Exception as error:
            told = f"no words for this step ({type(error).__name__}: {reason(error)}); Snakemake's own:"
            return f"{WARNING}{told}\n{self.format(record)}"

    def _said(self, record: logging.LogRecord) -> str:
        event = getattr(record, "event", None)
        name = getattr(event, "value", None)
        if name in SILENT:
            return ""
        if name in OF_A_JOB:
            return getattr(self, f"_{name}")(record)
        said = self.format(record)
        # Snakemake writes files itself once a job has ended, such as the time that it took
        self.full = self.full or bool(FULL.search(said))
        return "" if said == "None" or ITSELF.match(said) else said

    def _run_info(self, record: logging.LogRecord) -> str:
        planned = self.plan()
        self.stages = {job.rule: job.stage for job in planned}
        self.waiting = Counter(job.rule for job in planned if job.needed)
        for job in planned:
            if job.seconds is not None:
                self.known.setdefault(job.rule, []).append(job.seconds)
        self.began = time.monotonic()
        return overview(planned)

    def _line(self, stage: str, words: str) -> str:
        return f"{time.strftime('%H:%M:%S')}  {stage:<11}{words}"

    def _job_info(self, record: logging.LogRecord) -> str:
        rule = record.rule_name
        # targets, which make nothing; without a plan, every rule is told
        if self.stages and rule not in self.stages:
            return ""
        started = Started(rule, self.stages.get(rule, ""), record.rule_msg or rule, time.monotonic())
        self.running[record.jobid] = started
        return self._line(started.stage, started.words)

    def _job_finished(self, record: logging.LogRecord) -> str:
        self.failed.pop(record.job_id, None)
        job = self.running.pop(record.job_id, None)
        if job is None:
            return ""
        took, now = time.monotonic() - job.since, time.monotonic()
        self.known.setdefault(job.rule, []).append(took)
        self.finished.append(took)
        self.waiting[job.rule] -= 1
        total = len(self.finished) + self.waiting.total()
        seconds = left(self.waiting, self.known, self.finished, now - self.began)
        more = f", about {spoken(seconds)} left" if seconds > 0 else ""
        counted = f"{len(self.finished)} of {total} jobs{more}"
        return self._line(job.stage, f"{job.words}: done in {spoken(took)} ({counted})")

    def _job_error(self, record: logging.LogRecord) -> str:
        job = self.running.pop(record.jobid, None)
        words = job.words if job else record.rule_name
        self.failed[record.jobid] = words, list(record.log), self.full
        self.full = False
        where = f"; the whole log: {', '.join(record.log)}" if record.log else ""
        return self._line(job.stage if job else "", f"{words}: failed{where}")

    def speechless(self) -> list[str]:
        """A line of error for each job that failed without one, such as one that was killed."""
        return [
            ERROR
            + (UNRECORDED if full else KILLED).format(words)
            + f" (details: {', '.join(logs) or 'no log'})"
            for words, logs, full in self.failed.values()
            if not any(last_line(log).startswith(ERROR) for log in logs)
        ]


def speak(logger: logging.Logger, plan) -> Speaker | None:
    """Let a run say what a person wants to know, in the place of Snakemake's own words.

    Dry runs, --verbose, and a logger plugin that the user chose keep their words.

    Parameters
    ----------
    logger : of Snakemake
    plan : see `Speaker`
    """
    for former in logger.handlers:
        if former.name != "DefaultStreamHandler":
            continue
        if any(each.dryrun or each.verbose for each in former.filters):
            return None
        speaker = Speaker(former, plan)
        logger.removeHandler(former)
        logger.addHandler(speaker)
        return speaker
    return None


def seconds_of(benchmark: str | Path | None) -> float | None:
    """Seconds of a job by the file that Snakemake wrote of it; None if there is none, or it tells none."""
    try:
        heading, *values = Path(benchmark or "").read_text().splitlines()
        place = heading.split("\t").index("s")
        seconds = [float(value.split("\t")[place]) for value in values]
    # an empty file, no such column, NA, no text
    except (OSError, ValueError, IndexError):
        return None
    mean = sum(seconds) / len(seconds) if seconds else math.nan
    return mean if math.isfinite(mean) and mean >= 0 else None
