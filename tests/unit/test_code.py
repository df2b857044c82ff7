"""Fingerprints change with what a script does, and with nothing else."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cortexrsa import code, parsed_before, words
from cortexrsa.code import fingerprint
from cortexrsa.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
# sources that no tool may rewrite, written in every way that Python 3.11 allows
SYNTAX = Path(__file__).parent / "syntax"
# new only where the syntax or the fingerprints' rules change: such a change reruns every study
STORED = {
    "errors": "399e01219c19c706",
    "helpers": "1d0395dc3223b7f5",
    "statements": "2ac4bb8b207c42fd",
    "texts": "00acd1ec4e9c54cb",
}

PROJECT = {
    "scripts/rdm.py": "from cortexrsa.geometry.rdm import rdm\n\nprint(rdm(3))\n",
    "scripts/train.py": "def main():\n    from cortexrsa.networks import zoo\n    zoo.build()\n\n\nmain()\n",
    "scripts/plot.py": (
        "import numpy as np\nimport cortexrsa.figures.maps as maps\nfrom cortexrsa.jobs import job_log\n\n"
        "job_log('log')\nmaps.draw(np.ones(2))\n"
    ),
    "scripts/alone.py": "import json\n\nprint(json.dumps(1))\n",
    "scripts/cortexrsa/__init__.py": '"""Package."""\n',
    "scripts/cortexrsa/errors.py": "class InputError(ValueError):\n    pass\n",
    "scripts/cortexrsa/jobs.py": "from . import storage\n\n\ndef job_log(path):\n    print(path, storage)\n",
    "scripts/cortexrsa/storage.py": (
        "from cortexrsa.errors import InputError\n\n\ndef save(x):\n    if x is None:\n"
        "        raise InputError('x', f'none of {x}', 'a number', file='x.csv')\n    return x\n"
    ),
    "scripts/cortexrsa/geometry/__init__.py": "",
    "scripts/cortexrsa/geometry/rdm.py": "from .gram import gram\n\n\ndef rdm(x):\n    return gram(x)\n",
    "scripts/cortexrsa/geometry/gram.py": (
        'from ..storage import save\n\n\ndef gram(x):\n    """Doc."""\n    return save(x * 2)\n'
    ),
    "scripts/cortexrsa/networks/__init__.py": "",
    "scripts/cortexrsa/networks/zoo.py": (
        "from . import blocks\n\n\ndef build():\n    return blocks.block()\n"
    ),
    "scripts/cortexrsa/networks/blocks.py": "def block():\n    return 1\n",
    "scripts/cortexrsa/figures/__init__.py": "",
    "scripts/cortexrsa/figures/maps.py": (
        "from cortexrsa import errors, storage\n\n\ndef draw(x):\n    if not x:\n"
        "        raise errors.InputError('nothing to draw')\n    storage.save(x)\n"
    ),
}
SCRIPTS = ["rdm", "train", "plot", "alone"]


@pytest.fixture
def project(tmp_path):
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def fingerprints(project):
    return {name: fingerprint(f"scripts/{name}.py", project) for name in SCRIPTS}


def changed_by(project, name, old, new):
    before = fingerprints(project)
    path = project / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    after = fingerprints(project)
    return {script for script in SCRIPTS if before[script] != after[script]}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("scripts/rdm.py", "print", "# a comment\n\n\nprint"),
        ("scripts/rdm.py", "print(rdm(3))", "print(\n    rdm(3),  # why\n)"),
        ("scripts/rdm.py", "from cortexrsa", '"""A new docstring."""\n\nfrom cortexrsa'),
        ("scripts/cortexrsa/geometry/gram.py", '"""Doc."""', '"""Another."""'),
        ("scripts/cortexrsa/geometry/gram.py", '    """Doc."""\n', ""),
        ("scripts/cortexrsa/networks/blocks.py", "def block():\n", "def block():\n    'Doc.'\n"),
        ("scripts/cortexrsa/__init__.py", '"""Package."""\n', ""),
        # what a person reads of an error, and how a job tells it
        ("scripts/cortexrsa/storage.py", "f'none of {x}', 'a number'", "'nothing', f'a number, not {x!r}'"),
        ("scripts/cortexrsa/storage.py", ", file='x.csv'", ""),
        ("scripts/cortexrsa/figures/maps.py", "'nothing to draw'", "'no image', 0, 'at least one'"),
        ("scripts/cortexrsa/errors.py", "pass", "code = 1"),
        ("scripts/cortexrsa/jobs.py", "print(path, storage)", "print(storage, path)"),
    ],
)
def test_comments_formatting_docstrings_and_words_of_errors_change_nothing(project, name, old, new):
    assert changed_by(project, name, old, new) == set()


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("scripts/alone.py", "dumps(1)", "dumps(2)", {"alone"}),
        ("scripts/cortexrsa/geometry/rdm.py", "gram(x)", "gram(x) + 1", {"rdm"}),
        ("scripts/cortexrsa/geometry/gram.py", "x * 2", "x * 3", {"rdm"}),
        ("scripts/cortexrsa/networks/blocks.py", "return 1", "return 2", {"train"}),
        ("scripts/cortexrsa/storage.py", "return x", "return [x]", {"rdm", "plot"}),
        # when an error is raised, and what, is no matter of words
        ("scripts/cortexrsa/storage.py", "if x is None", "if x == 0", {"rdm", "plot"}),
        ("scripts/cortexrsa/storage.py", "raise InputError(", "raise ValueError(", {"rdm", "plot"}),
        (
            "scripts/cortexrsa/storage.py",
            "raise InputError(",
            "print(InputError)\n        str(",
            {"rdm", "plot"},
        ),
        ("scripts/cortexrsa/figures/maps.py", "if not x", "if x", {"plot"}),
        ("scripts/cortexrsa/figures/maps.py", "save(x)", "save(-x)", {"plot"}),
        ("scripts/cortexrsa/__init__.py", '"""Package."""', "X = 1", {"rdm", "train", "plot"}),
    ],
)
def test_an_edit_changes_exactly_the_scripts_that_import_it(project, name, old, new, expected):
    assert changed_by(project, name, old, new) == expected


def test_package_init_counts_for_its_modules(project):
    before = fingerprints(project)
    (project / "scripts/cortexrsa/networks/__init__.py").write_text("import cortexrsa.geometry.gram\n")
    after = fingerprints(project)
    assert {name for name in SCRIPTS if before[name] != after[name]} == {"train"}
    # the __init__ pulls in the module that it imports
    assert changed_by(project, "scripts/cortexrsa/geometry/gram.py", "x * 2", "x * 5") == {"rdm", "train"}


def test_circular_imports_end(project):
    path = project / "scripts/cortexrsa/storage.py"
    path.write_text("import cortexrsa.geometry.gram\n" + path.read_text())
    assert fingerprint("scripts/rdm.py", project) == fingerprint(project / "scripts/rdm.py", project)


def test_same_code_elsewhere_has_the_same_fingerprint(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "copy"
    project.rename(other)
    first = fingerprints(other)
    other.rename(project)
    assert fingerprints(project) == first


def test_syntax_error_names_file_and_line(project):
    path = project / "scripts/cortexrsa/networks/blocks.py"
    path.write_text("def block():\n    return (\n")
    with pytest.raises(InputError, match=r"blocks\.py: line 2: found '\(' was never closed, expected valid"):
        fingerprint("scripts/train.py", project)
    fingerprint("scripts/rdm.py", project)


def test_missing_script_is_named(project):
    with pytest.raises(InputError, match=r"absent\.py: script: found no such file"):
        fingerprint("scripts/absent.py", project)


def interpreters() -> dict[str, str]:
    """Version -> path of every Python of this machine that the workflow may run under, one for each minor."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted((Path.home() / ".pyenv/versions").glob("*/bin"))
    programs = [sys.executable] + [
        str(file)
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if re.fullmatch(r"python3(\.\d+)?", file.name)
    ]
    found = {}
    for program in programs:
        command = [program, "-c", "import sys; print(*sys.version_info[:2])"]
        # pyenv's shims are there for versions that are not chosen, too
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode == 0:
            version = tuple(map(int, run.stdout.split()))
            if version >= (3, 11):
                found.setdefault(version, program)
    return {f"{major}.{minor}": program for (major, minor), program in sorted(found.items())}


