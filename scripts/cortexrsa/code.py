"""Fingerprints of code: what a job's result depends on, without comments, formatting and words of errors."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from cortexrsa.errors import InputError

WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# what a job says, never what it computes
WORDS_ONLY = {"cortexrsa/errors.py", "cortexrsa/jobs.py"}
# how many arguments of these calls count: what follows, and what is given by name, is what a person reads
COUNTED = {"InputError": 0, "Column": 1, "Table": 2}


def _without_docstring(node: ast.AST) -> list[ast.stmt]:
    """Statements of a module, class or function; a body that was a docstring alone counts as `pass`."""
    body = node.body
    if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
        # only a module may be left with an empty body
        return body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return body


def _counted(node: ast.AST) -> int | None:
    """Of a call that takes words for a person, how many of its arguments are none; None of any other node."""
    if not isinstance(node, ast.Call):
        return None
    return COUNTED.get(getattr(node.func, "id", getattr(node.func, "attr", None)))


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string with adjacent texts as one: Python 3.12 splits them elsewhere than 3.11 does."""
    parts: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and parts and isinstance(parts[-1], ast.Constant):
            parts[-1] = ast.Constant(parts[-1].value + value.value)
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            parts.append(value)
    return parts


def _walk(node: object) -> Iterator[str]:
    """The names of a syntax tree's nodes and fields, and its constants: the same under every Python.

    `ast.unparse` and `ast.dump` are not: they change from version to version, and new versions add fields,
    which are empty in code that does not use them.
    """
    if isinstance(node, ast.Constant):
        # text by its code points: which of them repr() escapes depends on the version
        value = node.value
        shown = value.encode("utf-8", "surrogatepass").hex() if isinstance(value, str) else repr(value)
        yield f"({type(value).__name__} {shown})"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(node, WITH_DOCSTRING):
                value = _without_docstring(node)
            elif isinstance(node, ast.JoinedStr):
                value = _joined(value)
            elif name in ("args", "keywords") and (counted := _counted(node)) is not None:
                value = value[:counted] if name == "args" else []
            if value is not None and value != [] and name != "kind":
                yield f" {name}="
                yield from _walk(value)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield from _walk(item)
        yield "]"
    else:
        yield repr(node)


@functools.cache
def _parse(path: Path, source: bytes) -> tuple[str, tuple[tuple[int, str, tuple[str, ...]], ...]]:
    """Hash and imports (level, module, names) of a Python file."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise InputError(f"line {error.lineno}", error.msg, "valid Python", file=path) from error
    except ValueError as error:
        raise InputError("source", error, "valid Python", file=path) from error
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
    return hashlib.sha256("".join(_walk(tree)).encode()).hexdigest(), tuple(imports)


def _files_of(module: str, folder: Path) -> list[Path]:
    """Files that importing the dotted `module` below `folder` runs: its packages' __init__ and itself."""
    found, place = [], folder
    for part in filter(None, module.split(".")):
        place = place / part
        if (place / "__init__.py").is_file():
            found.append(place / "__init__.py")
        elif place.with_name(part + ".py").is_file():
            return [*found, place.with_name(part + ".py")]
        elif not place.is_dir():
            break
    return found


def _imported(path: Path, folder: Path, imports: tuple) -> list[Path]:
    """Local files that a file imports directly, as absolute paths."""
    package = path.parent.relative_to(folder).parts
    found = []
    for level, module, names in imports:
        if level:
            module = ".".join([*package[: len(package) - level + 1], *filter(None, [module])])
        for target in [module, *(f"{module}.{name}" for name in names)]:
            found += _files_of(target, folder)
    return found


def local_files(script: str | Path, root: str | Path) -> dict[str, str]:
    """The script and the local modules that it imports, transitively, with the hash of each one's code.

    Parameters
    ----------
    script : path of the script, relative to `root` or absolute, below `root`/scripts
    root : project folder

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
    hashes: dict[Path, str] = {}
    todo = [script]
    while todo:
        path = todo.pop()
        if path not in hashes:
            hashes[path], imports = _parse(path, path.read_bytes())
            todo += _imported(path, folder, imports)
    named = {path.relative_to(folder).as_posix(): hashes[path] for path in sorted(hashes)}
    return {name: value for name, value in named.items() if name not in WORDS_ONLY}


def fingerprint(script: str | Path, root: str | Path) -> str:
    """Hash of what a script does: its syntax tree and those of the local modules it imports, transitively.

    Comments, formatting, docstrings and the words of errors and tables (see `COUNTED`) do not count; imports
    inside functions do. Local is what lies below `root`/scripts, the folder that Python searches first.
    Modules imported by a computed name are not seen. The hash is the same under every version of Python.

    Parameters
    ----------
    script, root : see `local_files`

    Returns
    -------
    fingerprint : 16 hexadecimal digits of a sha256

    Raises
    ------
    InputError : a file is missing or is not valid Python (with the line).
    """
    digest = hashlib.sha256()
    for name, code in local_files(script, root).items():
        digest.update(f"{name}\0{code}\0".encode())
    return digest.hexdigest()[:16]
