"""Every command of the README and the docs is tested, and this module says how.

A command that nothing here knows fails `test_every_command_is_known`. Commands of the workflow run dry, those
of make are asked of make, those of scripts are held against their options; where another test runs a command
for real, it is named.
"""

import ast
import re
import shlex
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from support import ROOT, copy_project, snakemake

PAGES = [ROOT / "README.md", ROOT / "results/README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = "make|snakemake|python|PYTHONPATH=scripts python|pip|pytest|source|apt-get"
PROGRAMS += "|sbatch|sinfo|sacctmgr|squeue|scancel"
LANGUAGES = {"bash", "text", "yaml", "python", "pycon", "{toctree}", "{eval-rst}"}

# what runs the target of a command of make for real, beside make itself
TARGETS = {
    "run": "tests/workflow/conftest.py::finished",
    "plan": "tests/workflow/test_archive.py::test_the_plan_says_what_the_study_then_took",
    "archive": "tests/workflow/test_archive.py::archive",
    "check-archive": "tests/workflow/test_archive.py::test_an_archive_holds_the_study_and_passes_its_check",
    "report": "tests/workflow/test_faults.py::test_jobs_killed_at_every_stage_and_snakemake_at_some",
    "studies": "tests/workflow/test_studies.py::test_studies_are_listed_and_what_none_asks_for_is_removed",
    "prune": "tests/workflow/test_studies.py::test_studies_are_listed_and_what_none_asks_for_is_removed",
    "doctor": "tests/unit/test_doctor.py::test_the_command_looks_at_the_embedded_study",
    "help": "tests/unit/test_doctor.py::test_help_names_every_target",
    "docs": "tests/unit/test_site.py::site",
    "register": "tests/workflow/test_tutorial.py",
    "bench": "tests/unit/test_bench.py",
    "test-slurm": "tests/slurm/test_slurm.py",
    "test-gpu": "tests/gpu/test_gpu.py",
    # make itself is all there is to them, or the tests are
    **dict.fromkeys(["check", "test", "lint", "clean", ".venv/run.stamp"], "Makefile"),
}
# scripts that another test runs; measurements are only held against their options
SCRIPTS = {
    "scripts/new_model_card.py": "tests/unit/test_new_card.py",
    "scripts/new_dataset_card.py": "tests/workflow/test_field_studies.py::write_card",
    "scripts/document_claims.py": None,
    "scripts/export_betas.py": "tests/workflow/test_tutorial.py",
}
# studies that the reader writes; a test runs one like it
READERS = {
    "studies/mylab.yaml": "tests/workflow/test_field_studies.py"
    "::test_a_students_folder_becomes_a_study_with_all_its_figures",
    "studies/six_people.yaml": "tests/workflow/test_raw_bold.py"
    "::test_two_subjects_from_nifti_files_to_scores",
    "studies/mystudy.yaml": "tests/workflow/test_tutorial.py",
}
# all other commands, by their beginning: what tests them, or what they ask for that no test has
OTHERS = {
    "source .venv/bin/activate": "Makefile",
    "cp studies/algonauts92.yaml": "tests/unit/test_commands.py::test_two_settings_side_by_side",
    'echo "measures:': "tests/unit/test_commands.py::test_two_settings_side_by_side",
    "python ~/tutorial/mynet/train.py": "tests/workflow/test_tutorial.py",
    "PYTHONPATH=scripts python -m cortexrsa.formats.documented": "tests/unit/test_tables.py",
    "pip install .": "tests/unit/test_api.py::test_it_installs_and_works_elsewhere",
    "pip install -r requirements-extra.txt": "requirements-extra.txt",
    "pip index versions glmsingle": None,  # a package index
    "apt-get install chromium": None,  # root, and packages of Debian
    "snakemake --cores 8 --sdm conda": "tests/unit/test_environments.py",  # conda
    "snakemake --unlock": "tests/workflow/test_reruns.py",
    # the programs of a cluster
    **dict.fromkeys(["sbatch ", "sinfo ", "sacctmgr ", "squeue "], "tests/slurm/test_slurm.py"),
}


def commands() -> dict[str, str]:
    """Every command, and the page that shows it: lines of shell blocks, and programs in running text."""
    found = {}
    for page in PAGES:
        text = page.read_text()
        blocks = re.findall(r"^ *```bash\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks for line in block.splitlines()]
        prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
        lines += [" ".join(each.split()) for each in re.findall(rf"`((?:{PROGRAMS})\s[^`]+)`", prose)]
        for line in lines:
            if command := re.sub(r"(^|\s+)# .*", "", line).strip():
                found.setdefault(command, page.name)
    return found


COMMANDS = commands()


def starting(*words: str) -> list[str]:
    return [command for command in COMMANDS if command.startswith(words)]


def words(command: str) -> list[str]:
    return shlex.split(command)


OF_OTHERS = {beginning: starting(beginning) for beginning in OTHERS}
OF_MAKE = starting("make ")
OF_PYTHON = [command for command in starting("python ") if "~/tutorial/mynet/train.py" not in command]
OF_PYTEST = starting("pytest ")
OF_WORKFLOW = [
    command
    for command in starting("snakemake ", "CORTEXRSA_MIRROR=")
    if not any(command in own for own in OF_OTHERS.values())
]


def configuration(command: str) -> tuple[str, ...]:
    """What of a command sets the study: commands with the same are one dry run with all of their targets."""
    given, kept, keep = words(command), [], False
    for word in given:
        if word.startswith("--") or word == "-n":
            keep = word in ("--configfile", "--config", "--profile", "--until")
        if keep and not word.startswith("results/") or word.startswith("CORTEXRSA_MIRROR="):
            kept.append(word)
    return tuple(kept)


def targets(command: str) -> list[str]:
    """Files and rules that a command asks for: they come after `--`, or after one option with one value."""
    given = [word for word in words(command) if not word.startswith("CORTEXRSA_MIRROR=")]
    if "--" in given:
        return given[given.index("--") + 1 :]
    if given[1:2] and not given[1].startswith("-"):
        return given[1:2]
    last = given[-1]
    return [last] if last.startswith("results/") else []


DRY_RUNS = defaultdict(list)
for _command in OF_WORKFLOW:
    if not any(study in _command for study in READERS):
        DRY_RUNS[configuration(_command)] += targets(_command)


# ---- none is unknown ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_its_language(page):
    opened = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)[::2]
    assert set(opened) <= LANGUAGES


def test_blocks_of_python_are_where_a_test_runs_them():
    with_python = {page.name for page in PAGES if re.search(r"```py(thon|con)\n", page.read_text())}
    # test_api.py, test_tutorial.py
    assert with_python <= {"library.md", "tutorial.md"}


def test_every_command_is_known():
    known = {*OF_MAKE, *OF_PYTHON, *OF_PYTEST, *OF_WORKFLOW, *(c for own in OF_OTHERS.values() for c in own)}
    assert {command: page for command, page in COMMANDS.items() if command not in known} == {}


def test_no_entry_is_left_over():
    assert [beginning for beginning, own in OF_OTHERS.items() if not own] == []
    used = {words(command)[1] for command in OF_PYTHON}
    assert set(SCRIPTS) <= used
    assert [study for study in READERS if not any(study in command for command in COMMANDS)] == []


@pytest.mark.parametrize("named", sorted({*TARGETS.values(), *SCRIPTS.values(), *READERS.values()} - {None}))
def test_the_tests_that_are_named_are_there(named):
    file, _, name = named.partition("::")
    text = (ROOT / file).read_text()
    assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), named


