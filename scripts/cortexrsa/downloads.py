"""Downloads: mirror first, then the url; checksums always; resumed where they broke off."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from cortexrsa.downloaded import disguised, read_lock
from cortexrsa.errors import InputError
from cortexrsa.storage import atomic_path

CHUNK = 1 << 18  # bytes
TIMEOUT = (10, 60)  # seconds to connect, and between two packets
ATTEMPTS = 4  # without any new byte
WAIT = 2.0  # seconds before the second attempt, growing with each
RETRIED = {408, 429, 500, 502, 503, 504}  # HTTP replies that may differ a moment later


def fetch(
    card_name: str,
    files: dict[str, dict],
    folder: str | Path,
    mirror: str | Path | None,
    lock: str | Path,
) -> None:
    """Bring the files of a card into one folder, which appears when all of them are there and checked.

    What is fetched lies in `.partial/CARD` beside `folder` until then, so that a later call goes on where
    this one stopped.

    Parameters
    ----------
    card_name : name of the card
    files : name below `folder` -> {url, sha256}: all 64 digits, the first ones (at least 8), or None. A file
        without checksum is recorded in `lock` the first time and checked from then on. {account, sha256} is a
        file that only the user can get: it must lie in the mirror folder.
    folder : where the files go; replaced if it exists
    mirror : folder in which MIRROR/CARD/NAME is looked for before the url is asked, or None. The variable
        CORTEXRSA_MIRROR of the environment goes before it.
    lock : JSON file {CARD/NAME: sha256}

    Raises
    ------
    InputError : no such mirror, a file for an account that is not in it, a url of another kind, a file that
        the server does not give (or an HTML page instead), a connection that keeps breaking, a full disk, a
        checksum that differs. Nothing is left under `folder`, and no wrong file in the partial folder.
    """
    import requests

    folder, lock, mirror = Path(folder), Path(lock), _mirror_folder(mirror)
    partial = folder.parent / ".partial" / card_name
    recorded = read_lock(lock)
    partial.mkdir(parents=True, exist_ok=True)
    with requests.Session() as session:
        for name, entry in files.items():
            label = f"{card_name}/{name}"
            copy = mirror / card_name / name if mirror else None
            if copy and copy.is_file():
                url = copy.resolve().as_uri()
            elif "account" in entry:
                raise InputError(
                    "file",
                    f"no copy ({'a mirror folder without it' if mirror else 'no mirror folder is set'})",
                    f"the file from {entry['account']}, which asks for an account, placed as "
                    f"{copy or f'MIRROR/{label} with CORTEXRSA_MIRROR=MIRROR'}",
                    file=label,
                )
            else:
                url = entry["url"]
            sha256, note = entry["sha256"], ""
            if sha256 is None and label in recorded:
                sha256, note = recorded[label], f" (recorded in {lock}: remove it there if the file is new)"
            found = _fetch_one(session, label, url, sha256, note, partial / name)
            if sha256 is None:
                _record(lock, label, found)
    _discard_others(partial, {partial / name for name in files})
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def _mirror_folder(configured: str | Path | None) -> Path | None:
    variable = os.environ.get("CORTEXRSA_MIRROR")
    mirror = variable or configured
    if not mirror:
        return None
    path = Path(mirror).expanduser()
    if not path.is_dir():
        origin = "CORTEXRSA_MIRROR" if variable else "configuration"
        raise InputError("mirror", repr(str(mirror)), "an existing folder, or none", file=origin)
    return path


def _fetch_one(session, label: str, url: str, sha256: str | None, note: str, target: Path) -> str:
    """Bring one file to `target`, unless it lies there already, and return its sha256.

    `note` says in an error where the expected `sha256` is from.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    part = target.with_name(target.name + ".part")

    def download(source: str, output: str, _) -> None:
        if urllib.parse.urlsplit(source).scheme == "file":
            _copy(label, source, part)
        else:
            _download(session, label, source, part)
        os.replace(part, output)

    if urllib.parse.urlsplit(url).scheme not in ("http", "https", "file"):
        raise InputError("url", url, "an http, https or file url", file=label)
    if target.is_file() and sha256 and not _matches(target, sha256):
        target.unlink()
    if sha256 is None:
        # bytes of an earlier run may be of another version, and no checksum would tell
        part.unlink(missing_ok=True)
    resumed = part.is_file()
    pooch.retrieve(url, None, fname=target.name, path=target.parent, downloader=download)
    if resumed and not _matches(target, sha256):
        target.unlink()
        pooch.retrieve(url, None, fname=target.name, path=target.parent, downloader=download)
    found = pooch.file_hash(str(target), alg="sha256")
    answer = disguised(target)
    if sha256 is None and answer:
        target.unlink()
        raise InputError("content", f"{answer} from {url}", "data", file=label)
    if sha256 and not found.startswith(sha256.lower()):
        target.unlink()
        page = f" ({answer})" if answer else ""
        raise InputError("sha256", f"{found}{page} from {url}", f"{sha256}{note}", file=label)
    return found


