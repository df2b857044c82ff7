"""The conda environments hold the same pins as requirements.txt, and every rule has one."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
# import name -> name in requirements.txt, where they differ
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}


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


def imported(path: Path, seen: set[Path]) -> set[str]:
    """Top-level packages that a script imports, itself or through the library."""
    if path in seen:
        return set()
    seen.add(path)
    packages = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if not name.startswith("cortexrsa"):
                packages.add(name.split(".")[0])
                continue
            module = ROOT / "scripts" / name.replace(".", "/")
            for file in (module.with_suffix(".py"), module / "__init__.py"):
                if file.is_file():
                    packages |= imported(file, seen)
    return packages


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
        "resources",
        "conda",
        "script",
    ):
        assert re.search(rf"^    {part}:", block, re.MULTILINE), part
    environment = re.search(r'"\.\./envs/(\w+)\.yaml"', block)[1]
    script = re.search(r'"\.\./scripts/(\w+\.py)"', block)[1]
    packages = imported(ROOT / "scripts" / script, set()) - set(sys.stdlib_module_names)
    wanted = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in packages}
    # xarray opens netCDF with these; it imports them itself
    wanted |= {"h5netcdf", "h5py"} if "xarray" in packages else set()
    # what single cards need is asked for in one line where it is missing
    wanted -= set(requirements(ROOT / "requirements-extra.txt"))
    assert wanted <= set(pins(ROOT / "envs" / f"{environment}.yaml"))
    assert f'code("{script}")' in block


def test_the_report_needs_no_development_package():
    # Snakemake imports it when it writes the report, and does not install it
    assert "pygments" in requirements(ROOT / "requirements.txt")


def test_analysis_does_not_import_torch():
    for name, block in rules().items():
        script = re.search(r'"\.\./scripts/(\w+\.py)"', block)[1]
        packages = imported(ROOT / "scripts" / script, set())
        assert ("torch" in packages) == (name in ("train", "extract", "network_inputs"))


def test_rooms_do_not_import_later_rooms():
    order = ["brain", "networks", "geometry", "inference", "encoding", "figures"]
    for path in (ROOT / "scripts/cortexrsa").glob("*/*.py"):
        later = order[order.index(path.parent.name) + 1 :]
        for room in re.findall(r"cortexrsa\.(\w+)", path.read_text()):
            assert room not in later, f"{path} imports {room}"
    for room in ("geometry", "inference"):
        for path in (ROOT / "scripts/cortexrsa" / room).glob("*.py"):
            assert not re.search(r"import (torch|nilearn|snakemake)", path.read_text())
