"""A study as an RO-Crate: code, cards, configuration and results, which another machine can check."""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import yaml

from cortexrsa.code import fingerprint
from cortexrsa.dryrun import Job
from cortexrsa.errors import InputError
from cortexrsa.storage import atomic_path, checksum

CODE = ("Snakefile", "config.yaml", "rules", "scripts", "envs", "profiles", "resources", "studies", "docs")
PAPERS = ("README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "Makefile", "requirements.txt")
METADATA = "ro-crate-metadata.json"
MANIFEST = "manifest-sha256.txt"
IGNORED = {"__pycache__", ".snakemake", ".snakemake_timestamp"}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(root: Path, places: list[str], studies: list[str]) -> list[Path]:
    """What belongs to a study, as sorted paths below the project folder `root`.

    Activations are left out: they can be made again, and may be hundreds of gigabytes; downloads too, which
    belong to others.

    Parameters
    ----------
    root : project folder
    places : files and folders of results, relative to `root`
    studies : overlays of config.yaml, relative to `root`
    """
    kept = [place for place in places if "/activations/" not in place]
    # beside a file stands the record of what made it
    records = [f"{place}.json" for place in kept]
    others = ("results/logs", "results/benchmarks", "results/downloads/checksums.lock")
    found = set()
    for place in (root / name for name in (*CODE, *PAPERS, *studies, *kept, *records, *others)):
        found |= {path for path in place.rglob("*") if path.is_file()} if place.is_dir() else {place}
    return sorted(
        relative
        for path in found
        if path.is_file() and not IGNORED & set((relative := path.relative_to(root)).parts)
    )


def check_settings(root: Path, jobs: list[Job]) -> None:
    """Refuse results of other settings than their study's, which `snakemake --touch` passes for current.

    Parameters
    ----------
    root : project folder
    jobs : of the study, see `dryrun.jobs_of`

    Raises
    ------
    InputError : a result whose record names other settings.
    """
    for job in jobs:
        for output in job.outputs:
            record = _record_of(root / output) if (root / output).is_file() else None
            if record and job.settings is not None and record["settings"] != _plain(job.settings):
                raise InputError(
                    "settings",
                    "others than the study's (was it touched after a change?)",
                    f"results of the rule {job.rule} as it is; delete the file and run the study",
                    file=output,
                )


def _plain(settings: object) -> object:
    """Settings as they stand in a record: JSON's types."""
    return json.loads(json.dumps(settings))


def write_archive(path: Path, root: Path, files: list[Path], name: str) -> None:
    """Write a zipped RO-Crate (https://w3id.org/ro/crate) with a SHA-256 of every file.

    Parameters
    ----------
    path : the archive
    root : project folder
    files : paths below it, see `files_of`
    name : of the study
    """
    from rocrate.rocrate import ROCrate

    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    crate = ROCrate()
    crate.name = f"{citation['title']}: {name}"
    crate.description = (
        "Code, cards, configuration and results of a study. Left out are activations, which the workflow "
        "makes again, and downloaded files, which it fetches and checks against their checksums."
    )
    crate.license = citation["license"]
    workflow = None
    results = []
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        manifest = Path(folder, MANIFEST)
        with open(manifest, "w") as lines:
            for file in files:
                source, digest = root / file, _sha256(root / file)
                lines.write(f"{digest}  {file.as_posix()}\n")
                properties = {"sha256": digest, "contentSize": str(source.stat().st_size)}
                if file.as_posix() == "Snakefile":
                    workflow = crate.add_workflow(
                        source, "Snakefile", main=True, lang="snakemake", properties=properties
                    )
                else:
                    entity = crate.add_file(source, file.as_posix(), properties=properties)
                    if file.parts[0] == "results" and file.parts[1] not in ("logs", "benchmarks"):
                        results.append(entity)
        crate.add_file(
            manifest, MANIFEST, properties={"name": "SHA-256 of every file, for sha256sum --check"}
        )
        last = max((root / file).stat().st_mtime for file in files if file.parts[0] == "results")
        ended = datetime.datetime.fromtimestamp(last, datetime.UTC).isoformat(timespec="seconds")
        crate.add_action(workflow, result=results, properties={"name": f"Run of {name}", "endTime": ended})
        with atomic_path(path) as temporary:
            crate.write_zip(temporary)


def _record_of_figure(path: Path) -> dict:
    """What `figures.style.draw` wrote as its description; nothing where there is none."""
    if path.suffix == ".png":
        from PIL import Image

        with Image.open(path) as image:
            described = image.info.get("Description")
    else:
        elements = ElementTree.parse(path).iter("{http://purl.org/dc/elements/1.1/}description")
        described = next((element.text for element in elements), None)
    return json.loads(described) if described else {}


def _record_of(path: Path) -> dict | None:
    """What a result says of what made it; None for a file that says nothing."""
    import h5py

    if path.suffix in (".h5", ".nc"):
        with h5py.File(path) as file:
            holder = file if path.suffix == ".nc" else file["descriptors"]
            return json.loads(holder.attrs["provenance"])
    beside = path.with_name(path.name + ".json")
    if beside.is_file():
        return json.loads(beside.read_text())
    # a drawing says it for its PDF and the numbers behind it
    drawn = path.parent.name == "figures" and path.suffix in (".svg", ".png")
    return _record_of_figure(path) if drawn else None


def _records(folder: Path) -> Iterator[tuple[Path, dict]]:
    """Every result below a folder that says what made it, with what it says."""
    for path in sorted((folder / "results").rglob("*")):
        record = _record_of(path) if path.is_file() else None
        if record is not None:
            yield path, record


def check_archive(path: Path) -> str:
    """Check an archive: every file as its checksum says, every result made by this code from these inputs.

    Returns
    -------
    summary : one line

    Raises
    ------
    InputError : no such archive; a file that is missing, changed or not listed; a result made by other code,
        or from other inputs, than the archive holds.
    """
    if not zipfile.is_zipfile(path):
        raise InputError("archive", "no zip file", "what `make archive` wrote", file=path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
            if damaged:
                raise InputError(damaged, "another content", "that of its CRC-32", file=path)
            file.extractall(folder)
        return _check_folder(folder, path)


def _check_folder(folder: Path, source: Path) -> str:
    for name in (METADATA, MANIFEST):
        if not (folder / name).exists():
            raise InputError(name, "no such file", "that of an archive", file=source)
    graph = json.loads((folder / METADATA).read_text())["@graph"]
    listed = {entity["@id"]: entity["sha256"] for entity in graph if "sha256" in entity}
    manifest = (line.split("  ", 1) for line in (folder / MANIFEST).read_text().splitlines())
    if listed != {file: digest for digest, file in manifest}:
        raise InputError(MANIFEST, "other checksums", f"those of {METADATA}", file=source)
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    extra = sorted(present - listed.keys() - {METADATA, MANIFEST})
    if extra:
        raise InputError(extra[0], "a file that is not listed", f"the files of {MANIFEST}", file=source)
    for file, digest in listed.items():
        found = _sha256(folder / file) if file in present else "no such file"
        if found != digest:
            raise InputError(file, found, digest, file=source)

    records, inputs, absent = 0, 0, 0
    scripts = {}
    for path, record in _records(folder):
        result = path.relative_to(folder).as_posix()
        records += 1
        script = record.get("script")
        if script is None:
            raise InputError(
                result, "no record of the code that made it", "a result of the workflow", file=source
            )
        if script not in scripts:
            scripts[script] = fingerprint(folder / "scripts" / script, folder)
        if record["code"] != scripts[script]:
            here = f"{scripts[script]}, as {script} is here"
            raise InputError(result, f"made by code {record['code']}", here, file=source)
        for name, expected in record["inputs"].items():
            inputs += 1
            if not (folder / name).exists() or name.startswith("results/downloads/"):
                absent += 1
            elif (found := checksum(folder / name)) != expected:
                raise InputError(result, f"made from {name} of {expected}", found, file=source)
    return (
        f"{source}: {len(listed)} files as listed; {records} results made by the code here, from "
        f"{inputs - absent} inputs as they are here and {absent} that are left out (activations, downloads)"
    )
