"""Fingerprints change with what a script does, and with nothing else."""

import pytest

from cortexrsa.code import fingerprint
from cortexrsa.errors import InputError

PROJECT = {
    "scripts/rdm.py": "from cortexrsa.geometry.rdm import rdm\n\nprint(rdm(3))\n",
    "scripts/train.py": "def main():\n    from cortexrsa.networks import zoo\n    zoo.build()\n\n\nmain()\n",
    "scripts/plot.py": "import numpy as np\nimport cortexrsa.figures.maps as maps\n\nmaps.draw(np.ones(2))\n",
    "scripts/alone.py": "import json\n\nprint(json.dumps(1))\n",
    "scripts/cortexrsa/__init__.py": '"""Package."""\n',
    "scripts/cortexrsa/files.py": "def save(x):\n    return x\n",
    "scripts/cortexrsa/geometry/__init__.py": "",
    "scripts/cortexrsa/geometry/rdm.py": "from .gram import gram\n\n\ndef rdm(x):\n    return gram(x)\n",
    "scripts/cortexrsa/geometry/gram.py": (
        'from ..files import save\n\n\ndef gram(x):\n    """Doc."""\n    return save(x * 2)\n'
    ),
    "scripts/cortexrsa/networks/__init__.py": "",
    "scripts/cortexrsa/networks/zoo.py": (
        "from . import blocks\n\n\ndef build():\n    return blocks.block()\n"
    ),
    "scripts/cortexrsa/networks/blocks.py": "def block():\n    return 1\n",
    "scripts/cortexrsa/figures/__init__.py": "",
    "scripts/cortexrsa/figures/maps.py": "from cortexrsa import files\n\n\ndef draw(x):\n    files.save(x)\n",
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
    ],
)
def test_comments_formatting_and_docstrings_change_nothing(project, name, old, new):
    assert changed_by(project, name, old, new) == set()


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("scripts/alone.py", "dumps(1)", "dumps(2)", {"alone"}),
        ("scripts/cortexrsa/geometry/rdm.py", "gram(x)", "gram(x) + 1", {"rdm"}),
        ("scripts/cortexrsa/geometry/gram.py", "x * 2", "x * 3", {"rdm"}),
        ("scripts/cortexrsa/networks/blocks.py", "return 1", "return 2", {"train"}),
        ("scripts/cortexrsa/files.py", "return x", "return [x]", {"rdm", "plot"}),
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
    path = project / "scripts/cortexrsa/files.py"
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
