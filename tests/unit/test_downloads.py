"""Downloads against a real HTTP server that cuts, lies, forgets and refuses."""

import gzip
import hashlib
import http.server
import json
import sys
import threading
from pathlib import Path

import pytest

from cortexrsa import downloads
from cortexrsa.downloaded import check
from cortexrsa.errors import InputError
from support import message_of

DATA = bytes(range(256)) * 4000  # 1 MB
SHA256 = hashlib.sha256(DATA).hexdigest()
PAGE = b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>"


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` and notes every request; the rest are the faults it can have."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/a.bin": DATA}
        self.requests = []  # (path, Range header)
        self.ranges = True
        self.cuts = []  # bytes after which the next replies break off
        self.statuses = []  # of the next replies
        self.silent = False
        self.etag = None
        self.release = threading.Event()

    def url(self, name):
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def handle_error(self, request, client_address):
        """Clients hang up in these tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        if server.silent:
            server.release.wait(10)
            self.close_connection = True
            return
        status = server.statuses.pop(0) if server.statuses else 200
        if status == 200 and self.path not in server.files:
            status = 404
        if status != 200:
            self.reply(status, b"<html>no</html>", {})
            return
        data = server.files[self.path]
        headers = {"ETag": server.etag} if server.etag else {}
        changed = self.headers.get("If-Range", server.etag) != server.etag
        if wanted and server.ranges and not changed:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.reply(206, data[start:], headers)
        else:
            self.reply(200, data, headers)

    def reply(self, status, body, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.cuts and status in (200, 206):
            body = body[: self.server.cuts.pop(0)]
            self.close_connection = True
        self.wfile.write(body)


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(downloads, "WAIT", 0)
    monkeypatch.setattr(downloads, "TIMEOUT", (2, 2))
    monkeypatch.setattr(downloads, "CHUNK", 1 << 14)
    monkeypatch.delenv("CORTEXRSA_MIRROR", raising=False)


@pytest.fixture
def fetch(tmp_path):
    def call(files, mirror=None):
        downloads.fetch("card", files, tmp_path / "out/card", mirror, tmp_path / "lock.json")
        return tmp_path / "out/card"

    return call


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def assert_nothing_there(tmp_path, *partial):
    assert not (tmp_path / "out/card").exists()
    assert not (tmp_path / "lock.json").exists()
    assert names(tmp_path / "out/.partial/card") == sorted(partial)


# ---- what works ------------------------------------------------------------------------------------------


def test_files_arrive_and_nothing_else_is_left(server, fetch, tmp_path):
    server.files["/b"] = b"b"
    files = {
        "a.bin": {"url": server.url("a.bin"), "sha256": SHA256},
        "sub/b.txt": {"url": server.url("b"), "sha256": hashlib.sha256(b"b").hexdigest()[:8].upper()},
    }
    folder = fetch(files)
    assert names(folder) == ["a.bin", "sub/b.txt"]
    assert (folder / "a.bin").read_bytes() == DATA
    assert names(tmp_path) == ["out/card/a.bin", "out/card/sub/b.txt"]


def test_connection_that_breaks_is_resumed(server, fetch):
    server.cuts = [100_000, 300_000]
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert (folder / "a.bin").read_bytes() == DATA
    ranges = [wanted for _, wanted in server.requests]
    assert ranges[0] is None
    assert len(ranges) == 3
    assert 0 < int(ranges[1][6:-1]) <= 100_000 < int(ranges[2][6:-1]) <= 400_000


def test_server_without_ranges_starts_over(server, fetch):
    server.ranges, server.cuts = False, [100_000]
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert (folder / "a.bin").read_bytes() == DATA
    assert len(server.requests) == 2


def test_a_later_call_goes_on_where_the_first_stopped(server, fetch, tmp_path):
    files = {
        "b": {"url": server.url("b"), "sha256": hashlib.sha256(b"b").hexdigest()},
        "a.bin": {"url": server.url("a.bin"), "sha256": SHA256},
    }
    server.files["/b"] = b"b"
    server.ranges, server.cuts = False, [100_000, 50_000, 50_000, 50_000, 50_000]
    assert "run again to go on" in message_of(fetch, files)
    assert "b" in names(tmp_path / "out/.partial/card")
    server.ranges, server.cuts, server.requests = True, [], []
    assert (fetch(files) / "a.bin").read_bytes() == DATA
    # b was complete, and of a.bin only the rest is asked for
    ((path, wanted),) = server.requests
    assert path == "/a.bin"
    assert int(wanted[6:-1]) > 0


def test_complete_bytes_of_a_killed_call_are_not_fetched_again(server, fetch, tmp_path):
    part = tmp_path / "out/.partial/card/a.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA)
    (part.parent / "tmpabc").write_bytes(b"left by the killed call")
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert (folder / "a.bin").read_bytes() == DATA
    assert server.requests == [("/a.bin", f"bytes={len(DATA)}-")]
    assert names(folder) == ["a.bin"]


@pytest.mark.parametrize("part", [b"x" * 5000, DATA + b"more"])
def test_wrong_bytes_of_an_earlier_call_are_dropped(server, fetch, tmp_path, part):
    path = tmp_path / "out/.partial/card/a.bin.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(part)
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert (folder / "a.bin").read_bytes() == DATA


def test_without_checksum_bytes_of_an_earlier_call_are_not_mixed_in(server, fetch, tmp_path):
    path = tmp_path / "out/.partial/card/a.bin.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 5000)
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": None}})
    assert (folder / "a.bin").read_bytes() == DATA
    assert server.requests == [("/a.bin", None)]


def test_file_that_changes_while_it_is_resumed_is_fetched_whole(server, fetch, monkeypatch):
    server.etag, server.cuts = '"one"', [100_000]

    def change(seconds):
        server.etag, server.files["/a.bin"] = '"two"', DATA[::-1]

    monkeypatch.setattr(downloads.time, "sleep", change)
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": None}})
    assert (folder / "a.bin").read_bytes() == DATA[::-1]


def test_busy_server_is_asked_again(server, fetch):
    server.statuses = [503, 429]
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert (folder / "a.bin").read_bytes() == DATA


def test_wrong_file_of_an_earlier_call_is_fetched_again(server, fetch, tmp_path):
    path = tmp_path / "out/.partial/card/a.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"of an older card")
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert (folder / "a.bin").read_bytes() == DATA


def test_folder_is_replaced_as_a_whole(server, fetch):
    server.files["/b"] = b"b"
    fetch({"b": {"url": server.url("b"), "sha256": None}})
    folder = fetch({"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert names(folder) == ["a.bin"]


def test_mirror_goes_before_the_url_and_the_environment_before_the_configuration(
    server, fetch, tmp_path, monkeypatch
):
    for mirror, content in (("configured", b"1"), ("environment", b"2")):
        (tmp_path / mirror / "card/sub").mkdir(parents=True)
        (tmp_path / mirror / "card/sub/b c.txt").write_bytes(content)
    files = {
        "sub/b c.txt": {"url": server.url("b"), "sha256": None},
        "a.bin": {"url": server.url("a.bin"), "sha256": SHA256},
    }
    folder = fetch(files, tmp_path / "configured")
    assert (folder / "sub/b c.txt").read_bytes() == b"1"
    # what the mirror lacks comes from the url
    assert [path for path, _ in server.requests] == ["/a.bin"]
    (tmp_path / "lock.json").unlink()
    monkeypatch.setenv("CORTEXRSA_MIRROR", str(tmp_path / "environment"))
    assert (fetch(files, tmp_path / "configured") / "sub/b c.txt").read_bytes() == b"2"


def test_file_url(fetch, tmp_path):
    source = tmp_path / "with space.bin"
    source.write_bytes(DATA)
    folder = fetch({"a.bin": {"url": source.as_uri(), "sha256": SHA256}})
    assert (folder / "a.bin").read_bytes() == DATA
    assert source.read_bytes() == DATA


def test_unknown_checksum_is_recorded_and_then_enforced(server, fetch, tmp_path):
    files = {"a.bin": {"url": server.url("a.bin"), "sha256": None}}
    fetch(files)
    assert json.loads((tmp_path / "lock.json").read_text()) == {"card/a.bin": SHA256}
    server.files["/a.bin"] = b"changed"
    message = message_of(fetch, files)
    changed = hashlib.sha256(b"changed").hexdigest()
    assert message == (
        f"card/a.bin: sha256: found {changed} from {server.url('a.bin')}, expected {SHA256} "
        f"(recorded in {tmp_path / 'lock.json'}: remove it there if the file is new)"
    )
    assert json.loads((tmp_path / "lock.json").read_text()) == {"card/a.bin": SHA256}
    # the earlier download is still whole
    assert (tmp_path / "out/card/a.bin").read_bytes() == DATA


def test_jobs_that_record_at_the_same_time_lose_nothing(tmp_path):
    lock = tmp_path / "lock.json"
    entries = [(lock, f"card{i}/file", f"{i:064}") for i in range(20)]
    threads = [threading.Thread(target=downloads._record, args=entry) for entry in entries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(json.loads(lock.read_text())) == 20


def test_bar_is_shown_at_a_terminal_only(server, fetch, monkeypatch):
    written = []

    class Stream:
        def __init__(self, terminal):
            self.isatty = lambda: terminal

        def write(self, text):
            written.append(text)

        def flush(self):
            pass

    files = {"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}}
    monkeypatch.setattr(sys, "__stderr__", Stream(False))
    fetch(files)
    assert not written
    monkeypatch.setattr(sys, "__stderr__", Stream(True))
    fetch(files)
    assert "card/a.bin" in "".join(written)


# ---- what is refused ---------------------------------------------------------------------------------------


def test_wrong_bytes(server, fetch, tmp_path):
    server.files["/a.bin"] = b"other"
    message = message_of(fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    found = hashlib.sha256(b"other").hexdigest()
    assert message == f"card/a.bin: sha256: found {found} from {server.url('a.bin')}, expected {SHA256}"
    assert_nothing_there(tmp_path)


def test_wrong_prefix_of_a_checksum(server, fetch, tmp_path):
    message = message_of(fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": "f37072fd"}})
    assert message.endswith(f"found {SHA256} from {server.url('a.bin')}, expected f37072fd")
    assert_nothing_there(tmp_path)


def test_wrong_file_in_the_mirror_is_refused_and_left_alone(server, fetch, tmp_path):
    copy = tmp_path / "mirror/card/a.bin"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"old")
    message = message_of(
        fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}}, tmp_path / "mirror"
    )
    assert f"found {hashlib.sha256(b'old').hexdigest()} from {copy.as_uri()}" in message
    assert copy.read_bytes() == b"old"
    assert server.requests == []
    assert_nothing_there(tmp_path)


def test_file_that_is_not_there(server, fetch, tmp_path):
    message = message_of(fetch, {"a.bin": {"url": server.url("missing"), "sha256": SHA256}})
    assert message == (
        f"card/a.bin: url: found HTTP 404 Not Found from {server.url('missing')}, "
        "expected a file there, or as MIRROR/card/a.bin in a mirror folder"
    )
    assert len(server.requests) == 1
    assert_nothing_there(tmp_path)


def test_second_file_missing_leaves_no_folder_and_keeps_the_first(server, fetch, tmp_path):
    files = {
        "a.bin": {"url": server.url("a.bin"), "sha256": SHA256},
        "b": {"url": server.url("b"), "sha256": SHA256},
    }
    assert "card/b: url: found HTTP 404" in message_of(fetch, files)
    assert_nothing_there(tmp_path, "a.bin")


@pytest.mark.parametrize("sha256", [None, SHA256])
def test_html_page_instead_of_data(server, fetch, tmp_path, sha256):
    server.files["/a.bin"] = PAGE
    message = message_of(fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": sha256}})
    assert "HTML page" in message
    assert server.url("a.bin") in message
    assert_nothing_there(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "an XML page"),
        (b"\xef\xbb\xbf<!-- page --><head></head>", "an HTML page"),
        (b'{"error": "not found"}', "a JSON text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (gzip.compress(b"<html></html>", mtime=0), "gzip-compressed data"),
    ],
)
def test_other_answers_are_neither_kept_nor_recorded(server, fetch, tmp_path, content, message):
    server.files["/a.bin"] = content
    entry = {"a.bin": {"url": server.url("a.bin"), "sha256": None}}
    assert f"card/a.bin: content: found {message} from " in message_of(fetch, entry)
    assert_nothing_there(tmp_path)
    assert not list(tmp_path.rglob("checksums.lock"))
    # mended at its place: nothing of the answer is left to contradict it
    server.files["/a.bin"] = DATA
    assert (fetch(entry) / "a.bin").read_bytes() == DATA


def test_html_page_that_is_wanted(server, fetch):
    server.files["/terms"] = PAGE
    folder = fetch({"terms.html": {"url": server.url("terms"), "sha256": None}})
    assert (folder / "terms.html").read_bytes() == PAGE


def test_connection_that_keeps_breaking(server, fetch, tmp_path):
    server.cuts = [0] * 50
    message = message_of(fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert "after 0 bytes of http://127.0.0.1" in message
    assert f"{downloads.ATTEMPTS} times without progress" in message
    assert len(server.requests) == downloads.ATTEMPTS
    assert not (tmp_path / "out/card").exists()


def test_server_that_stays_busy(server, fetch, tmp_path):
    server.statuses = [503] * 50
    message = message_of(fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert "HTTP 503 Service Unavailable after 0 bytes" in message
    assert len(server.requests) == downloads.ATTEMPTS
    assert_nothing_there(tmp_path)


def test_server_that_does_not_answer(server, fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", (0.1, 0.1))
    server.silent = True
    message = message_of(fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": SHA256}})
    assert "ReadTimeout" in message
    assert_nothing_there(tmp_path)


def test_no_server(server, fetch, tmp_path):
    url = server.url("a.bin")
    server.shutdown()
    server.server_close()
    assert "ConnectionError" in message_of(fetch, {"a.bin": {"url": url, "sha256": SHA256}})
    assert_nothing_there(tmp_path)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.bin", "/etc/hostname", "doi:10.5281/zenodo.1/a.bin"])
def test_other_kinds_of_url(fetch, tmp_path, url):
    message = message_of(fetch, {"a.bin": {"url": url, "sha256": None}})
    assert message == f"card/a.bin: url: found {url}, expected an http, https or file url"
    assert_nothing_there(tmp_path)


def test_file_url_of_nothing(fetch, tmp_path):
    message = message_of(fetch, {"a.bin": {"url": (tmp_path / "none").as_uri(), "sha256": None}})
    assert message == f"card/a.bin: url: found no file {tmp_path / 'none'}, expected an existing file"
    assert_nothing_there(tmp_path)


def test_mirror_that_does_not_exist(fetch, tmp_path, monkeypatch):
    message = message_of(fetch, {}, tmp_path / "nowhere")
    assert message.startswith(f"configuration: mirror: found '{tmp_path / 'nowhere'}', expected an existing")
    monkeypatch.setenv("CORTEXRSA_MIRROR", "/no/such/mirror")
    assert message_of(fetch, {}, tmp_path).startswith("CORTEXRSA_MIRROR: mirror: found '/no/such/mirror'")


@pytest.mark.parametrize("content", ["{", "[1]", '{"card/a.bin": 3}'])
def test_lock_file_that_is_none(server, fetch, tmp_path, content):
    (tmp_path / "lock.json").write_text(content)
    message = message_of(fetch, {"a.bin": {"url": server.url("a.bin"), "sha256": None}})
    assert message.startswith(f"{tmp_path / 'lock.json'}: ")
    assert message.endswith("expected {CARD/NAME: sha256}")
    assert server.requests == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("kind", ["http", "file"])
def test_disk_that_is_full(server, fetch, tmp_path, kind):
    source = tmp_path / "source.bin"
    source.write_bytes(DATA)
    part = tmp_path / "out/.partial/card/a.bin.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    url = server.url("a.bin") if kind == "http" else source.as_uri()
    message = message_of(fetch, {"a.bin": {"url": url, "sha256": SHA256}})
    assert message == "card/a.bin: The disk is full: the download does not fit"
    assert not (tmp_path / "out/card").exists()


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], None])
def test_a_file_that_changed_after_it_came_is_refused_by_its_readers(tmp_path, sha256):
    source = tmp_path / "a.bin"
    source.write_bytes(DATA)
    files = {"part/a.bin": {"url": source.as_uri(), "sha256": sha256}}
    folder, lock = tmp_path / "downloads/card", tmp_path / "downloads/checksums.lock"
    downloads.fetch("card", files, folder, None, lock)
    check(folder, files)
    changed = bytearray(DATA)
    changed[500_000] ^= 4
    (folder / "part/a.bin").write_bytes(changed)
    with pytest.raises(InputError, match=r"part/a\.bin: sha256: found .*, as it was downloaded; delete"):
        check(folder, files)
