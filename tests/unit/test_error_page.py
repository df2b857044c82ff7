"""docs/errors.md and the code know the same messages: no row rots, and no message is missing."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/errors.md").read_text()
ROWS = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
ANY, MOST = "…", 20
# messages whose words all depend on the key: rows on schemas and names tell them
ALL_OPEN = re.compile(rf"{ANY}: found {ANY}, expected {ANY}+")
# front door of the library, whose messages are for programmers; and what passes on messages of others
LEFT_OUT = {"api.py", "dryrun.py"}


def texts(node: ast.expr, values: dict[str, list[ast.expr]], depth: int = 0) -> list[str]:
    """What an expression may say; where only a run can tell, `ANY`."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [texts(part, values, depth) for part in node.values]
        return ["".join(each) for each in itertools.islice(itertools.product(*parts), MOST)]
    if isinstance(node, ast.FormattedValue):
        known = isinstance(node.value, ast.Name | ast.IfExp) and depth < 3
        return texts(node.value, values, depth + 1) if known else [ANY]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        both = itertools.product(texts(node.left, values, depth), texts(node.right, values, depth))
        return ["".join(each) for each in itertools.islice(both, MOST)]
    if isinstance(node, ast.IfExp):
        return texts(node.body, values, depth) + texts(node.orelse, values, depth)
    if isinstance(node, ast.Name) and depth < 3 and node.id in values:
        return [text for value in values[node.id] for text in texts(value, values, depth + 1)][:MOST]
    return [ANY]


def assigned(nodes) -> dict[str, list[ast.expr]]:
    """Names with all that is assigned to them."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        for target in node.targets if isinstance(node, ast.Assign) else []:
            both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            pairs = zip(target.elts, node.value.elts, strict=False) if both else [(target, node.value)]
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, []).append(value)
    return found


def messages(source: str) -> Iterator[tuple[int, list[str]]]:
    """Line and possible words of every `InputError` of a module."""
    tree, seen = ast.parse(source), set()
    everywhere = assigned(tree.body)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        values = everywhere | assigned(ast.walk(function))
        for call in ast.walk(function):
            named = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "InputError"
            if named and (call.lineno, call.col_offset) not in seen:
                seen.add((call.lineno, call.col_offset))
                parts = [texts(argument, values) for argument in call.args]
                if len(parts) == 3:
                    parts = [parts[0], [": found "], parts[1], [", expected "], parts[2]]
                yield (
                    call.lineno,
                    ["".join(each) for each in itertools.islice(itertools.product(*parts), 200)],
                )


def fits(row: str, text: str) -> bool:
    """Whether the words of a row stand in a text, in this order."""
    return re.search(".*?".join(re.escape(part.strip()) for part in row.split(ANY)), text) is not None


MESSAGES = {
    f"{path.relative_to(ROOT / 'scripts')}:{line}": said
    for path in sorted((ROOT / "scripts").rglob("*.py"))
    if path.name not in LEFT_OUT
    for line, said in messages(path.read_text())
}
# of the rules, which are no Python, and of what jobs say of a full disk: their strings as they are joined
SOURCES = [*(ROOT / "rules").rglob("*.smk")]
SOURCES += [ROOT / "scripts/cortexrsa" / name for name in ("jobs.py", "studies.py")]
ELSEWHERE = re.sub(r"\"\s*\n\s*f?\"", "", "\n".join(path.read_text() for path in SOURCES))
ELSEWHERE = re.sub(r"\{[^{}\n]*\}", ANY, ELSEWHERE)


def elsewhere(row: str) -> bool:
    """Whether every part of a row stands in the rules, as a whole or as found and expected."""
    parts = [part.strip() for part in re.split(rf"{ANY}|: found|found|, expected|expected", row)]
    return all(part.strip(" ,:") in ELSEWHERE for part in parts)


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_about_a_message_that_there_is(row):
    assert any(fits(row, text) for said in MESSAGES.values() for text in said) or elsewhere(row)


def test_every_message_is_on_the_page():
    missing = {
        place: said[0]
        for place, said in MESSAGES.items()
        if not any(ALL_OPEN.fullmatch(text) or any(fits(row, text) for row in ROWS) for text in said)
    }
    # a row says the words of the message that do not change, what it means, and what to do
    assert missing == {}


def test_words_of_a_message_are_found():
    source = (
        'def f(a, b):\n    expected = "x" if a else f"y {a} z"\n    found, other = f"one {b}", 2\n'
        '    raise InputError("field", found, expected + "!")\n'
    )
    ((line, said),) = messages(source)
    assert line == 4
    assert said == ["field: found one …, expected x!", "field: found one …, expected y … z!"]
    assert fits("field: found … expected y", said[1])
    assert not fits("expected y … field", said[1])


def test_every_row_says_what_to_do():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(rows) == len(ROWS) == len(set(ROWS))
    assert all(len(cell.strip()) > 3 for row in rows for cell in row.strip("|").split(" | "))
