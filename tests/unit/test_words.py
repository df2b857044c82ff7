"""Words of errors count in no fingerprint, and whatever may compute counts."""

import ast
import re
from pathlib import Path

import pytest

from cortexrsa import code, words

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def counted(source: str) -> str:
    return code._parsed(Path("m.py"), source.encode())[0]


def function(body: str, before: str = "") -> str:
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return (
        f"from cortexrsa.errors import InputError, reason, suggestion\n\n{before}\n\ndef f(x, y):\n{lines}\n"
    )


# ---- what is left out ------------------------------------------------------------------------------------

PLAIN = """
found = "OLD"
if x:
    raise InputError("x", found, "y")
return x
"""


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        PLAIN.replace('"OLD"', 'f"OLD {x.shape} {len(x) - 1:g} {y!r}"'),
        PLAIN.replace('"OLD"', '"OLD" if x > 1 else "other"'),
        PLAIN.replace('"OLD"', '"OLD" * (len(x) > 1)'),
        # branches and additions
        'found = "no"\nif x:\n    found += " OLD"\nelse:\n    found = f"{y} OLD"\nraise InputError(found)',
        'for k in x:\n    if k:\n        expected = "OLD"\n        raise InputError(k, expected)\nreturn y',
        # one message in another
        'more = "OLD"\nif x:\n    raise InputError("x", f"none{more}")\nreturn x',
        'more = "OLD"\nfound = f"none {more}"\nif x:\n    raise InputError(found)\nreturn x',
        # before the error alone: what is listed there is used no more
        'if x:\n    found = ", ".join(sorted(y)) + "OLD"\n    raise InputError("x", found)\nreturn y',
        'if x:\n    found = f"OLD {x[0]} {(~x).sum()} {suggestion(x, list(y))}"\n    raise InputError(found)',
        'if x:\n    found = f"OLD {x[0]}"\n    if y:\n        found += f"{y}"\n    raise InputError(found)',
        'try:\n    return g(x)\nexcept OSError as e:\n    a = f"OLD {reason(e)}"\n    raise InputError(a)',
        'match x:\n    case 1:\n        found = "OLD"\n        raise InputError(found)\nreturn x',
        # a subclass, whose expectation is a message
        'if x:\n    expected = "OLD"\n    raise _NoRuns("x", y, expected)\nreturn x',
        'raise _NoRuns("x", y, "OLD", file=x)',
        'if x:\n    raise errors.InputError("x", y, "OLD")\nreturn x',
    ],
)
def test_words_of_errors_count_nothing(body):
    source = function(body)
    assert counted(source) == counted(source.replace("OLD", "NEW"))
    # what is tested for, and what is done, counts
    assert counted(source) != counted(source.replace("raise", "print(x); raise", 1))
    assert "if x" not in source or counted(source) != counted(source.replace("if x", "if not x"))


def test_a_message_may_go_inside_the_error():
    beside = function('if x:\n    found = f"{x} of {y}"\n    raise InputError("x", found)\nreturn x')
    inside = function('if x:\n    raise InputError("x", "other words")\nreturn x')
    assert counted(beside) == counted(inside)


