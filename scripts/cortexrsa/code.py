"""Fingerprints of code: what a job's result depends on, without its comments and formatting."""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

from cortexrsa.files import InputError

WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            # only a module may be left with an empty body
            node.body = node.body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])


@functools.cache
def _parse(path: Path, source: bytes) -> tuple[str, tuple[tuple[int, str, tuple[str, ...]], ...]]:
    """Normalised text and imports (level, module, names) of a Python file."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise InputError(path, f"line {error.lineno}", error.msg, "valid Python") from error
    except ValueError as error:
        raise InputError(path, "source", error, "valid Python") from error
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
    _strip_docstrings(tree)
    return ast.unparse(tree), tuple(imports)


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


def fingerprint(script: str | Path, root: str | Path) -> str:
    """Hash of what a script does: its syntax tree and those of the local modules it imports, transitively.

    Comments, formatting and docstrings do not count; imports inside functions do. Local is what lies below
    `root`/scripts, the folder that Python searches first. Modules imported by a computed name are not seen.

    Parameters
    ----------
    script : path of the script, relative to `root` or absolute, below `root`/scripts
    root : project folder

    Returns
    -------
    fingerprint : 16 hexadecimal digits of a sha256

    Raises
    ------
    InputError : a file is missing or is not valid Python (with the line).
    """
    root = Path(root).resolve()
    folder = root / "scripts"
    script = (root / script).resolve()
    if not script.is_file():
        raise InputError(script, "script", "no such file", "a Python script")
    texts: dict[Path, str] = {}
    todo = [script]
    while todo:
        path = todo.pop()
        if path not in texts:
            texts[path], imports = _parse(path, path.read_bytes())
            todo += _imported(path, folder, imports)
    digest = hashlib.sha256()
    for path in sorted(texts):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{texts[path]}\0".encode())
    return digest.hexdigest()[:16]
