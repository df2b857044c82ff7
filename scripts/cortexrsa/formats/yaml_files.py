"""YAML files, read strictly: each key once, and numbers as YAML 1.2 has them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from cortexrsa.errors import InputError


# in C, where PyYAML has it: hundreds of cards may be read at the start of every job on a cluster
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML with unique keys, in which 1e-3 is a number (as in YAML 1.2; PyYAML reads text)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _unique_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict:
    seen = set()
    for key_node, _ in node.value:
        mark = key_node.start_mark
        if not isinstance(key_node, yaml.ScalarNode):
            kind = "list" if isinstance(key_node, yaml.SequenceNode) else "mapping"
            raise yaml.MarkedYAMLError(problem=f"a {kind} in the place of a key", problem_mark=mark)
        if key_node.value in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {key_node.value!r} twice", problem_mark=mark)
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
    InputError : the file cannot be read, its syntax is wrong (with the line), or a mapping has a key twice
        or one that is no scalar.
    """
    shown = path if shown is None else shown
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        field = f"line {mark.line + 1}" if mark else "YAML"
        syntax = isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError)
        found = f"a syntax error ({error.problem})" if syntax else error.problem.removeprefix("found ")
        raise InputError(field, found, "valid YAML with unique keys", file=shown) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("YAML", " ".join(str(error).split()), "valid YAML in UTF-8", file=shown) from error
    except OSError as error:
        raise InputError("file", error.strerror, "a readable YAML file", file=shown) from error


def read_mapping(path: str | Path, shown: str | Path | None = None) -> dict:
    """Content of a YAML file that holds keys and values; see `read_yaml`."""
    content = read_yaml(path, shown)
    if not isinstance(content, dict):
        raise InputError("content", type(content).__name__, "a mapping of keys to values", file=shown or path)
    return content
