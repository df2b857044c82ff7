"""Where the files of a data set of RDMs lie: downloaded, or on this disk."""

from __future__ import annotations

from pathlib import Path


def place(folder: str | Path, name: str) -> Path:
    """A file of a card: below `folder`, unless `name` is a path of its own (it begins with / or ~)."""
    return Path(folder, Path(name).expanduser())


def names_of(entry: dict) -> list[str]:
    """Names of the files of a ROI: one, or a list."""
    return entry["file"] if isinstance(entry["file"], list) else [entry["file"]]


def local_files(card: dict) -> list[str]:
    """Files on this disk that a data set of RDMs is read from, as far as they are there.

    Parameters
    ----------
    card : of the data set; what lies below its downloads is left out
    """
    names = [name for entry in card["rois"].values() for name in names_of(entry)]
    names += [card["options"]["order"]] if "order" in card["options"] else []
    names.append(card["images"])
    if card.get("files"):
        names = [name for name in names if Path(name).expanduser().is_absolute()]
    base = Path(card.get("path") or "").expanduser()
    paths = [place(base, name) for name in names]
    found = {path for path in paths if path.is_file()}
    for folder in filter(Path.is_dir, paths):
        found |= {path for path in folder.iterdir() if path.is_file()}
    # what is missing is reported by the job that reads it
    return sorted(map(str, found))
