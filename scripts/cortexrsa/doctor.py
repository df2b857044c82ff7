"""What this machine has for a study, and how to get what it lacks."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cortexrsa.cards import card_files
from cortexrsa.run_time import NATIVE_BFLOAT16, processor_flags, sentence, usable_cores

OK, NOTE, LACKING = "ok", "note", "lacking"
NEEDED_MEMORY, NEEDED_DISK = 4.0, 2.0  # GiB that the embedded study takes, with room
OLDEST_PYTHON = (3, 11)
SECONDS = 5  # for a server to answer


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    state : ok, note (a study runs, perhaps slower or not everywhere), or lacking (it will fail)
    what : was looked at
    found : in words, with how to get what is lacking
    """

    state: str
    what: str
    found: str


def python_and_packages(requirements: Path) -> Iterator[Finding]:
    """The interpreter, and every package against its pin.

    Parameters
    ----------
    requirements : file of lines NAME==VERSION
    """
    python = sys.version.split()[0]
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        yield Finding(
            LACKING, "Python", f"{python}; install {needed} or newer, then `rm -r .venv`, `make run`"
        )
    else:
        yield Finding(OK, "Python", python)
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s#]+)", requirements.read_text(), re.MULTILINE))
    missing, others = [], []
    for name, pin in pins.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"{name}=={pin}")
            continue
        if found.partition("+")[0] != pin:
            others.append(f"{name} is {found}, pinned {pin}")
    advice = f"pip install -r {requirements.name}"
    if missing:
        yield Finding(LACKING, "packages", f"missing: {', '.join(missing)}; {advice}")
    if others:
        yield Finding(NOTE, "packages", f"other versions than tested: {'; '.join(others)}; {advice}")
    if not missing and not others:
        yield Finding(OK, "packages", f"all {len(pins)} as pinned")


def optional_packages(config: dict, datasets: dict[str, dict], models: dict[str, dict]) -> Iterator[Finding]:
    """Packages of requirements-extra.txt that a study needs and that are missing.

    Parameters
    ----------
    config : of the study
    datasets, models : its cards by name
    """
    needed = {}
    if "soft_matching" in config["measures"]["others"]:
        needed["POT"] = "measures: others: soft_matching"
    for name, card in datasets.items():
        if ".parquet" in str(card["options"]):
            needed["pyarrow"] = f"the .parquet files of {name}"
    for name, card in models.items():
        if card["network"]["source"] == "autoencoder_kl":
            needed["diffusers"] = f"the card {name}"
    for package, why in needed.items():
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            told = f"missing, needed for {why}; pip install -r requirements-extra.txt"
            yield Finding(LACKING, package, told)


def machine(
    results: Path, cpuinfo: Path = Path("/proc/cpuinfo"), *, embedded: bool = True
) -> Iterator[Finding]:
    """Cores, processor, memory and disk.

    Parameters
    ----------
    results : folder of the results, or where it will be
    cpuinfo : see `run_time.processor_flags`
    embedded : whether the study is the embedded one, whose time is known
    """
    cores, flags = usable_cores("all"), processor_flags(cpuinfo)
    yield Finding(OK, "cores", f"{cores} that this process may use")
    if embedded:
        yield Finding(OK, "time", sentence(cores, flags))
    yield bfloat16(flags)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    there = next(path for path in (results, *results.absolute().parents) if path.exists())
    disk = shutil.disk_usage(there).free / 2**30
    for what, found, needed, advice in (
        ("memory", memory, NEEDED_MEMORY, "close other programs, or give --cores 1"),
        ("free disk", disk, NEEDED_DISK, "free space, or set keep_activations: false"),
    ):
        enough = "" if found >= needed else f"; the embedded study takes up to {needed:g} GiB: {advice}"
        yield Finding(OK if not enough else LACKING, what, f"{found:.1f} GiB{enough}")


def bfloat16(flags: set[str]) -> Finding:
    """Whether the processor multiplies bfloat16 natively, and what it means for the time.

    Parameters
    ----------
    flags : of the processor
    """
    native = sorted(flags & NATIVE_BFLOAT16)
    if native:
        told = f"native on this processor ({', '.join(native)}): networks train in it, in less time"
        return Finding(OK, "bfloat16", told)
    told = "not native on this processor: networks train in float32, as measured, which takes longer. "
    return Finding(NOTE, "bfloat16", told + "It needs AVX512-BF16 or AMX, or a recent GPU (docs/gpu.md)")