# ---- make, scripts, tests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", OF_MAKE)
def test_make_knows_it(command):
    target, *variables = words(command)[1:]
    assert target in TARGETS
    makefile = (ROOT / "Makefile").read_text()
    assert {each.split("=")[0] for each in variables} <= set(re.findall(r"\$\(([A-Z_]+)\)", makefile))
    run = subprocess.run(["make", "-n", target, *variables], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def options_of(script: Path) -> tuple[set[str], bool]:
    """Options of a script, read off its calls of add_argument, and whether it takes others by their place."""
    calls = [
        node
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".add_argument")
    ]
    # a name may be a variable, as of one option in a loop
    names = {arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant)}
    options = {name for name in names if name.startswith("-")}
    by_hand = "sys.argv" in script.read_text()
    return options, by_hand or len(names) > len(options) or "add_subparsers" in script.read_text()


@pytest.mark.parametrize("command", OF_PYTHON)
def test_a_script_has_the_options_that_a_page_gives_it(command):
    script, *arguments = words(command)[1:]
    assert script in SCRIPTS or script.startswith("measurements/"), script
    options, places = options_of(ROOT / script)
    given = {argument.split("=")[0] for argument in arguments if argument.startswith("-")}
    assert given <= options
    assert places or len(arguments) == 0 or arguments[0].startswith("-")


@pytest.mark.parametrize("command", OF_PYTEST)
def test_a_test_that_a_page_names_is_there(command):
    file, *chosen = words(command)[1:]
    if chosen:
        (name,) = chosen[1:]
        assert re.search(rf"^def test_\w*{name}", (ROOT / file).read_text(), re.MULTILINE)
    assert (ROOT / file).exists()


# ---- the workflow ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project, with what the commands of the pages stand for."""
    project = copy_project(tmp_path_factory.mktemp("commands") / "project")
    for folder in ("FOLDER", "MIRROR"):
        (project / folder).mkdir()
    for command in (*OF_OTHERS["cp studies/algonauts92.yaml"], *OF_OTHERS['echo "measures:']):
        subprocess.run(command, shell=True, cwd=project, check=True)
    return project


@pytest.mark.slow
@pytest.mark.parametrize("given", DRY_RUNS, ids=" ".join)
def test_the_workflow_would_run_it(project, given):
    wanted = list(dict.fromkeys(DRY_RUNS[given]))
    environment = dict(word.split("=") for word in given if word.startswith("CORTEXRSA_MIRROR="))
    options = [word for word in given if not word.startswith("CORTEXRSA_MIRROR=")]
    run = snakemake(project, "--dry-run", "--quiet", "rules", *options, "--", *wanted, **environment)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]


def test_two_settings_side_by_side(project):
    """The commands of studies.md that write a study."""
    text = (project / "studies/algonauts92-pearson.yaml").read_text()
    assert text.endswith("measures: {comparison: pearson}\n")
    assert text.startswith((ROOT / "studies/algonauts92.yaml").read_text())


@pytest.mark.parametrize("command", [c for c in OF_WORKFLOW if any(study in c for study in READERS)])
def test_the_study_of_a_reader_is_written_in_the_page(command):
    page = (ROOT / "docs" / COMMANDS[command]).read_text()
    (study,) = (study for study in READERS if study in command)
    assert Path(study).stem in page
    assert re.search(r"^ *datasets: \[", page, re.MULTILINE)
