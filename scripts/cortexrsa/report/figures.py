"""Figures in a page: the drawing as it is, with its caption."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import docutils.core
import jinja2

# of docutils: captions are text alone
PLAIN = {"report_level": 5, "halt_level": 5, "file_insertion_enabled": False, "raw_enabled": False}


@dataclass(frozen=True)
class Figure:
    """A figure or table with its caption.

    Attributes
    ----------
    name : of the file, without its ending
    caption : HTML
    drawing : SVG, to stand in a page
    words : caption as plain text, for those who do not see the drawing
    """

    name: str
    caption: str
    drawing: str
    words: str


def caption(name: str, settings: dict | None, root: Path) -> str:
    """Caption of `resources/captions`, as HTML; it may name settings of the job."""
    text = (root / "resources/captions" / f"{name}.rst").read_text()
    job = SimpleNamespace(params=SimpleNamespace(settings=settings or {}))
    said = jinja2.Template(text, undefined=jinja2.StrictUndefined).render(snakemake=job)
    parts = docutils.core.publish_parts(said, writer="html5", settings_overrides=PLAIN)
    return parts["body"].strip()


def figure(path: Path, root: Path) -> Figure:
    """A figure of `figures.style.draw`, whose file holds the settings that made it."""
    svg = path.read_text()
    described = re.search("<dc:description>(.*?)</dc:description>", svg, re.DOTALL)
    settings = json.loads(html.unescape(described[1]))["settings"]
    told = caption(path.stem, settings, root)
    words = " ".join(html.unescape(re.sub("<[^>]*>", "", told)).split())
    return Figure(path.stem, told, inline(svg, path.stem, words), words)


def inline(svg: str, name: str, words: str) -> str:
    """An SVG file as an element of a page.

    Parameters
    ----------
    svg : content of the file
    name : what its identifiers begin with, so that they are not those of another drawing
    words : what a screen reader says
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    named = set(re.findall(r'(?:href="|url\()#([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' * (found[1] in named), body)
    body = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", body)
    (width,) = re.findall(r'<svg[^>]*? width="([\d.]+)pt"', body)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", body, count=1)
    label = html.escape(words, quote=True)
    head = f'<svg role="img" aria-label="{label}" style="max-width:{float(width) * 2:.0f}px"'
    return body.replace("<svg", head, 1).strip()
