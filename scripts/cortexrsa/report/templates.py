"""Pages from their templates in `resources/report`."""

from __future__ import annotations

from pathlib import Path

import jinja2


def rendered(name: str, root: Path, **content) -> str:
    """A template with its content, which is escaped unless the template says otherwise."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root / "resources/report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(content)
