"""What `make doctor` finds, and what it advises."""

import functools
import http.server
import importlib.metadata
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cortexrsa import doctor
from cortexrsa.doctor import LACKING, NOTE, OK

ROOT = Path(__file__).resolve().parents[2]


class WithoutHead(http.server.SimpleHTTPRequestHandler):
    """Refuses HEAD, as some servers do."""

    def do_HEAD(self):
        self.send_error(405)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """Url of a folder `served` that a server on this machine gives."""
    (tmp_path / "served").mkdir()
    handler = functools.partial(WithoutHead, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def card(url: str) -> dict:
    return {"files": [{"file": "a.bin", "url": f"{url}/a.bin"}, {"file": "b.bin", "url": f"{url}/b.bin"}]}


def test_downloads_are_looked_for_where_a_run_would(tmp_path, server):
    mine = {"mine": card(server)}

    def found():
        (finding,) = doctor.downloads(mine, tmp_path / "downloads", tmp_path / "mirror")
        return finding.state, finding.found

    state, told = found()
    assert state == LACKING
    assert "2 from 127.0.0.1" in told
    assert "HTTP 404" in told
    assert "MIRROR/mine/a.bin" in told
    (tmp_path / "served/a.bin").write_bytes(b"content")
    assert found() == (OK, f"2 from {server.removeprefix('http://')}, which answers")
    (tmp_path / "mirror/mine").mkdir(parents=True)
    for name in ("a.bin", "b.bin"):
        (tmp_path / "mirror/mine" / name).write_bytes(b"content")
    assert found() == (OK, "2, all in the mirror folder")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "mirror/mine").rename(tmp_path / "downloads/mine")
    assert found() == (OK, "2, all here")


def test_a_server_that_is_not_there_and_an_account_are_told(tmp_path):
    files = [
        {"file": "a.bin", "url": "http://127.0.0.1:9/a.bin"},
        {"file": "c.bin", "account": "https://example.org"},
    ]
    found = list(doctor.downloads({"mine": {"files": files}}, tmp_path, None))
    assert [finding.state for finding in found] == [LACKING, LACKING]
    assert "no answer (ConnectionError)" in found[0].found
    assert "https://example.org, which asks for an account; place it as MIRROR/mine/c.bin" in found[1].found


def test_packages_are_held_against_their_pins(tmp_path):
    numpy = importlib.metadata.version("numpy")
    requirements = tmp_path / "requirements.txt"

    def found(text):
        requirements.write_text(text)
        return [(each.state, each.found) for each in doctor.python_and_packages(requirements)][1:]

    assert found(f"# a comment\nnumpy=={numpy}  # why\n") == [(OK, "all 1 as pinned")]
    (other,) = found("numpy==1.0")
    assert other == (
        NOTE,
        f"other versions than tested: numpy is {numpy}, pinned 1.0; pip install -r requirements.txt",
    )
    (missing,) = found("no-such-package==2")
    assert missing == (LACKING, "missing: no-such-package==2; pip install -r requirements.txt")


def test_optional_packages_that_the_study_needs_are_lacking(monkeypatch):
    def found(others=(), options=None, source="resnet"):
        config = {"measures": {"others": list(others)}}
        cards = {"mine": {"options": options or {}}}, {"its": {"network": {"source": source}}}
        return [(each.state, each.what, each.found) for each in doctor.optional_packages(config, *cards)]

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    told = "missing, needed for {}; pip install -r requirements-extra.txt"
    monkeypatch.setattr(doctor.importlib.metadata, "version", missing)
    assert found() == []
    why = "measures: others: soft_matching"
    assert found(["soft_matching"]) == [(LACKING, "POT", told.format(why))]
    (pyarrow,) = found(options={"responses": {"V1": "data/{subject}.parquet"}})
    assert pyarrow == (LACKING, "pyarrow", told.format("the .parquet files of mine"))
    assert found(source="autoencoder_kl") == [(LACKING, "diffusers", told.format("the card its"))]
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "1.0")
    assert found(["soft_matching"], source="autoencoder_kl") == []


def test_the_time_is_that_of_the_embedded_study_alone(tmp_path):
    def said(**study):
        return [each.what for each in doctor.machine(tmp_path, **study)]

    assert "time" in said()
    assert said(embedded=False) == [what for what in said() if what != "time"]


def test_too_little_disk_is_lacking(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 2**30})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    (disk,) = [each for each in doctor.machine(tmp_path / "not/yet") if each.what == "free disk"]
    told = "1.0 GiB; the embedded study takes up to 2 GiB: free space, or set keep_activations: false"
    assert (disk.state, disk.found) == (LACKING, told)


@pytest.mark.parametrize(("flags", "state"), [({"avx2"}, NOTE), ({"avx2", "amx_bf16"}, OK)])
def test_bfloat16_is_told_with_what_it_means_for_the_time(flags, state):
    finding = doctor.bfloat16(flags)
    assert finding.state == state
    assert ("less time" if state == OK else "takes longer") in finding.found


def test_a_python_that_is_too_old_is_lacking(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("")
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (9, 1))
    finding = next(doctor.python_and_packages(tmp_path / "requirements.txt"))
    assert finding.state == LACKING
    assert "install 9.1 or newer" in finding.found


@pytest.mark.parametrize(("place", "state"), [("here", OK), ("nowhere", LACKING), (None, OK)])
def test_the_mirror_of_the_environment_goes_first(tmp_path, monkeypatch, place, state):
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("CORTEXRSA_MIRROR", "" if place is None else str(tmp_path / place))
    finding, folder = doctor.mirror(None)
    assert finding.state == state
    assert folder == (tmp_path / "here" if place == "here" else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "told"), [([], 0, "Nothing is lacking."), (["studies/x.yaml"], 1, "Error: ")]
)
def test_the_command_looks_at_the_embedded_study(arguments, code, told, monkeypatch):
    monkeypatch.delenv("CORTEXRSA_MIRROR", raising=False)
    run = subprocess.run(
        [sys.executable, "scripts/doctor.py", *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == code, run.stdout + run.stderr
    assert told in run.stdout + run.stderr


def test_help_names_every_target():
    text = (ROOT / "Makefile").read_text()
    phony = text.split(".PHONY:")[1].split("\n")[0].split()
    # without the folder's name, which make adds below another make
    run = subprocess.run(["make", "--no-print-directory", "help"], capture_output=True, text=True, cwd=ROOT)
    assert {line.split()[0] for line in run.stdout.splitlines()} == set(phony)