def _matches(path: Path, sha256: str) -> bool:
    import pooch

    return pooch.file_hash(str(path), alg="sha256").startswith(sha256.lower())


@contextlib.contextmanager
def _disk_errors(label: str):
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError("The disk is full: the download does not fit", file=label) from error
        raise


def _bar(label: str, total: int | None, done: int):
    from tqdm import tqdm

    # the job's own stderr is its log; None means: not if that is no terminal
    return tqdm(
        desc=label,
        total=total,
        initial=done,
        unit="B",
        unit_scale=True,
        leave=False,
        file=sys.__stderr__,
        disable=None,
    )


def _copy(label: str, url: str, part: Path) -> None:
    """Copy the file of a file url to `part`."""
    source = Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
    if not source.is_file():
        raise InputError("url", f"no file {source}", "an existing file", file=label)
    bar = _bar(label, source.stat().st_size, 0)
    with bar, _disk_errors(label), open(source, "rb") as file, open(part, "wb") as output:
        while chunk := file.read(CHUNK):
            output.write(chunk)
            bar.update(len(chunk))


def _download(session, label: str, url: str, part: Path) -> None:
    """Download to `part`, going on after the bytes that are there; broken connections are tried again."""
    import requests

    best = part.stat().st_size if part.is_file() else 0
    attempts = 0
    # compressed replies would not be counted in bytes of the file
    headers = {"Accept-Encoding": "identity"}
    while True:
        try:
            complete, problem = _request(session, label, url, part, headers), "a reply cut short"
        except requests.HTTPError as error:
            complete, problem = False, f"HTTP {error.response.status_code} {error.response.reason}"
        except requests.RequestException as error:
            complete, problem = False, type(error).__name__
        if complete:
            return
        size = part.stat().st_size if part.is_file() else 0
        attempts = 1 if size > best else attempts + 1
        best = max(best, size)
        if attempts >= ATTEMPTS:
            found = f"{problem} after {size} bytes of {url}, {attempts} times without progress"
            raise InputError(
                "url", found, f"a complete file (run again to go on, or use MIRROR/{label})", file=label
            )
        time.sleep(WAIT * attempts)


def _request(session, label: str, url: str, part: Path, headers: dict[str, str]) -> bool:
    """Ask for what is missing of `part` and append it; whether it is complete now.

    The server's ETag is kept in `headers`: a file that changes between two requests is sent from its start.

    Raises
    ------
    InputError : the server refuses, the disk is full. requests.RequestException : the connection breaks.
    """
    have = part.stat().st_size if part.is_file() else 0
    headers.pop("Range", None)
    if have:
        headers["Range"] = f"bytes={have}-"
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
        if reply.status_code in RETRIED:
            reply.raise_for_status()
        served = reply.headers.get("Content-Range", "")
        if reply.status_code == 416 or (reply.status_code == 206 and _start(served) != have):
            if served == f"bytes */{have}":
                return True
            part.unlink(missing_ok=True)
            return False
        if not reply.ok:
            raise InputError(
                "url",
                f"HTTP {reply.status_code} {reply.reason} from {url}",
                f"a file there, or as MIRROR/{label} in a mirror folder",
                file=label,
            )
        # a weak ETag does not promise the same bytes
        if (etag := reply.headers.get("ETag", "")).startswith('"'):
            headers["If-Range"] = etag
        if reply.status_code != 206:
            have = 0
        length = reply.headers.get("Content-Length")
        total = have + int(length) if length and "Content-Encoding" not in reply.headers else None
        written = have
        with _bar(label, total, have) as bar, open(part, "ab" if have else "wb") as output:
            for chunk in reply.iter_content(CHUNK):
                with _disk_errors(label):
                    output.write(chunk)
                    # a kill loses nothing that was received
                    output.flush()
                written += len(chunk)
                bar.update(len(chunk))
        return total is None or written == total


def _start(content_range: str) -> int | None:
    """First byte of `bytes 5-9/10`."""
    first = content_range.removeprefix("bytes ").split("-")[0]
    return int(first) if first.isdigit() else None


# ---- lock and folders --------------------------------------------------------------------------------------


def _record(lock: Path, label: str, sha256: str) -> None:
    """Add a checksum; several jobs may do so at the same time."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock.with_name(f".{lock.name}.guard"), "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        recorded = read_lock(lock) | {label: sha256}
        with atomic_path(lock) as temporary:
            temporary.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def _discard_others(folder: Path, wanted: set[Path]) -> None:
    """Remove what a killed run or an older card left: all but the `wanted` files."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):
                path.rmdir()
        elif path not in wanted:
            path.unlink()
