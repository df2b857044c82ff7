"""Validation by the schemas of resources/schemas: defaults, and faults in one line."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterable
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cortexrsa.errors import InputError, suggestion
from cortexrsa.formats.yaml_files import read_yaml

HERE = Path(__file__).resolve().parent
# of the project; of the library alone, once it is installed
PLACES = (HERE.parents[1] / "resources/schemas", HERE / "resources/schemas")
SCHEMA_FOLDER = next((folder for folder in PLACES if folder.is_dir()), PLACES[0])
SCHEMAS = {
    "models": "model",
    "datasets": "dataset",
    "corpora": "corpus",
    "claims": "claims",
    "config": "config",
}
DEEPEST = 50  # levels of a card or configuration

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


@functools.cache
def _validator(kind: str) -> Draft202012Validator:
    # that the schemas themselves are valid is for the tests: it would take longer than all cards of a study
    return Draft202012Validator(read_yaml(SCHEMA_FOLDER / f"{SCHEMAS[kind]}.schema.yaml"))


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
    if len(path) > DEEPEST:
        raise InputError("content", "an alias that contains itself", "values that come to an end", file=file)
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
    kind : models, datasets, corpora, claims or config: the schema
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


def definition(kind: str, name: str) -> dict:
    """A part of a schema that has a name of its own."""
    return _validator(kind).schema["$defs"][name]
