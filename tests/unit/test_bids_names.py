"""Which files of a BIDS folder belong together: entities, inheritance, and what is incomplete."""

from __future__ import annotations

from pathlib import Path

import pytest

from cortexrsa import cards
from cortexrsa.formats.bids_names import entities_of, inherited, runs_of_all
from support import message_of


def options_of(**options):
    """Options of a card, with the defaults of the schema."""
    card = {
        "description": "",
        "citation": "",
        "licence": "",
        "loader": "bids",
        "path": "data",
        "rois": {"V1": {"mask": "V1.nii.gz"}},
        "options": {"task": "x"} | options,
    }
    return cards.validate("datasets", card, "card")["options"]


def fill(folder: Path, *names: str) -> Path:
    """Empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def files_of(folder, **options):
    runs, skipped = runs_of_all(folder, options_of(**options))
    return [run for own in runs.values() for run in own], skipped


def refusal(folder, **options) -> str:
    return message_of(runs_of_all, folder, options_of(**options))


RAW = ["sub-1/func/sub-1_task-x_{}_bold.nii.gz", "sub-1/func/sub-1_task-x_{}_events.tsv"]
FMRIPREP = [
    "derivatives/fp/sub-1/func/sub-1_task-x_{}_space-T1w_desc-preproc_bold.nii.gz",
    "derivatives/fp/sub-1/func/sub-1_task-x_{}_desc-confounds_timeseries.tsv",
]
PREPROCESSED = {"derivatives": "derivatives/fp", "space": "T1w"}


# ---- entities and inheritance ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entity", ["acq-2mm", "ce-gad", "rec-norm", "dir-AP", "run-1", "echo-1", "part-mag", "chunk-1", "new-3"]
)
@pytest.mark.parametrize("processed", [False, True])
def test_whatever_entities_the_names_have(tmp_path, entity, processed):
    fill(tmp_path, *(name.format(entity) for name in RAW + FMRIPREP * processed))
    (run,), skipped = files_of(tmp_path, **PREPROCESSED if processed else {})
    assert run.events.name == f"sub-1_task-x_{entity}_events.tsv"
    assert not skipped
    if processed:
        assert run.bold.name == f"sub-1_task-x_{entity}_space-T1w_desc-preproc_bold.nii.gz"
        assert run.confounds.name == f"sub-1_task-x_{entity}_desc-confounds_timeseries.tsv"


def test_directions_are_runs_of_their_own_in_the_order_of_the_runs(tmp_path):
    for entities in ("dir-AP_run-1", "dir-PA_run-1", "dir-AP_run-2", "dir-AP_run-10"):
        fill(tmp_path, *(name.format(entities) for name in RAW))
    runs, _ = files_of(tmp_path)
    assert [run.label for run in runs] == [
        "sub-1_dir-AP_run-1",
        "sub-1_dir-PA_run-1",
        "sub-1_dir-AP_run-2",
        "sub-1_dir-AP_run-10",
    ]
    runs, _ = files_of(tmp_path, entities={"dir": "PA"})
    assert [run.label for run in runs] == ["sub-1_dir-PA_run-1"]


def test_hidden_files_are_none(tmp_path):
    names = [name.format("run-1") for name in RAW + FMRIPREP]
    fill(tmp_path, *names, "._task-x_events.tsv", "._task-x_bold.json")
    fill(tmp_path, *(str(Path(name).with_name(f"._{Path(name).name}")) for name in names))
    for options in ({}, PREPROCESSED):
        (run,), _ = files_of(tmp_path, **options)
        assert not [path for path in (run.bold, run.events, run.confounds) if path and path.name[0] == "."]
        assert run.sidecars == run.raw_sidecars == ()


def test_numbers_are_numbers(tmp_path):
    fill(tmp_path, RAW[0].format("run-01"), RAW[1].format("run-1"))
    assert files_of(tmp_path)[0][0].events.name.endswith("run-1_events.tsv")
    assert entities_of(Path("sub-01_ses-02_run-03_bold.nii.gz")) == {"sub": "01", "ses": "02", "run": "3"}
    # a label is not one
    fill(tmp_path / "b", RAW[0].format("acq-01"), RAW[1].format("acq-1"))
    assert "no events of" in refusal(tmp_path / "b")


def test_the_nearest_events_and_sidecars_apply(tmp_path):
    bold = "sub-1/ses-a/func/sub-1_ses-a_task-x_run-1_bold.nii.gz"
    places = [
        "task-x_events.tsv",
        "sub-1/sub-1_task-x_events.tsv",
        "sub-1/ses-a/sub-1_ses-a_task-x_events.tsv",
        "sub-1/ses-a/func/sub-1_ses-a_task-x_events.tsv",
        "sub-1/ses-a/func/sub-1_ses-a_task-x_run-1_events.tsv",
    ]
    other = ["task-y_events.tsv", "sub-1/sub-1_task-x_run-2_events.tsv", "sub-1/func/task-x_events.tsv"]
    fill(tmp_path, bold, other[0])
    for k, place in enumerate(places):
        fill(tmp_path, place)
        (run,), _ = files_of(tmp_path)
        assert run.events == tmp_path / place
        found = inherited(run.bold, tmp_path, "events", ".tsv")
        assert found == [tmp_path / name for name in places[: k + 1]]
    sidecars = [name.replace("_events.tsv", "_bold.json") for name in places]
    fill(tmp_path, *sidecars, "sub-1/ses-a/func/sub-1_ses-a_task-x_run-2_bold.json")
    assert files_of(tmp_path)[0][0].sidecars == tuple(tmp_path / name for name in sidecars)


def test_two_files_that_apply_alike_are_refused(tmp_path):
    fill(tmp_path, RAW[0].format("acq-a_dir-b"))
    fill(tmp_path, RAW[1].format("acq-a"), RAW[1].format("dir-b"))
    assert "acq-a_events.tsv and sub-1_task-x_dir-b_events.tsv, which apply to" in refusal(tmp_path)


def test_preprocessed_runs_have_the_sidecars_of_both_folders(tmp_path):
    fill(tmp_path, *(name.format("run-1") for name in RAW + FMRIPREP), "task-x_bold.json")
    fill(tmp_path, FMRIPREP[0].format("run-1").replace(".nii.gz", ".json"))
    (run,), _ = files_of(tmp_path, **PREPROCESSED)
    assert [path.name for path in run.sidecars] == ["sub-1_task-x_run-1_space-T1w_desc-preproc_bold.json"]
    assert run.raw_sidecars == (tmp_path / "task-x_bold.json",)


def test_derivatives_may_lie_outside_of_the_folder(tmp_path):
    raw = fill(tmp_path / "raw", *(name.format("run-1") for name in RAW))
    fill(tmp_path / "elsewhere", *(name.format("run-1").removeprefix("derivatives/") for name in FMRIPREP))
    (run,), _ = files_of(raw, derivatives=str(tmp_path / "elsewhere/fp"), space="T1w")
    assert run.events == raw / RAW[1].format("run-1")


@pytest.mark.parametrize(
    ("first", "second", "chooses"),
    [
        ("run-1_echo-1", "run-1_echo-2", "options.entities.echo"),
        ("run-1_part-mag", "run-1_part-phase", "options.entities.part"),
        ("rec-a_run-1", "rec-b_run-1", "options.entities.rec"),
        ("run-1", "run-01", "expected one"),
        ("run-1", "run-1_echo-2", "options.entities.echo"),
    ],
)
def test_two_versions_of_one_scan_are_not_two_runs(tmp_path, first, second, chooses):
    fill(tmp_path, *(name.format(entities) for name in RAW for entities in (first, second)))
    message = refusal(tmp_path)
    assert "found two files for one run" in message
    assert chooses in message
    if "entities" in chooses:
        key = chooses.rsplit(".", 1)[1]
        (run,), _ = files_of(tmp_path, entities={key: entities_of(Path(f"{second}_bold.nii"))[key]})
        assert second in run.bold.name


def test_an_entity_may_be_absent(tmp_path):
    fill(tmp_path, *(name.format("run-1") for name in RAW + FMRIPREP))
    fill(tmp_path, FMRIPREP[0].format("run-1").replace("space-T1w", "space-T1w_res-2"))
    assert "options.entities.res" in refusal(tmp_path, **PREPROCESSED)
    (run,), _ = files_of(tmp_path, **PREPROCESSED, entities={"res": None})
    assert "res" not in entities_of(run.bold)


# ---- what is incomplete ----------------------------------------------------------------------------------


@pytest.fixture
def four_runs(tmp_path):
    names = [name.format(f"run-{run}") for run in (1, 2, 3, 4) for name in RAW + FMRIPREP]
    return fill(tmp_path, *names)


def test_preprocessed_bold_of_one_run_of_four(four_runs):
    for run in (1, 2, 4):
        (four_runs / FMRIPREP[0].format(f"run-{run}")).unlink()
    message = refusal(four_runs, **PREPROCESSED)
    assert "no preprocessed BOLD (task-x, space-T1w) of sub-1_task-x_run-1_bold.nii.gz (and 2 more" in message
    assert "options.incomplete: skip" in message
    (run,), skipped = files_of(four_runs, **PREPROCESSED, incomplete="skip")
    assert run.label == "sub-1_run-3"
    assert len(skipped) == 3
    assert all("no preprocessed BOLD" in text for text in skipped)


def test_bold_without_events_and_events_without_bold(four_runs):
    (four_runs / RAW[1].format("run-2")).unlink()
    assert "found no events of sub-1_task-x_run-2_bold.nii.gz, expected BOLD with" in refusal(four_runs)
    runs, skipped = files_of(four_runs, incomplete="skip")
    assert [run.label for run in runs] == ["sub-1_run-1", "sub-1_run-3", "sub-1_run-4"]
    assert skipped == ["sub-1: no events of sub-1_task-x_run-2_bold.nii.gz: left out"]
    fill(four_runs, RAW[1].format("run-2"), RAW[1].format("run-5"))
    assert "found events without BOLD (task-x), sub-1_task-x_run-5_events.tsv" in refusal(four_runs)
    runs, skipped = files_of(four_runs, incomplete="skip")
    assert len(runs) == 4
    assert len(skipped) == 1


def test_what_another_entity_has_is_not_incomplete(four_runs):
    fill(four_runs, *(name.format("dir-PA_run-1") for name in RAW))
    runs, _ = files_of(four_runs, entities={"dir": None})
    assert len(runs) == 4
    fill(four_runs, *(name.format("run-1").replace("task-x", "task-y") for name in RAW))
    assert len(files_of(four_runs, entities={"dir": None})[0]) == 4


def test_subjects_without_runs(four_runs):
    fill(four_runs, "sub-2/anat/sub-2_T1w.nii.gz")
    assert "sub-2: runs: found no BOLD of task-x, expected" in refusal(four_runs)
    runs, skipped = files_of(four_runs, incomplete="skip")
    assert {run.subject for run in runs} == {"1"}
    assert skipped == ["sub-2 is left out: no BOLD of task-x"]
    fill(four_runs / "empty", "sub-2/anat/sub-2_T1w.nii.gz")
    assert "none that is complete" in refusal(four_runs / "empty", incomplete="skip")


def test_sessions_are_chosen_and_sorted_as_numbers(tmp_path):
    for session in ("1", "2", "10"):
        stem = f"sub-1/ses-{session}/func/sub-1_ses-{session}_task-x"
        fill(tmp_path, f"{stem}_bold.nii.gz", f"{stem}_events.tsv")
    assert [run.session for run in files_of(tmp_path)[0]] == ["1", "2", "10"]
    assert [run.session for run in files_of(tmp_path, sessions=["10"])[0]] == ["10"]


# ---- cards -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rois", "options", "message"),
    [
        ({}, {"events": {"pattern": "(.+"}}, "options.events.pattern: found '(.+', expected a regular"),
        (
            {"A": {"union": ["V1", "V2"]}},
            {},
            "rois.A.union: found 'V2', expected one of V1; did you mean V1?",
        ),
        ({"A": {"union": ["V1", "B"]}, "B": {"union": ["V1", "A"]}}, {}, "rois.A.union: found 'B'"),
        ({}, {"subjects": ["3"]}, "options.subjects[0]: found '3'"),
    ],
    ids=str,
)
def test_cards_that_are_refused(four_runs, rois, options, message):
    card = {"loader": "bids", "path": str(four_runs), "rois": {"V1": {"mask": "V1.nii.gz"}} | rois}
    card["options"] = options_of(**options)
    assert message in message_of(cards.bids_source, "mine", card)


def test_subjects_that_are_skipped_are_no_jobs(four_runs):
    fill(four_runs, "sub-2/anat/sub-2_T1w.nii.gz")
    card = {"loader": "bids", "path": str(four_runs), "rois": {}, "options": options_of(incomplete="skip")}
    assert cards.bids_source("mine", card)["subjects"] == ["1"]


# ---- what is followed ------------------------------------------------------------------------------------


def test_every_file_that_a_job_reads_is_followed(four_runs):
    fill(four_runs, "V1.nii.gz", "atlas.nii.gz", "atlas.tsv", "stimuli/cats/a.png", "stimuli/stimuli.tsv")
    fill(four_runs, "stimuli/.DS_Store")
    sidecars = ["task-x_bold.json", "sub-1/sub-1_task-x_bold.json", "derivatives/fp/task-x_bold.json"]
    confounds = FMRIPREP[1].format("run-1").replace(".tsv", ".json")
    fill(four_runs, *sidecars, confounds)
    options = options_of(**PREPROCESSED, confounds=["trans_*"])
    rois = {"V1": {"mask": "V1.nii.gz"}, "LO": {"atlas": "atlas.nii.gz", "label": "LO"}}
    source = {"folder": str(four_runs), "subjects": ["1"], "rois": rois, "options": options}
    found = {
        Path(path).relative_to(four_runs).as_posix() for path in cards.bids_files(source, ["1"], images=False)
    }
    runs = {name.format(f"run-{run}") for run in (1, 2, 3, 4) for name in [RAW[1], *FMRIPREP]}
    assert found == runs | {*sidecars, confounds, "V1.nii.gz", "atlas.nii.gz", "atlas.tsv"}
    found = {
        Path(path).relative_to(four_runs).as_posix() for path in cards.bids_files(source, ["1"], images=True)
    }
    events = {RAW[1].format(f"run-{run}") for run in (1, 2, 3, 4)}
    assert found == events | {"stimuli/cats/a.png", "stimuli/stimuli.tsv"}
