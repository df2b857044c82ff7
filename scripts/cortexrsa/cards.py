"""Cards (YAML descriptions of models, data sets and corpora) and the configuration, checked by schemas."""

from __future__ import annotations

import copy
import difflib
import functools
import math
import re
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cortexrsa.errors import InputError, suggestion
from cortexrsa.patterns import check_patterns

SCHEMA_FOLDER = Path(__file__).resolve().parents[2] / "resources" / "schemas"
SCHEMAS = {"models": "model", "datasets": "dataset", "corpora": "corpus", "config": "config"}

# names of files and folders of results/, which a card of that name would overwrite
RESERVED = {
    "datasets": {
        *("downloads", "corpora", "networks", "logs", "benchmarks"),
        *("calibration", "recovery", "bench", "archives"),
    },
    "models": {"brain"},
}

TYPES = {
    "string": "text",
    "object": "a mapping of keys to values",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}

# a wrong key explains the missing one, and a wrong type explains everything else
PRECEDENCE = {"type": 0, "oneOf": 1, "additionalProperties": 2, "required": 4}


# ---- reading ---------------------------------------------------------------------------------------------


# in C, where PyYAML has it: hundreds of cards may be read at the start of every job on a cluster
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML with unique keys, in which 1e-3 is a number (as in YAML 1.2; PyYAML reads text)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _unique_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict:
    seen = set()
    for key_node, _ in node.value:
        if key_node.value in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key {key_node.value!r} twice", problem_mark=key_node.start_mark
            )
        if isinstance(key_node, yaml.ScalarNode):
            seen.add(key_node.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


def read_yaml(path: str | Path, shown: str | Path | None = None) -> object:
    """Content of a YAML file.

    Parameters
    ----------
    path : the file
    shown : its name in an error (default: `path`)

    Raises
    ------
    InputError : the file cannot be read, its syntax is wrong (with the line), or a mapping has a key twice.
    """
    shown = path if shown is None else shown
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        field = f"line {mark.line + 1}" if mark else "YAML"
        syntax = isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError)
        found = f"a syntax error ({error.problem})" if syntax else error.problem
        raise InputError(field, found, "valid YAML with unique keys", file=shown) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("YAML", " ".join(str(error).split()), "valid YAML in UTF-8", file=shown) from error
    except OSError as error:
        raise InputError("file", error.strerror, "a readable YAML file", file=shown) from error


