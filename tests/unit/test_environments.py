"""The conda environments hold the same pins as requirements.txt, and every rule has one."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
# import name -> name in requirements.txt, where they differ
DISTRIBUTIONS = {"PIL": "pillow", "ot": "POT", "sklearn": "scikit-learn", "yaml": "pyyaml"}


def requirements(path: Path) -> dict[str, str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return dict(line.split("==") for line in lines if line and not line.startswith("-r"))


def pins(environment: Path) -> dict[str, str]:
    dependencies = yaml.safe_load(environment.read_text())["dependencies"]
    (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
    return dict(entry.split("==") for entry in pip)


def rules() -> dict[str, str]:
    text = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^rule (\w+):", text, flags=re.MULTILINE)[1:]
    return dict(zip(blocks[::2], blocks[1::2], strict=True))


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_same_pins(environment):
    pinned = requirements(ROOT / "requirements.txt")
    assert pins(environment).items() <= pinned.items()


def test_extras_that_are_tested_have_the_same_pins():
    tested = requirements(ROOT / "requirements-dev.txt")
    extras = requirements(ROOT / "requirements-extra.txt")
    assert {name: extras[name] for name in tested.keys() & extras.keys()} == {"POT": tested["POT"]}


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.stem)
def test_every_requirement_is_pinned(path):
    assert all(re.fullmatch(r"[\w.]+", version) for version in requirements(path).values())


@functools.cache
def modules(path: Path, scripts: Path = SCRIPTS) -> frozenset[str]:
    """Absolute names of what a file imports, anywhere in it and in whatever form."""
    package = path.relative_to(scripts).parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            # what is imported from a package may be a module
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            names |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return frozenset(names)


def packages_of(path: Path) -> set[str]:
    """Packages that a file imports, but for ours."""
    return {name.split(".")[0] for name in modules(path)} - {"cortexrsa"}


def imported(path: Path, seen: set[Path]) -> set[str]:
    """Packages that a script imports, itself or through the library."""
    if path in seen:
        return set()
    seen.add(path)
    packages = packages_of(path)
    for name in modules(path):
        module = SCRIPTS / name.replace(".", "/")
        for file in (module.with_suffix(".py"), module / "__init__.py"):
            if file.is_file():
                packages |= imported(file, seen)
    return packages


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import torch.nn as nn", "torch.nn"),
        ("from torch import nn", "torch"),
        ("def f():\n    from torch.nn import Linear", "torch.nn"),
        ("from . import gram", "cortexrsa.geometry.gram"),
        ("from ..networks import build", "cortexrsa.networks.build"),
        ("from ..networks.build import build", "cortexrsa.networks.build"),
        ("from cortexrsa import inference", "cortexrsa.inference"),
        ("import importlib\nimportlib.import_module('torch')", "torch"),
    ],
)
def test_an_import_is_seen_in_every_form(tmp_path, code, name):
    path = tmp_path / "cortexrsa/geometry/rdm.py"
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert name in modules(path, tmp_path)


@pytest.mark.parametrize("rule", rules())
def test_a_rule_has_all_parts_and_its_environment_what_the_script_imports(rule):
    block = rules()[rule]
    for part in (
        "message",
        "output",
        "params",
        "log",
        "benchmark",
        "threads",
        "conda",
        "script",
    ):
        assert re.search(rf"^    {part}:", block, re.MULTILINE), part
    environment = re.search(r'"\.\./envs/(\w+)\.yaml"', block)[1]
    script = re.search(r'"\.\./scripts/(\w+\.py)"', block)[1]
    packages = imported(SCRIPTS / script, set()) - set(sys.stdlib_module_names)
    wanted = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in packages}
    # xarray opens netCDF with these; it imports them itself
    wanted |= {"h5netcdf", "h5py"} if "xarray" in packages else set()
    # what single cards need is asked for in one line where it is missing
    wanted -= set(requirements(ROOT / "requirements-extra.txt"))
    assert wanted <= set(pins(ROOT / "envs" / f"{environment}.yaml"))
    assert f'code("{script}")' in block


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_rules_that_say_nothing_of_memory_and_time_have_usual_ones(profile):
    resources = yaml.safe_load((ROOT / f"profiles/{profile}/config.yaml").read_text())["default-resources"]
    assert {"mem_mb", "runtime"} <= set(resources)
    # an attempt after one that ran out of memory or time has more
    assert all("attempt" in str(resources[name]) for name in ("mem_mb", "runtime"))


def test_the_report_needs_no_development_package():
    # Snakemake imports it when it writes the report, and does not install it
    assert "pygments" in requirements(ROOT / "requirements.txt")


def test_only_what_runs_networks_imports_torch():
    for name, block in rules().items():
        script = re.search(r'"\.\./scripts/(\w+\.py)"', block)[1]
        packages = imported(SCRIPTS / script, set())
        solved = ("encoding", "banded", "calibration_encoding")
        trained = ("train", "train_guided", "hash_corpus", "robustness", "guided_recovery_studies")
        expected = name in (*trained, "extract", "network_inputs", *solved)
        assert ("torch" in packages) == expected, name


def test_rooms_do_not_import_later_rooms():
    """What stands on the ground floor, in files or in `formats`, imports no room."""
    rooms = ["brain", "networks", "geometry", "guidance", "inference", "encoding"]
    rooms += ["validation", "figures", "report"]
    library = SCRIPTS / "cortexrsa"
    assert {path.parent.name for path in library.glob("*/__init__.py")} <= {"formats", *rooms}
    for path in library.glob("*/**/*.py"):
        room = path.relative_to(library).parts[0]
        later = rooms[rooms.index(room) + 1 :] if room in rooms else rooms
        found = {name.split(".")[1] for name in modules(path) if name.startswith("cortexrsa.")}
        assert found.isdisjoint(later), path


@pytest.mark.parametrize("room", ["geometry", "inference", "encoding"])
def test_the_statistics_know_nothing_of_networks_scanners_and_workflows(room):
    # the back end of the encoding models alone may be torch
    foreign = {"torch", "nilearn", "snakemake"} - ({"torch"} if room == "encoding" else set())
    for path in (SCRIPTS / "cortexrsa" / room).glob("**/*.py"):
        assert packages_of(path).isdisjoint(foreign), path


@pytest.mark.slow
def test_no_package_brings_torch_with_it():
    """Importing the rooms of the analysis loads no torch, whatever their packages import."""
    code = (
        "import importlib, pkgutil, sys, cortexrsa\n"
        "for found in pkgutil.walk_packages(cortexrsa.__path__, 'cortexrsa.'):\n"
        "    if found.name.split('.')[1] in ('brain', 'formats', 'geometry', 'inference', 'figures'):\n"
        "        importlib.import_module(found.name)\n"
        "assert 'cortexrsa.inference.scores' in sys.modules\n"
        "sys.exit('torch' in sys.modules and 'torch is there')"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
