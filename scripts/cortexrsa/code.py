"""Fingerprints of code: what a job's result depends on, without comments, formatting and words of errors."""

from __future__ import annotations

import ast
import hashlib
import os
from pathlib import Path

from cortexrsa.errors import InputError
from cortexrsa.words import leave_out_words

IMPORTS = (ast.Import, ast.ImportFrom)
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# what a job says, never what it computes
WORDS_ONLY = {"cortexrsa/errors.py", "cortexrsa/jobs.py"}


def _without_docstring(node: ast.AST) -> list[ast.stmt]:
    """Statements of a module, class or function; a body that was a docstring alone counts as `pass`."""
    body = node.body
    if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
        # only a module may be left with an empty body
        return body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return body


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string with adjacent texts as one: Python 3.12 splits them elsewhere than 3.11 does."""
    parts: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and parts and isinstance(parts[-1], ast.Constant):
            parts[-1] = ast.Constant(parts[-1].value + value.value)
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            parts.append(value)
    return parts


def _write(node: object, parts: list[str], imports: list[ast.stmt]) -> None:
    """Append the names of a syntax tree's nodes and fields, and its constants: the same under every Python.

    `ast.unparse` and `ast.dump` are not: they change from version to version, and new versions add fields,
    which are empty in code that does not use them. Import statements go to `imports` as well. Lists, not a
    generator, since every start of Snakemake waits for this.
    """
    kind = type(node)
    if kind is ast.Constant:
        # text by its code points: which of them repr() escapes depends on the version
        value = node.value
        shown = value.encode("utf-8", "surrogatepass").hex() if isinstance(value, str) else repr(value)
        parts.append(f"({type(value).__name__} {shown})")
    elif kind is list:
        parts.append("[")
        for item in node:
            _write(item, parts, imports)
        parts.append("]")
    elif isinstance(node, ast.AST):
        if kind in IMPORTS:
            imports.append(node)
        parts.append(f"({kind.__name__}")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or name == "kind":
                continue
            if name == "body" and kind in WITH_DOCSTRING:
                value = _without_docstring(node)
            elif kind is ast.JoinedStr:
                value = _joined(value)
            if value != []:
                parts.append(f" {name}=")
                _write(value, parts, imports)
        parts.append(")")
    else:
        parts.append(repr(node))


# what was found in sources, by their hash; see parsed_before.py
PARSED: dict[str, list] = {}


def _parse(path: Path, source: bytes) -> list:
    """Hash and imports (level, module, names) of a Python file."""
    key = hashlib.sha256(source).hexdigest()
    if key not in PARSED:
        PARSED[key] = _parsed(path, source)
    return PARSED[key]


def _parsed(path: Path, source: bytes) -> list:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise InputError(f"line {error.lineno}", error.msg, "valid Python", file=path) from error
    except ValueError as error:
        raise InputError("source", error, "valid Python", file=path) from error
    leave_out_words(tree)
    parts: list[str] = []
    statements: list[ast.stmt] = []
    _write(tree, parts, statements)
    imports = []
    for node in statements:
        if isinstance(node, ast.Import):
            imports += [[0, alias.name, []] for alias in node.names]
        else:
            imports.append([node.level, node.module or "", [alias.name for alias in node.names]])
    return [hashlib.sha256("".join(parts).encode()).hexdigest(), imports]


def python_files(folder: Path) -> set[str]:
    """Paths below a folder of its Python files, and (ending in /) of the folders that hold any."""
    found = set()
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        files = [name for name in names if name.endswith(".py")]
        found |= {(inside / name).as_posix() for name in files}
        if files:
            found |= {f"{parent.as_posix()}/" for parent in (inside, *inside.parents)}
    return found


def _files_of(module: str, there: set[str]) -> list[str]:
    """Files that importing a dotted module runs, of those `there`: its packages' __init__ and itself."""
    found, place = [], ""
    for part in filter(None, module.split(".")):
        place += part
        if f"{place}/__init__.py" in there:
            found.append(f"{place}/__init__.py")
        elif f"{place}.py" in there:
            return [*found, f"{place}.py"]
        elif f"{place}/" not in there:
            break
        place += "/"
    return found


def _imported(name: str, there: set[str], imports: list) -> list[str]:
    """Local files that a file (its path below the folder) imports directly."""
    package = name.split("/")[:-1]
    found = []
    for level, module, names in imports:
        if level:
            module = ".".join([*package[: len(package) - level + 1], *filter(None, [module])])
        for target in [module, *(f"{module}.{name}" for name in names)]:
            found += _files_of(target, there)
    return found


def local_files(script: str | Path, root: str | Path, there: set[str] | None = None) -> dict[str, str]:
    """The script and the local modules that it imports, transitively, with the hash of each one's code.

    Parameters
    ----------
    script : path of the script, relative to `root` or absolute, below `root`/scripts
    root : project folder
    there : `python_files` of `root`/scripts, where they are known already

    Returns
    -------
    hashes : path below `root`/scripts -> sha256 of its code, in the order of the paths; the modules of
        `WORDS_ONLY` are left out, but not what they import

    Raises
    ------
    InputError : a file is missing or is not valid Python (with the line).
    """
    root = Path(root).resolve()
    folder = root / "scripts"
    script = (root / script).resolve()
    if not script.is_file():
        raise InputError("script", "no such file", "a Python script", file=script)
    there = python_files(folder) if there is None else there
    hashes: dict[str, str] = {}
    todo = [script.relative_to(folder).as_posix()]
    while todo:
        name = todo.pop()
        if name not in hashes:
            hashes[name], imports = _parse(folder / name, (folder / name).read_bytes())
            todo += _imported(name, there, imports)
    # in the order of the folders, as paths are sorted
    return {
        name: hashes[name]
        for name in sorted(hashes, key=lambda name: name.split("/"))
        if name not in WORDS_ONLY
    }


def fingerprint(script: str | Path, root: str | Path, there: set[str] | None = None) -> str:
    """Hash of what a script does: its syntax tree and those of the local modules it imports, transitively.

    Comments, formatting, docstrings and the words of errors and tables (see `leave_out_words`) do not count;
    imports inside functions do. Local is what lies below `root`/scripts, which Python searches first.
    Modules imported by a computed name are not seen. The hash is the same under every version of Python.

    Parameters
    ----------
    script, root, there : see `local_files`

    Returns
    -------
    fingerprint : 16 hexadecimal digits of a sha256

    Raises
    ------
    InputError : a file is missing or is not valid Python (with the line).
    """
    digest = hashlib.sha256()
    for name, code in local_files(script, root, there).items():
        digest.update(f"{name}\0{code}\0".encode())
    return digest.hexdigest()[:16]
