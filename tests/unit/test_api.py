"""The library by itself: its examples run, its page is true, it installs, and it refuses what it must."""

import ast
import doctest
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from cortexrsa import api
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/library.md"


def run_examples(test: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    told = []
    result = runner.run(test, out=told.append)
    assert result.attempted
    assert not result.failed, "".join(told)


LIBRARY = ROOT / "scripts/cortexrsa"
MODULES = [
    importlib.import_module(".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts))
    for path in sorted(LIBRARY.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]
EXAMPLES = [test for module in MODULES for test in doctest.DocTestFinder().find(module) if test.examples]
PUBLIC = [
    name
    for name, value in vars(api).items()
    if callable(value) and getattr(value, "__module__", "") == api.__name__ and not name.startswith("_")
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_examples_of_the_docstrings(example):
    run_examples(example)


def test_every_function_has_an_example_and_says_what_it_takes_and_raises():
    assert api in MODULES
    own = [test for test in EXAMPLES if test.name.startswith(f"{api.__name__}.")]
    shown = " ".join(example.source for test in own for example in test.examples)
    for name in PUBLIC:
        assert f"{name}(" in shown, name
        text = getattr(api, name).__doc__
        assert "Raises\n" in text, name
        assert ("Returns\n" in text) == (name != "write_rdms"), name


def test_the_code_of_the_page():
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    parser = doctest.DocTestParser()
    run_examples(parser.get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0))


def test_the_page_names_every_function():
    text = PAGE.read_text(encoding="utf-8")
    for name in PUBLIC:
        assert f"`{name}`" in text, name


# ---- results against other implementations -----------------------------------------------------------------


def test_rdms_and_similarities_are_those_of_scipy():
    patterns = np.random.default_rng(0).normal(size=(9, 12))
    other = np.random.default_rng(1).normal(size=(9, 12))
    np.testing.assert_allclose(api.rdm(patterns), pdist(patterns, "correlation"), atol=1e-12)
    np.testing.assert_allclose(api.rdm(patterns, "cosine"), pdist(patterns, "cosine"), atol=1e-12)
    np.testing.assert_allclose(api.rdm(patterns, "euclidean"), pdist(patterns, "sqeuclidean") / 12)
    first, second = api.rdm(patterns), api.rdm(other)
    assert api.compare(first, second) == pytest.approx(stats.spearmanr(first, second)[0])
    assert api.compare([first, second], second, "pearson").shape == (2,)
    assert api.compare([first, second], [second], "pearson").shape == (2, 1)
    trials = np.stack([patterns, other], axis=1)
    np.testing.assert_allclose(api.rdm(trials), api.rdm(trials.mean(axis=1)))


def test_scores_are_means_over_subjects_with_intervals_around_them():
    generator = np.random.default_rng(0)
    signal = generator.normal(size=(12, 20))
    brain = np.stack([api.rdm(signal + generator.normal(size=signal.shape)) for _ in range(3)])
    networks = np.stack([api.rdm(signal), np.ones(66)])
    table = api.scores(brain, networks)
    expected = np.mean([stats.spearmanr(subject, networks[0])[0] for subject in brain])
    assert table["score"][0] == pytest.approx(expected)
    assert table["ci_low"][0] < expected < table["ci_high"][0]
    assert table.loc[1].isna().all()
    test = api.permutation_test(brain, networks, permutations=99)
    assert test["score"][0] == pytest.approx(expected)
    assert test["p"][0] == test["p_fwe"][0] == 0.01
    assert test.loc[1].isna().all()


def test_errors_over_units_are_those_of_their_influences():
    generator = np.random.default_rng(1)
    units = np.repeat(list("abcdefgh"), 5)
    category = generator.normal(size=(8, 6)).repeat(5, axis=0)
    signal = category + 0.3 * generator.normal(size=(40, 6))
    mixed = signal @ generator.normal(size=(6, 30))
    brain, network = api.rdm(mixed + generator.normal(size=mixed.shape)), api.rdm(signal)
    over_units, over_images = api.scores(brain, network, units=units), api.scores(brain, network)
    assert over_units["score"][0] == over_images["score"][0]
    assert over_units["se"][0] > 1.3 * over_images["se"][0]


# ---- what it refuses ---------------------------------------------------------------------------------------

RDM = np.arange(28.0)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: api.rdm(np.ones(3)), "patterns: found float64 (3,), expected numbers (stimuli, features)"),
        (lambda: api.rdm([["a", "b"]] * 2), "patterns: found <U1 (2, 2), expected numbers"),
        (lambda: api.rdm([[1.0, np.nan]] * 2), "patterns: found NaN or infinite values, expected finite"),
        (
            lambda: api.rdm(np.ones((3, 3)), "corelation"),
            "dissimilarity: found 'corelation', expected one of",
        ),
        (lambda: api.rdm(np.eye(3), "crossnobis"), "repeats: found 1, expected at least 2 trials of each"),
        (lambda: api.compare(np.ones(4), np.ones(4)), "rdms: found shape (4,), expected condensed RDMs"),
        (
            lambda: api.compare(np.ones(3), np.ones(6)),
            "references: found shape (6,), expected condensed RDMs of 3",
        ),
        (
            lambda: api.compare(np.ones((3, 3, 3)), np.ones(3)),
            "rdms: found shape (3, 3, 3), expected condensed",
        ),
        (
            lambda: api.compare(RDM, RDM, "spearmann"),
            "comparison: found 'spearmann', expected one of spearman",
        ),
        (lambda: api.scores(np.ones(3), np.ones(3)), "stimuli: found 3, expected at least 8"),
        (lambda: api.scores(RDM, RDM, units=["a"]), "units: found 1 labels, expected 8, one a stimulus"),
        (
            lambda: api.scores(RDM, RDM, units=list("aabbccaa")),
            "units: found 3 (a, b, c), expected at least 4",
        ),
        (
            lambda: api.scores(RDM, RDM, standard_error="resampled", units=list("abcdefgh")),
            "standard_error: found resampled, expected one-pass, for errors over units",
        ),
        (lambda: api.scores(RDM * np.nan, RDM), "brain: found NaN or infinite values, expected finite"),
        (lambda: api.ceiling_of_subjects(RDM), "subjects: found 1, expected at least 2"),
        (lambda: api.ceiling_of_repeats(np.ones((9, 1, 4))), "repeats: found 1, expected at least 2 trials"),
        (
            lambda: api.write_rdms("x.h5", RDM, ["a"] * 8),
            "stimuli: found a name twice, expected each name once",
        ),
        (
            lambda: api.write_rdms("x.h5", RDM, ["a", "b"]),
            "rdms: found shape (28,), expected condensed RDMs of 2",
        ),
        (
            lambda: api.write_rdms("x.h5", RDM, list("abcdefgh"), {"roi": ["V1", "LO"]}),
            "rdm_descriptors: roi: found 2 values, expected 1, one an RDM",
        ),
        (
            lambda: api.build_network("torchvison", "resnet18"),
            "network: source: found 'torchvison'",
        ),
    ],
)
def test_wrong_input_is_one_line(call, expected):
    assert message_of(call).startswith(expected)