def gpu() -> Finding:
    """The GPU that PyTorch sees."""
    import torch

    if not torch.cuda.is_available():
        told = "none that PyTorch sees; networks are trained and recorded on the processor"
        if shutil.which("nvidia-smi"):
            told += ". nvidia-smi is here: install a build of PyTorch for its CUDA (docs/gpu.md)"
        return Finding(NOTE, "GPU", told)
    name = torch.cuda.get_device_name()
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    told = (
        "native bfloat16" if native else "no native bfloat16: networks train in float32, which takes longer"
    )
    return Finding(OK, "GPU", f"{torch.cuda.device_count()} ({name}, {memory:.0f} GiB), {told}")


def slurm() -> Finding:
    """Whether jobs can be submitted from here."""
    if shutil.which("sbatch"):
        return Finding(OK, "SLURM", "sbatch is there: snakemake --profile profiles/slurm")
    return Finding(
        NOTE, "SLURM", "no sbatch here; only `--profile profiles/slurm` needs it (docs/cluster.md)"
    )


def mirror(configured: str | None) -> tuple[Finding, Path | None]:
    """The folder that is looked in before anything is downloaded.

    Parameters
    ----------
    configured : `mirror` of the configuration; CORTEXRSA_MIRROR of the environment goes before it
    """
    place = os.environ.get("CORTEXRSA_MIRROR") or configured
    if not place:
        return Finding(
            OK, "mirror", "none is set (CORTEXRSA_MIRROR, `mirror:`); files come from their urls"
        ), None
    folder = Path(place).expanduser()
    if not folder.is_dir():
        return Finding(LACKING, "mirror", f"no folder {place}; correct CORTEXRSA_MIRROR or `mirror:`"), None
    return Finding(OK, "mirror", f"{folder}"), folder


def downloads(cards: dict[str, dict], folder: Path, mirrored: Path | None) -> Iterator[Finding]:
    """Files that a study downloads: which are there, and whether the others can be reached.

    Of the files of one card that one server has, the first is asked for, without its content.

    Parameters
    ----------
    cards : of data sets, networks and corpora, by name
    folder : results/downloads
    mirrored : of `mirror`
    """
    wanted = {name: card_files(card) for name, card in cards.items() if card_files(card)}
    if not wanted:
        yield Finding(OK, "downloads", "this study needs none")
    for name, files in wanted.items():
        what = f"downloads of {name}"
        if all((folder / name / file).is_file() for file in files):
            yield Finding(OK, what, f"{len(files)}, all here")
            continue
        missing = {
            file: entry
            for file, entry in files.items()
            if not (mirrored and (mirrored / name / file).is_file())
        }
        if not missing:
            yield Finding(OK, what, f"{len(files)}, all in the mirror folder")
            continue
        for host, (file, entry, number) in _by_host(missing).items():
            if host is None:
                found = f"{file} is had from {entry['account']}, which asks for an account"
                yield Finding(LACKING, what, f"{found}; place it as MIRROR/{name}/{file}")
                continue
            problem, counted = _unreachable(entry["url"]), f"{number} from {host}"
            if problem:
                advice = f"place what you have by other ways as MIRROR/{name}/{file} (docs/add-a-dataset.md)"
                yield Finding(LACKING, what, f"{counted}: {problem}; {advice}")
            else:
                yield Finding(OK, what, f"{counted}, which answers")


def _by_host(files: dict[str, dict]) -> dict[str | None, tuple[str, dict, int]]:
    """First file of each server (None: of an account), and the number of its files."""
    hosts: dict[str | None, tuple[str, dict, int]] = {}
    for file, entry in files.items():
        url = entry.get("url")
        host = None if url is None else urllib.parse.urlsplit(url).netloc or "this disk"
        first, described, number = hosts.get(host, (file, entry, 0))
        hosts[host] = first, described, number + 1
    return hosts


def _unreachable(url: str) -> str | None:
    """Why a url cannot be had; None if it can."""
    import requests

    split = urllib.parse.urlsplit(url)
    if split.scheme == "file":
        path = urllib.request.url2pathname(split.path)
        return None if Path(path).is_file() else f"no file {path}"
    try:
        reply = requests.head(url, allow_redirects=True, timeout=SECONDS)
        # some servers answer no HEAD
        if reply.status_code in (403, 405, 501):
            with requests.get(url, stream=True, timeout=SECONDS) as reply:
                pass
    except requests.RequestException as error:
        return f"no answer ({type(error).__name__})"
    return None if reply.ok else f"HTTP {reply.status_code} {reply.reason}"