INTERPRETERS = interpreters()


def fingerprints_under(program: str, root: Path) -> dict[str, str]:
    """Fingerprints of all scripts of a project, computed by another Python, without any package."""
    command = (
        "import json, pathlib, sys; from cortexrsa.code import fingerprint; root = pathlib.Path(sys.argv[1]);"
        "scripts = sorted((root / 'scripts').glob('*.py'));"
        "print(json.dumps({path.stem: fingerprint(path, root) for path in scripts}))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    # -S: neither this environment's packages nor those of the other Python
    run = subprocess.run(
        [program, "-S", "-c", command, str(root)], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("version", INTERPRETERS)
def test_every_python_finds_the_stored_fingerprints(version):
    assert fingerprints_under(INTERPRETERS[version], SYNTAX) == STORED


@pytest.mark.slow
@pytest.mark.parametrize("version", INTERPRETERS)
def test_every_python_finds_the_same_fingerprints_of_the_workflow(version):
    here = {path.stem: fingerprint(path, ROOT) for path in (ROOT / "scripts").glob("*.py")}
    assert fingerprints_under(INTERPRETERS[version], ROOT) == here


def syntax_of(paths) -> set[str]:
    """Types of all nodes of some sources, those of constants with the type of their value."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_bytes())):
            found.add(type(node).__name__)
            if isinstance(node, ast.Constant):
                found.add(f"Constant of {type(node.value).__name__}")
    return found


def test_the_stored_fingerprints_cover_all_syntax_of_the_project():
    sample = syntax_of((SYNTAX / "scripts").glob("*.py"))
    assert syntax_of((ROOT / "scripts").rglob("*.py")) <= sample
    # and what the project may use tomorrow
    assert {"Match", "TryStar", "AsyncFunctionDef", "NamedExpr", "Constant of complex"} <= sample


def after_edit(folder: Path, name: str, old: str, new: str) -> str:
    """Fingerprint of one of the sources after an edit, in a copy."""
    shutil.copytree(SYNTAX, folder, dirs_exist_ok=True)
    path = folder / f"scripts/{name}.py"
    source = path.read_text(encoding="utf-8")
    assert old in source
    path.write_text(source.replace(old, new, 1), encoding="utf-8")
    return fingerprint(path, folder)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("texts", "{x:.3f}", "{x:.4f}"),
        ("texts", "{x!r} {x!s}", "{x!s} {x!s}"),
        ("texts", "{{literal}}", "{{literal }}"),
        ("texts", '"one " "two "', '"one" "two "'),
        ("texts", "{x:{width}.{y}f}", "{x:{y}.{width}f}"),
        ("texts", "\\ud800", "\\ud801"),
        ("texts", "1e-3", "1e-4"),
        ("texts", "0.0, -0.0", "-0.0, 0.0"),
        ("texts", "[0, 1,", "[0, True,"),
        ("texts", 'b"abc"', '"abc"'),
        ("statements", "case _, _", "case _, _, _"),
        ("statements", "except* OSError", "except* ValueError"),
        ("statements", "kw_only=True", "kw_only=False"),
        ("statements", "def keyword_only(*, x=None)", "def keyword_only(*, x)"),
        ("statements", "lambda *, k: k", "lambda k: k"),
        ("helpers", "is None", "is not None"),
        ("errors", "not in x", "in x"),
        ("errors", '"one"', '"two"'),
        ("errors", "names.pop()", "names"),
    ],
)
def test_a_small_change_of_any_syntax_is_seen(tmp_path, name, old, new):
    assert after_edit(tmp_path, name, old, new) != STORED[name]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("texts", 'u"kind', '"kind'),
        ("texts", '"one " "two "', '"one two "'),
        ("texts", '"a{x}" f"b" "c"', '"a{x}bc"'),
        ("texts", "1_000_000", "1000000"),
        ("texts", "0x_FF", "255"),
        ("texts", "\\u00e9", "é"),
        ("texts", 'constant = f"", f"no field"', 'constant = (f"", f"no " "field")'),
        ("statements", "a += 1; a -= 1", "a += 1\n    a -= 1"),
        ("errors", "one of them", "any of them"),
        ("errors", "{name!r}, of", "{name} beside"),
        ("errors", "            expected += more\n", ""),
    ],
)
def test_another_spelling_of_the_same_code(tmp_path, name, old, new):
    assert after_edit(tmp_path, name, old, new) == STORED[name]


# ---- what was parsed before --------------------------------------------------------------------------------


def next_process(monkeypatch, cache: Path) -> None:
    """What a process begins with: nothing but the user's cache."""
    monkeypatch.setattr(code, "PARSED", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    parsed_before.remember_parsed()


def ends(monkeypatch) -> list:
    """What processes would do at their end, in their order; filled as they begin."""
    registered = []
    monkeypatch.setattr(
        parsed_before.atexit, "register", lambda call, *given: registered.append((call, given))
    )
    return registered


def test_what_was_parsed_is_kept_for_the_next_process(project, tmp_path, monkeypatch):
    registered = ends(monkeypatch)
    next_process(monkeypatch, tmp_path)
    found = fingerprint("scripts/rdm.py", project)
    call, given = registered.pop()
    call(*given)
    monkeypatch.setattr(code, "_parsed", None)
    next_process(monkeypatch, tmp_path)
    assert fingerprint("scripts/rdm.py", project) == found
    # code that was edited since is not in it
    (project / "scripts/rdm.py").write_text("changed = 1\n")
    with pytest.raises(TypeError):
        fingerprint("scripts/rdm.py", project)


@pytest.mark.parametrize("module", [code, words])
def test_other_rules_take_no_hashes_of_these(module, project, tmp_path, monkeypatch):
    registered = ends(monkeypatch)
    next_process(monkeypatch, tmp_path)
    fingerprint("scripts/rdm.py", project)
    call, given = registered.pop()
    call(*given)
    next_process(monkeypatch, tmp_path)
    assert code.PARSED
    edited = tmp_path / "edited.py"
    edited.write_bytes(Path(module.__file__).read_bytes() + b"\n")
    monkeypatch.setattr(module, "__file__", str(edited))
    next_process(monkeypatch, tmp_path)
    assert not code.PARSED
    assert registered.pop()[1][0] != given[0]


@pytest.mark.parametrize(
    "content", ["", "{", "null", "[1]", "[" * 100_000, '{"a": 1}', '{"digest": "", "a": [null, []]}', None]
)
def test_without_a_sound_cache_sources_are_parsed(content, project, tmp_path, monkeypatch):
    registered = ends(monkeypatch)
    found = fingerprint("scripts/rdm.py", project)
    if content is None:
        # a file where the folder should be
        (tmp_path / "cortexrsa").write_text("")
    else:
        next_process(monkeypatch, tmp_path)
        path = registered.pop()[1][0]
        path.parent.mkdir(parents=True)
        path.write_text(content)
    next_process(monkeypatch, tmp_path)
    assert fingerprint("scripts/rdm.py", project) == found
    call, given = registered.pop()
    call(*given)
