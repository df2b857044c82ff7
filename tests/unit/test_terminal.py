"""What a run says on the terminal."""

import io
import logging

import pytest
from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from cortexrsa.terminal import Planned, left, overview, seconds_of, speak, spoken

PLAN = [
    Planned("networks", "train", True, None),
    Planned("networks", "train", True, None),
    Planned("figures", "plot", True, 4.0),
    Planned("brain", "glm", False, 9.0),
]


@pytest.fixture
def run():
    """A logger of a run, and what was said on its terminal."""
    stream, logger = io.StringIO(), logging.Logger("run", logging.INFO)
    handler = ColorizingTextHandler(
        stream=stream,
        formatter=DefaultFormatter(),
        filter=DefaultFilter(set(), debug_dag=False, verbose=False, dryrun=False, printshellcmds=False),
    )
    handler.name = "DefaultStreamHandler"
    logger.addHandler(handler)
    return logger, lambda: stream.getvalue().splitlines()


def begun(logger, job: int, rule: str, words: str) -> None:
    logger.info(None, extra={"event": LogEvent.JOB_INFO, "jobid": job, "rule_name": rule, "rule_msg": words})


def test_a_run_says_stages_jobs_and_what_is_left(run):
    logger, said = run
    speak(logger, lambda: PLAN)
    for text in ("Select jobs to execute...", "Execute 2 jobs...", "Using shell: bash"):
        logger.info(text)
    logger.info("Job stats: ...", extra={"event": LogEvent.RUN_INFO})
    begun(logger, 1, "train", "Training a")
    logger.info(None, extra={"event": LogEvent.JOB_FINISHED, "job_id": 1})
    logger.info(None, extra={"event": LogEvent.PROGRESS, "done": 1, "total": 4})
    logger.warning("Warning: mind this")
    # a target, which makes nothing
    begun(logger, 9, "all", "All results")
    first, *table, began, ended, warned = said()
    assert first == "3 jobs to run; 1 are done already."
    assert [line.split() for line in table] == [
        ["networks", "2", "to", "run", "0", "there"],
        ["figures", "1", "to", "run", "0", "there"],
        ["brain", "0", "to", "run", "1", "there"],
    ]
    assert began.split(maxsplit=1)[1] == "networks   Training a"
    assert ended.endswith("networks   Training a: done in 0 s (1 of 3 jobs)")
    assert warned == "Warning: mind this"


def test_a_job_that_fails_ends_in_one_line_and_one_that_is_killed_too(run, tmp_path):
    logger, said = run
    speaker = speak(logger, lambda: PLAN)
    logger.info("Job stats: ...", extra={"event": LogEvent.RUN_INFO})
    spoke, killed = tmp_path / "spoke.log", tmp_path / "killed.log"
    spoke.write_text("Traceback\nError: V1: found none (details: spoke.log)\n")
    killed.write_text("half a li")
    for job, log in ((1, spoke), (2, killed), (3, killed)):
        begun(logger, job, "train", f"Training {job}")
        logger.error(
            "Error in rule train",
            extra={"event": LogEvent.JOB_ERROR, "jobid": job, "rule_name": "train", "log": [str(log)]},
        )
    command = "Command 'set -e; python /p/.snakemake/scripts/tmp1.train.py' returned non-zero exit status 1."
    dead = command.replace("returned non-zero exit status 1", "died with <Signals.SIGKILL: 9>")
    for line in (command, dead):
        logger.error(f'RuleException:\nCalledProcessError in file "/p/rules/networks.smk", line 9:\n{line}')
    assert said()[-1].endswith(f"networks   Training 3: failed; the whole log: {killed}")
    # tried again, and done
    begun(logger, 3, "train", "Training 3")
    logger.info(None, extra={"event": LogEvent.JOB_FINISHED, "job_id": 3})
    (line,) = speaker.speechless()
    assert line.startswith("Error: Training 2 ended without a word of its own")
    assert line.endswith(f"(details: {killed})")
    # Snakemake, which writes how long a job took once the job has ended well
    logger.error("WorkflowError:\nOSError: [Errno 28] No space left on device")
    begun(logger, 4, "train", "Training 4")
    logger.error(
        "Error in rule train",
        extra={"event": LogEvent.JOB_ERROR, "jobid": 4, "rule_name": "train", "log": [str(killed)]},
    )
    before, line = speaker.speechless()
    assert before.startswith("Error: Training 2 ended without a word of its own")
    told = "no record of this job could be written: Training 4"
    assert line == f"Error: results: The disk is full: {told} (details: {killed})"


def test_a_run_whose_plan_cannot_be_told_goes_on_in_words(run):
    logger, said = run

    def plan():
        raise KeyError("s")

    speak(logger, plan)
    logger.info("Job stats: ...", extra={"event": LogEvent.RUN_INFO})
    begun(logger, 1, "train", "Training a")
    logger.info(None, extra={"event": LogEvent.JOB_FINISHED, "job_id": 1})
    warned, own, began, ended = said()
    assert warned.startswith("Warning: no words for this step (KeyError: 's')")
    assert own == "Job stats: ..."
    assert began.endswith("Training a")
    assert "Training a: done in 0 s" in ended


@pytest.mark.parametrize("kept", ["dryrun", "verbose"])
def test_dry_runs_and_verbose_ones_keep_the_words_of_snakemake(run, kept):
    logger, _ = run
    setattr(logger.handlers[0].filters[0], kept, True)
    former = logger.handlers[0]
    assert speak(logger, lambda: PLAN) is None
    assert logger.handlers == [former]


def test_time_that_is_left_follows_from_jobs_of_the_same_rule():
    known = {"train": [100.0, 140.0], "plot": [4.0]}
    # two side by side until now
    assert left({"train": 2, "plot": 1}, known, [100.0, 140.0], 120.0) == pytest.approx((240 + 4) / 2)
    # of a rule that never ran: the mean of the others
    assert left({"rsa": 1}, known, [10.0], 10.0) == pytest.approx((120 + 4) / 2)
    assert left({"train": 1}, known, [], 60.0) != left({"train": 1}, known, [], 60.0)
    assert (spoken(8.2), spoken(250), spoken(9000)) == ("8 s", "4 min", "2.5 h")


def test_seconds_of_former_jobs_are_read_where_there_are_any(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_text("s\th:m:s\n2.5\t0:00:02\n3.5\t0:00:03\n")
    assert seconds_of(file) == 3.0
    assert seconds_of(tmp_path / "none.tsv") is None
    assert seconds_of(None) is None
    odd = ("", "\n", "s\n", "h:m:s\n0:00:02\n", "s\tx\nNA\t1\n", "x\ts\n1\n", "s\nnan\n", "s\n-1\n")
    for content in (*map(str.encode, odd), b"s\n\xff\n"):
        file.write_bytes(content)
        assert seconds_of(file) is None, content
    assert overview([]).startswith("0 jobs to run")
