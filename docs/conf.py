"""The site of the documentation: `make docs`.

The source is the whole project, so that links lead where they do on GitHub.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

project = "dnn-cortex-rsa"
root_doc = "docs/index"
include_patterns = ["docs/*.md", "results/README.md", "CHANGELOG.md"]
# not looked through: large, or not there in every copy
exclude_patterns = [".*", "results/[!R]*", "tests", "scripts"]
extensions = ["myst_parser", "sphinx.ext.autodoc"]

myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say types and shapes
default_role = "code"

html_theme = "furo"
html_title = "dnn-cortex-rsa"
html_copy_source = False
html_show_sourcelink = False


def sections(app, what, name, obj, options, lines: list[str]) -> None:
    """Turn the sections of a docstring into reST: headings, and definitions from lines `name : meaning`."""
    written: list[str] = []
    section = ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line and re.fullmatch("-{3,}", below):
            section = line
            written += ["", f".. rubric:: {line}", ""]
        elif re.fullmatch("-{3,}", line):
            pass
        elif section and section != "Examples" and (found := re.fullmatch(r"(\S.*?) : (.*)", line)):
            written += [f"``{found[1]}``", f"    {found[2]}"]
        else:
            written.append(line)
    lines[:] = written


def setup(app) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", sections)