# ---- what counts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        # used elsewhere, too
        PLAIN.replace("return x", "return found"),
        PLAIN.replace("return x", "return x + len(found)"),
        PLAIN.replace("return x", 'return f"{found} of {x}"'),
        PLAIN.replace("if x:", "if found == y:"),
        PLAIN.replace("return x", "return [found + name for name in x]"),
        PLAIN.replace("return x", "return [x for found in y for x in found]"),
        PLAIN.replace("return x", "return {name: 1 for name in x if name != found}"),
        PLAIN.replace("return x", "del found\nreturn x"),
        PLAIN.replace("return x", "print(found)\nreturn x"),
        PLAIN.replace("return x", "warn(found)\nreturn x"),
        PLAIN.replace("return x", "yield found"),
        PLAIN.replace("return x", "x[found] = 1\nreturn x"),
        PLAIN.replace("return x", "return locals()"),
        PLAIN.replace("return x", "return eval(y)"),
        'more = "OLD"\nfound = f"none {more}"\nif x:\n    raise InputError(found)\nreturn more',
        'more = "OLD"\nfound = f"none {more}"\nif x:\n    raise InputError(found)\nreturn found',
        # seen by a function within, or seen from it
        PLAIN.replace("return x", "def inner():\n    return found\nreturn inner"),
        PLAIN.replace("return x", "return lambda: found"),
        PLAIN.replace("return x", "def inner():\n    raise InputError(found)\nreturn inner"),
        PLAIN.replace("return x", "def inner():\n    nonlocal found\nreturn inner"),
        PLAIN.replace("return x", "class Inner:\n    a = found\nreturn Inner"),
        "global found\n" + PLAIN,
        'class Inner:\n    found = "OLD"\nif x:\n    raise InputError(found)',
        # other ways to bind a name
        PLAIN.replace('found = "OLD"', 'found: str = "OLD"'),
        PLAIN.replace('found = "OLD"', 'found, other = "OLD", 1'),
        PLAIN.replace('found = "OLD"', 'found = other = "OLD"'),
        PLAIN.replace('found = "OLD"', 'found = (other := "OLD")'),
        PLAIN.replace('found = "OLD"', 'g(found := "OLD")'),
        PLAIN.replace('found = "OLD"', 'x.found = "OLD"').replace(", found", ", x.found"),
        PLAIN.replace('found = "OLD"', 'x["found"] = "OLD"').replace(", found", ', x["found"]'),
        PLAIN.replace('found = "OLD"', 'found = "OLD"\nfor found in y:\n    pass'),
        PLAIN.replace('found = "OLD"', 'found = "OLD"\nwith y as found:\n    pass'),
        PLAIN.replace('found = "OLD"', 'found = "OLD"\nimport os as found'),
        PLAIN.replace('found = "OLD"', 'found = "OLD"\nmatch y:\n    case [*found]:\n        pass'),
        PLAIN.replace('found = "OLD"', 'found = "OLD"\ntry:\n    g()\nexcept OSError as found:\n    pass'),
        'x = "OLD"\nif y:\n    raise InputError(x)\nreturn y',
        # what may do more than say something
        PLAIN.replace('"OLD"', 'g("OLD")'),
        PLAIN.replace('"OLD"', 'f"{g(x)} OLD"'),
        PLAIN.replace('"OLD"', 'f"{x.pop()} OLD"'),
        PLAIN.replace('"OLD"', 'f"{x[0]} OLD"'),
        PLAIN.replace('"OLD"', '", ".join(x) + "OLD"'),
        PLAIN.replace('"OLD"', 'f"{1 in x} OLD"'),
        PLAIN.replace('"OLD"', 'f"{sorted(x)} OLD"'),
        PLAIN.replace('"OLD"', 'f"{(yield x)} OLD"'),
        PLAIN.replace('"OLD"', '["OLD"]'),
        PLAIN.replace('"OLD"', 'x or "OLD"'),
        PLAIN.replace('"OLD"', 'x\nfound += "OLD"'),
        PLAIN.replace('"OLD"', '"none"\nfound *= len("OLD")'),
        'if x:\n    found = f"{g(x)} OLD"\n    raise InputError(found)\nreturn x',
        'if x:\n    found = f"{x.replace(y)} OLD"\n    raise InputError(found)\nreturn x',
        'if x:\n    found = f"{sorted(y, key=g)} OLD"\n    raise InputError(found)\nreturn x',
        'if x:\n    found = f"{list(map(g, y))} OLD"\n    raise InputError(found)\nreturn x',
        'if x:\n    found = f"{y.join(x)} OLD"\n    raise InputError(found)\nreturn x',
        'if x:\n    raise InputError((y := "OLD"))\nreturn y',
        # an error does not follow, or is caught, and the list may be used up
        'found = f"{list(y)} OLD"\nif x:\n    raise InputError(found)\nreturn y',
        'for k in x:\n    a = f"{list(y)} OLD"\n    if k:\n        break\n    raise InputError(a)\nreturn y',
        'try:\n    found = f"{list(y)} OLD"\n    raise InputError(found)\nexcept InputError:\n    return y',
        'with suppress(InputError):\n    found = f"{list(y)} OLD"\n    raise InputError(found)\nreturn y',
        'try:\n    g()\nfinally:\n    a = f"{y[0]} OLD"\n    if x: raise InputError(a)\n    return y',
        'try:\n    found = f"{x.a} OLD"\nexcept AttributeError:\n    return y\nraise InputError(found)',
        # another error, and what a warning says
        PLAIN.replace("InputError", "ValueError"),
        'if x:\n    found = "OLD"\n    raise _NoRuns("x", found, "y")\nreturn x',
        'raise _NoRuns("x", "OLD", y)',
    ],
)
def test_what_may_compute_counts(body):
    source = function(body)
    ast.parse(source)
    assert counted(source) != counted(source.replace("OLD", "NEW"))


@pytest.mark.parametrize(
    "before",
    [
        "def sorted(x):\n    x.clear()",
        "class sorted:\n    pass",
        "from a import b as sorted",
        "from a import *",
        "sorted = 1",
        "def g(sorted):\n    pass",
        "try:\n    pass\nexcept OSError as sorted:\n    pass",
    ],
)
def test_functions_that_a_module_makes_itself_are_not_known(before):
    body = 'if x:\n    found = f"OLD {sorted(y)}"\n    raise InputError(found)\nreturn y'
    assert counted(function(body)) == counted(function(body.replace("OLD", "NEW")))
    assert counted(function(body, before)) != counted(function(body.replace("OLD", "NEW"), before))


def test_texts_of_modules_and_classes_count():
    for source in ('found = "OLD"\nraise InputError(found)\n', 'class A:\n    a = "OLD"\n'):
        assert counted(source) != counted(source.replace("OLD", "NEW"))


def test_all_kinds_of_errors_are_known():
    sources = [path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.py")]
    kinds = {name for source in sources for name in re.findall(r"^ *class (\w+)\(InputError\)", source, re.M)}
    assert kinds | {"InputError"} == words.ERRORS