# ---- the package -------------------------------------------------------------------------------------------


def test_the_workflow_does_not_use_the_front_door_and_packages_export_nothing():
    for path in (ROOT / "scripts").rglob("*.py"):
        assert not re.search(r"import api|cortexrsa\.api", path.read_text()), path
        if path.name == "__init__.py":
            (docstring,) = ast.parse(path.read_text()).body
            assert isinstance(docstring, ast.Expr), path


def test_importing_it_loads_no_torch_and_no_workflow():
    code = "import sys, cortexrsa.api; print(sorted({'torch', 'snakemake', 'nilearn'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


def test_every_package_is_installed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT / "scripts") for path in (ROOT / "scripts").rglob("__init__.py")}
    packages = {".".join(folder.parts) for folder in folders}
    assert set(listed) == packages | {"cortexrsa.resources"}


@pytest.mark.slow
def test_it_installs_and_works_elsewhere(tmp_path):
    """What `pip install .` makes: the library, its schemas, the dependencies of requirements.txt."""
    source = tmp_path / "source"
    for folder in ("scripts/cortexrsa", "resources/schemas"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    run = subprocess.run([*command, "--target", target, source], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (metadata,) = target.glob("cortexrsa-*.dist-info/METADATA")
    required = re.findall(r"^Requires-Dist: (\S+)==", metadata.read_text(), re.MULTILINE)
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert required == pinned
    code = (
        "import numpy as np\nfrom cortexrsa import api, schemas\n"
        f"assert api.__file__.startswith({str(target)!r}), api.__file__\n"
        "assert api.rdm(np.eye(3)).tolist() == [1.5] * 3\n"
        "assert {schemas._validator(kind).schema['type'] for kind in schemas.SCHEMAS} == {'object'}\n"
    )
    environment = os.environ | {"PYTHONPATH": str(target)}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
