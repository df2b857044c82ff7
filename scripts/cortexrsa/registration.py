"""Pre-registration: which claims were fixed before the scores were seen, by the author's own statement."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path

import yaml

from cortexrsa.errors import InputError
from cortexrsa.formats.yaml_files import read_mapping
from cortexrsa.storage import atomic_path

FOLDER = "resources/registrations"
# beside the results of a study: its claims in the last run without scores
RECORD = "claims_before_scores.json"


def digest(value: object) -> str:
    """Hash of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def hashes_of_claims(files: dict[str, dict], roles: dict) -> dict[str, dict[str, str]]:
    """Hash of every claim by file and id: its own keys, those of its file that it hangs on, and the roles."""
    return {
        name: {
            claim["id"]: digest([content["family"], content["contradicted_by"], roles, claim])
            for claim in content["claims"]
        }
        for name, content in files.items()
    }


def path_of(study: str, root: str | Path) -> Path:
    """The file of a study's registration."""
    return Path(root, FOLDER, f"{study}.yaml")


def registration_of(path: Path) -> dict:
    """What `register` wrote; nothing where there is no file.

    Raises
    ------
    InputError : a file that `register` did not write.
    """
    if not path.exists():
        return {}
    written = read_mapping(path)
    expected = "as the registration was written (`git log` has it)"
    if not isinstance(written.get("date"), str | datetime.date):
        raise InputError("date", repr(written.get("date")), f"the day, {expected}", file=path)
    for kind in ("claims", "datasets", "models"):
        own = written.get(kind)
        deep = kind == "claims" and isinstance(own, dict) and own.values()
        if not isinstance(own, dict) or not all(isinstance(one, dict) for one in deep or ()):
            raise InputError(kind, repr(own), f"hashes by name, {expected}", file=path)
    return written


def scores_seen(study: str, results: str | Path) -> bool:
    """Whether a study has scores already."""
    return any(Path(results, "studies", study).glob("*/scores.csv"))


def register(
    config: dict,
    files: dict[str, dict],
    cards: dict[str, dict[str, dict]],
    root: str | Path,
    results: str | Path = "results",
    time_stamp: str | None = None,
) -> Path:
    """Write the registration of a study, for its user to commit.

    Parameters
    ----------
    config : of the study, checked
    files : its claims by the name of their file
    cards : its cards by kind (datasets, models) and name
    time_stamp : a public one: an address at OSF or Zenodo, or the name of a signed tag

    Raises
    ------
    InputError : the study is registered already (or its file is none of this function), or has no claims.
    """
    path = path_of(config["study"], root)
    if path.exists():
        raise InputError(
            f"is registered already, on {registration_of(path)['date']}. A study is registered once: give "
            "another version a `study:` of its own",
            file=path,
        )
    if not files:
        raise InputError("claims", "none", "claims to register", file="config.yaml")
    content = {
        "study": config["study"],
        "date": datetime.date.today().isoformat(),
        "time_stamp": time_stamp,
        "scores_seen_before": scores_seen(config["study"], results),
        "claims": hashes_of_claims(files, config["roles"]),
        **{kind: {name: digest(card) for name, card in own.items()} for kind, own in cards.items()},
    }
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def record_claims(config: dict, files: dict[str, dict], results: str | Path = "results") -> None:
    """Write down a study's claims beside its results, as long as it has no scores."""
    if not scores_seen(config["study"], results):
        with atomic_path(Path(results, "studies", config["study"], RECORD)) as temporary:
            temporary.write_text(json.dumps(hashes_of_claims(files, config["roles"]), indent=1) + "\n")


def states(
    config: dict,
    files: dict[str, dict],
    cards: dict[str, dict[str, dict]],
    root: str | Path,
    results: str | Path = "results",
) -> dict[str, dict[str, str]]:
    """What to say of the registration of every claim, by file and id; see `register`."""
    now, path = hashes_of_claims(files, config["roles"]), path_of(config["study"], root)
    if not path.exists():
        return {
            name: {claim: _unregistered(config["study"], name, claim, now, results) for claim in own}
            for name, own in now.items()
        }
    written = registration_of(path)
    changed = [
        name
        for kind, own in cards.items()
        for name, card in own.items()
        if written.get(kind, {}).get(name) != digest(card)
    ]
    said = f"registered (by the author's own statement) on {written['date']}"
    said += f", {written['time_stamp']}" if written.get("time_stamp") else ""
    said += ", after the first scores were seen" if written.get("scores_seen_before") else ""
    cards_said = f"; changed since: cards of {', '.join(changed)}" if changed else ""
    found = {}
    for name, own in now.items():
        before = written.get("claims", {}).get(name, {})
        found[name] = {}
        for claim, value in own.items():
            if claim not in before:
                found[name][claim] = f"added after registration on {written['date']}"
            else:
                state = "unchanged" if before[claim] == value else "changed after registration"
                found[name][claim] = f"{said}, {state}{cards_said}"
    return found


def _unregistered(study: str, name: str, claim: str, now: dict, results: str | Path) -> str:
    path = Path(results, "studies", study, RECORD)
    if not path.is_file() or not scores_seen(study, results):
        return "not registered"
    before = _recorded(path, name)
    if before is None:
        return "not registered"
    if before.get(claim) == now[name][claim]:
        return "not registered"
    edited = "edited" if claim in before else "added"
    return f"not registered; {edited} after the first scores were seen"


def _recorded(path: Path, name: str) -> dict | None:
    """Hashes of the claims of a file before there were scores; None where nothing of it can be read."""
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    own = before.get(name, {}) if isinstance(before, dict) else None
    return own if isinstance(own, dict) else None


def summary(states: dict[str, dict[str, str]]) -> str:
    """The states of all claims in a sentence or two, for the report.

    Examples
    --------
    >>> summary({"mine": {"H1": "not registered", "H2": "not registered"}})
    'mine: not registered.'
    >>> summary({"mine": {"H1": "registered on 2026-01-01, unchanged", "H2": "added after registration"}})
    'mine: registered on 2026-01-01, unchanged: H1; added after registration: H2.'
    """
    parts = []
    for name, own in states.items():
        by_state: dict[str, list[str]] = {}
        for claim, state in own.items():
            by_state.setdefault(state, []).append(claim)
        if len(by_state) == 1:
            parts.append(f"{name}: {next(iter(by_state))}.")
        else:
            said = (f"{state}: {', '.join(claims)}" for state, claims in by_state.items())
            parts.append(f"{name}: {'; '.join(said)}.")
    return " ".join(parts)