def canonical(value: object) -> object:
    """The same value with all mappings as plain dicts in the order of their keys; lists keep their order."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


# ---- validation ------------------------------------------------------------------------------------------


@functools.cache
def _validator(kind: str) -> Draft202012Validator:
    schema = yaml.safe_load((SCHEMA_FOLDER / f"{SCHEMAS[kind]}.schema.yaml").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _resolve(validator: Draft202012Validator, schema: dict) -> dict:
    """The definition that a schema refers to (ours refer to their own $defs only), else the schema."""
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    return validator.schema["$defs"][reference] if reference else schema


def _dotted(path: Iterable) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.lstrip(".") or "content"


def _show(value: object) -> str:
    if value is None:
        return "nothing (null)"
    if isinstance(value, dict):
        return "a mapping with " + (", ".join(map(str, value)) or "no keys")
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _allowed(schema: dict) -> str:
    """What a value may be, in words, from its (part of a) schema."""
    if "description" in schema:
        return schema["description"]
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    types = schema.get("type", [])
    words = " or ".join(TYPES[name] for name in ([types] if isinstance(types, str) else types)) or "a value"
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
            ("multipleOf", "a multiple of"),
        )
        if key in schema
    ]
    if schema.get("minItems") and schema["minItems"] == schema.get("maxItems"):
        bounds.append(f"of {schema['minItems']} items")
    elif "minItems" in schema:
        bounds.append(f"of at least {schema['minItems']} items")
    return " ".join([words, " and ".join(bounds)]).strip()


def _type_hint(found: object, schema: dict) -> str:
    types = schema.get("type", [])
    if "string" in types and isinstance(found, int | float) and not isinstance(found, bool):
        return "; put it in quotes"
    return ""


def _input_error(error: ValidationError, validator: Draft202012Validator, file: str) -> InputError:
    """One line for one fault that jsonschema found."""
    path, found, schema = list(error.absolute_path), error.instance, error.schema
    match error.validator:
        case "additionalProperties":
            allowed = list(schema.get("properties", {}))
            wrong = next(key for key in found if key not in allowed)
            # a misspelt key is one that is missing, unless all are there already (from config.yaml)
            free = [key for key in allowed if key not in found] or allowed
            return InputError(_dotted([*path, wrong]), "an unknown key", suggestion(wrong, free), file=file)
        case "required" | "dependentRequired":
            needed = error.validator_value
            if error.validator == "dependentRequired":
                needed = [key for given, keys in needed.items() if given in found for key in keys]
            missing = next(key for key in needed if key not in found)
            allowed = _allowed(_resolve(validator, schema.get("properties", {}).get(missing, {})))
            return InputError(_dotted([*path, missing]), "nothing", f"this key, {allowed}", file=file)
        case "oneOf":
            keys = [branch["required"][0] for branch in error.validator_value]
            near = [suggestion(key, keys) for key in found if key not in keys]
            near = next((text for text in near if "did you mean" in text), suggestion("", keys))
            return InputError(_dotted(path), _show(found), f"exactly {near}", file=file)
        case "enum" if "description" not in schema:
            return InputError(
                _dotted(path), _show(found), suggestion(found, error.validator_value), file=file
            )
        case "uniqueItems":
            twice = next(item for index, item in enumerate(found) if item in found[:index])
            return InputError(_dotted(path), f"{_show(twice)} twice", "each item once", file=file)
        case "not":
            (key,) = error.validator_value["required"]
            return InputError(_dotted([*path, key]), _show(found[key]), "no such key here", file=file)
        case "minItems" if not found:
            return InputError(_dotted(path), "an empty list", _allowed(schema), file=file)
        case "minProperties":
            return InputError(_dotted(path), "no keys", "at least one", file=file)
        case _:
            expected = _allowed(schema) + _type_hint(found, schema)
            return InputError(_dotted(path), _show(found), expected, file=file)


def _check_plain(value: object, file: str, path: tuple = ()) -> None:
    """Refuse keys that are not text and numbers that are not finite: JSON schemas speak of neither."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(
                    _dotted(path), f"the key {key!r}", "text as key; put it in quotes", file=file
                )
            _check_plain(item, file, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_plain(item, file, (*path, index))
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(_dotted(path), value, "a finite number", file=file)


def _fill(validator: Draft202012Validator, schema: dict, value: object) -> object:
    """Fill in the defaults of a valid value, in place, and return it (whole numbers as int)."""
    if "$ref" in schema:
        value = _fill(validator, _resolve(validator, schema), value)
    if schema.get("type") == "integer" and isinstance(value, float):
        return int(value)
    for branch in [schema, *schema.get("allOf", [])]:
        if "if" in branch:
            holds = validator.evolve(schema=branch["if"]).is_valid(value)
            value = _fill(validator, branch.get("then" if holds else "else", {}), value)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        value[:] = [_fill(validator, schema["items"], item) for item in value]
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for key, part in properties.items():
            if isinstance(part, dict):
                if key not in value and "default" in part:
                    value[key] = copy.deepcopy(part["default"])
                if key in value:
                    value[key] = _fill(validator, part, value[key])
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            for key in value.keys() - properties.keys():
                value[key] = _fill(validator, others, value[key])
    return value


def validate(kind: str, value: object, file: str | Path) -> dict:
    """A copy of `value` with the schema's defaults filled in.

    Parameters
    ----------
    kind : models, datasets, corpora or config: the schema
    value : what stands in the file
    file : its name, for an error

    Raises
    ------
    InputError : the first fault: wrong type, wrong key (with the nearest), wrong value, missing key.
    """
    file = str(file)
    _check_plain(value, file)
    validator = _validator(kind)
    faults = sorted(validator.iter_errors(value), key=lambda error: PRECEDENCE.get(error.validator, 3))
    if faults:
        raise _input_error(faults[0], validator, file)
    return _fill(validator, validator.schema, copy.deepcopy(value))


# ---- cards -----------------------------------------------------------------------------------------------


def card_names(kind: str, root: str | Path) -> list[str]:
    """Names of the cards of a kind (models, datasets or corpora) below the project folder `root`."""
    return sorted(path.stem for path in Path(root, "resources", kind).glob("*.yaml"))


def check_card_name(kind: str, name: str, file: str | Path, field: str) -> None:
    """Refuse what cannot name a card, since files and folders are called after it.

    Parameters
    ----------
    kind : models or datasets
    name : of a card
    file, field : where the name stands, for an error
    """
    schema = _validator("config").schema["$defs"]["name"]
    if not re.search(schema["pattern"], name):
        raise InputError(field, repr(name), schema["description"], file=file)
    if name in RESERVED[kind]:
        raise InputError(field, repr(name), "a name that no file or folder of results/ has", file=file)


def load_card(kind: str, name: str, root: str | Path) -> dict:
    """Read `resources/KIND/NAME.yaml` below `root`, check it and fill in its defaults.

    Parameters
    ----------
    kind : models, datasets or corpora
    name : name of the card
    root : project folder

    Returns
    -------
    card : dict of plain types, mappings in the order of their keys

    Raises
    ------
    InputError : no such card (with the nearest), or a fault in it.
    """
    file = f"resources/{kind}/{name}.yaml"
    names = card_names(kind, root)
    if name not in names:
        raise InputError("card", "no such file", suggestion(name, names), file=file)
    card = validate(kind, read_yaml(Path(root, file), file), file)
    if kind == "models":
        check_patterns(card.get("weights", {}), file)
    corpus = card.get("weights", {}).get("training", {}).get("corpus") if kind == "models" else None
    if corpus is not None and corpus not in card_names("corpora", root):
        expected = suggestion(corpus, card_names("corpora", root))
        raise InputError("weights.training.corpus", repr(corpus), expected, file=file)
    return canonical(card)


def card_files(card: dict) -> dict[str, dict]:
    """Files that a model or data set downloads.

    Parameters
    ----------
    card : from `load_card`

    Returns
    -------
    files : name below results/downloads/CARD -> {url, sha256 (None where it is not known)}; for a file that
        needs an account {account, sha256}, without a url
    """
    entries = list(card.get("files", []))
    if "url" in card.get("weights", {}):
        entries.append(card["weights"])
    files = {}
    for entry in entries:
        if "url" in entry:
            files[entry["file"]] = {"url": entry["url"], "sha256": entry.get("sha256")}
            continue
        if "account" in entry:
            files[entry["file"]] = {"account": entry["account"], "sha256": entry.get("sha256")}
            continue
        folder = entry["folder"] + "/" if "folder" in entry else ""
        for name, sha256 in entry["sha256"].items():
            url = entry["base_url"].rstrip("/") + "/" + urllib.parse.quote(name)
            files[folder + name] = {"url": url, "sha256": sha256}
    return files


def bids_source(name: str, card: dict) -> dict:
    """Where the raw BOLD of a data set lies, and whose it is.

    Parameters
    ----------
    name : of the data set
    card : from `load_card`, of the loader bids, or simulated (its BIDS folder is a result of the workflow)

    Returns
    -------
    dict of folder, subjects (labels without sub-), rois and options as the loader bids has them; for a
    simulated data set also simulated, what its card says

    Raises
    ------
    InputError : no such folder, no subjects in it, or one of those named is not there.
    """
    if card["loader"] == "simulated":
        mask = "derivatives/rois/sub-{subject}/anat/sub-{subject}_label-%s_mask.nii.gz"
        rois = {roi: {"mask": mask % roi} for roi in card["rois"]}
        folder = f"results/{name}/bids"
        as_bids = {key: card[key] for key in ("description", "citation", "licence")}
        as_bids |= {"loader": "bids", "path": folder, "rois": rois, "options": {"task": "images"}}
        subjects = [f"{subject:02d}" for subject in range(1, card["options"].get("subjects", 1) + 1)]
        # what made the folder stands in the provenance of what is read from it
        made_by = {"simulated": {"rois": card["rois"], "options": card["options"]}}
        card = validate("datasets", as_bids, folder)
    else:
        made_by = {}
        folder = str(Path(card["path"]).expanduser())
        file = f"resources/datasets/{name}.yaml"
        if not Path(folder).is_dir():
            raise InputError("path", f"no folder {card['path']}", "a BIDS folder", file=file)
        present = sorted(p.name.removeprefix("sub-") for p in Path(folder).glob("sub-*") if p.is_dir())
        if not present:
            raise InputError("path", f"no folder sub-* in {card['path']}", "a BIDS folder", file=file)
        subjects = card["options"]["subjects"] or present
        for index, subject in enumerate(subjects):
            if subject not in present:
                expected = suggestion(subject, present)
                raise InputError(f"options.subjects[{index}]", repr(subject), expected, file=file)
    source = {"folder": folder, "subjects": subjects, "rois": card["rois"], "options": card["options"]}
    return canonical(source | made_by)


def bids_files(source: dict, subjects: list[str], images: bool) -> list[str]:
    """Files below a BIDS folder whose change makes results out of date.

    Parameters
    ----------
    source : from `bids_source`
    subjects : labels
    images : those of the stimuli and their table with the events, instead of the BOLD with all that its
        betas are made of
    """
    folder, options = Path(source["folder"]), source["options"]
    derivatives = [folder / options["derivatives"]] if options["derivatives"] else []
    task = f"*task-{options['task']}_*"
    found = set()
    for subject in subjects:
        for place in [folder, *derivatives]:
            for func in [f"sub-{subject}/func", f"sub-{subject}/ses-*/func"]:
                found |= set(place.glob(f"{func}/{task}_events.tsv" if images else f"{func}/{task}"))
        if not images:
            for roi in source["rois"].values():
                name = roi["mask"] if "mask" in roi else roi["atlas"]
                found.add(folder / name.replace("{subject}", subject))
    if images:
        found |= set((folder / options["stimuli"]).glob("*"))
        found |= {folder / options["table"]} if options["table"] else set()
    else:
        found |= set(folder.glob("*_bold.json"))
    # what is missing is reported by the job that reads it
    return sorted(str(path) for path in found if path.is_file())


def place_corpus(card: dict, name: str, folder: str | None, source: str) -> dict:
    """The card of a corpus, with the folder that the configuration gives it.

    Parameters
    ----------
    card : from `load_card`
    name : of the corpus
    folder : with its images, or None; takes the place of a download
    source : name of the configuration file, for an error

    Raises
    ------
    InputError : a folder for a corpus that is made here, no such folder, or none where one is needed.
    """
    field = f"corpora.{name}"
    if folder and card["kind"] == "procedural":
        raise InputError(field, repr(folder), "no folder: these images are made here", file=source)
    folder = folder or card["options"].get("folder")
    if folder is None:
        if card["kind"] == "imagefolder":
            raise InputError(field, "nothing", "the folder of the images", file=source)
        return card
    if not Path(folder).expanduser().is_dir():
        raise InputError(field, repr(folder), "an existing folder", file=source)
    options = card["options"] | {"folder": str(Path(folder).expanduser())}
    return card | {"kind": "imagefolder", "options": options, "files": []}


# ---- configuration ---------------------------------------------------------------------------------------


def _check_roles(roles: dict, models: list[str], file: str | Path) -> None:
    """Every network that plays a part in the claims is in the study, and no network plays two parts."""
    absent, kept, parts = [], {}, {}
    for role, value in roles.items():
        names = value if isinstance(value, list) else [value]
        present = [name for name in names if name in models]
        kept[role] = (present if isinstance(value, list) else next(iter(present), None)) or None
        absent += [f"{name} ({role})" for name in names if name is not None and name not in models]
        for name in present:
            if name in parts:
                found = f"{name!r}, also {parts[name]}"
                raise InputError(f"claims.models.{role}", found, "another network for each part", file=file)
            parts[name] = role
    if absent:
        near = difflib.get_close_matches(absent[0].split()[0], models, n=1, cutoff=0.5)
        written = ", ".join(f"{role}: {_flow(names)}" for role, names in kept.items())
        expected = f"networks of `models` ({', '.join(models)}), or null for a part that none of them plays"
        expected += (
            f"; did you mean {near[0]}?" if near else ""
        ) + "; write, with your own where you have one: "
        raise InputError(
            "claims.models", ", ".join(absent), expected + f"claims: {{models: {{{written}}}}}", file=file
        )


def _flow(names: list[str] | str | None) -> str:
    """A value as YAML has it in one line."""
    return f"[{', '.join(names)}]" if isinstance(names, list) else names or "null"


def load_config_checked(config: dict, root: str | Path, file: str | Path = "config.yaml") -> dict:
    """The configuration with its defaults, checked against its schema and the cards.

    Parameters
    ----------
    config : what Snakemake read from the configuration file(s) and the command line
    root : project folder
    file : name of the configuration file, for an error

    Raises
    ------
    InputError : a fault in the configuration or in the card of one of its data sets; a name without a card;
        a name that cannot be one; a ROI of the claims that no configured data set has; a network of the
        claims that is not in the study, or plays two parts.
    """
    config = validate("config", config, file)
    for kind in ("datasets", "models"):
        names = card_names(kind, root)
        for index, name in enumerate(config[kind]):
            field = f"{kind}[{index}]"
            if name not in names:
                raise InputError(
                    field, repr(name), f"a card of resources/{kind}: {suggestion(name, names)}", file=file
                )
            check_card_name(kind, name, file, field)
            if kind == "models" and name in config["datasets"]:
                raise InputError(field, f"{name!r}, also a data set", "names that differ", file=file)
    rois = {roi for name in config["datasets"] for roi in load_card("datasets", name, root)["rois"]}
    for place, roi in config["claims"]["rois"].items():
        if roi is not None and roi not in rois:
            expected = f"{suggestion(roi, sorted(rois))}; or null, where no ROI plays this part"
            raise InputError(f"claims.rois.{place}", repr(roi), expected, file=file)
    for name in config["corpora"]:
        if name not in card_names("corpora", root):
            expected = suggestion(name, card_names("corpora", root))
            raise InputError(
                f"corpora.{name}", repr(name), f"a card of resources/corpora: {expected}", file=file
            )
    _check_roles(config["claims"]["models"], config["models"], file)
    return canonical(config)


def merged_config(root: str | Path, studies: list[str]) -> dict:
    """The checked configuration of config.yaml and its overlays, as Snakemake merges them.

    Parameters
    ----------
    root : project folder
    studies : overlays in their order, as after `--configfile`
    """

    def merge(base: dict, over: dict) -> None:
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                merge(base[key], value)
            else:
                base[key] = value

    config = read_yaml(Path(root, "config.yaml"), "config.yaml")
    for study in studies:
        merge(config, read_yaml(study, study))
    return load_config_checked(config, root, studies[-1] if studies else "config.yaml")
