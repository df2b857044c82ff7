"""The documentation as a site: it builds without a warning, and no page asks anything of the internet."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# what a browser fetches by itself: not the links that a person may click
FETCHED = re.compile(r'<(?:script|img|iframe|source)[^>]*\ssrc="([^"]+)|<link[^>]*\shref="([^"]+)')


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("site")
    makefile = (ROOT / "Makefile").read_text()
    (command,) = re.findall(r"^\t\$\(BIN\)/python (-m sphinx .*) results/site$", makefile, re.MULTILINE)
    run = subprocess.run(
        [sys.executable, *command.split(), target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    return target


@pytest.mark.slow
def test_every_page_is_there(site):
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages == {path.stem for path in (site / "docs").glob("*.html")}
    text = (site / "docs/reference-api.html").read_text()
    assert 'id="cortexrsa.api.scores"' in text
    # sections of a docstring are headings and definitions
    assert '<p class="rubric">Parameters</p>' in text


@pytest.mark.slow
def test_no_page_asks_anything_of_the_internet(site):
    pages = list(site.rglob("*.html"))
    fetched = {"".join(found) for page in pages for found in FETCHED.findall(page.read_text())}
    assert len(fetched) > 10
    assert not [address for address in fetched if re.match(r"(?:https?:)?//", address)]
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()), style
