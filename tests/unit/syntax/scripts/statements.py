"""Statements and expressions, each at least once."""

from __future__ import annotations

import contextlib as context, os.path
import dataclasses
from collections.abc import (
    Callable,
    Iterator as It,
)
from sys import *

import helpers
from helpers import more as and_more

COUNT: int = 0
UNSET: dict[str, list[int | None]]
(PARENTHESISED): int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record(dict, metaclass=type):
    """A docstring."""

    name: str
    values: tuple[float, ...] = ()
    function: Callable[..., int] | None = None

    @property
    def total(self) -> float:
        """Another."""
        return sum(self.values)

    @staticmethod
    def only_a_docstring():
        """Counts as `pass`."""


class Empty:
    """Nothing else."""


class Bare(Empty): ...


def arguments(a, b=1, /, c: int = 2, *rest: int, d, e="x", **others: str) -> tuple[int, ...] | None:
    global COUNT
    COUNT += 1

    def inner():
        nonlocal a
        a = a if a else b
        return a

    del rest, others
    assert c, "a message"
    return inner(), *(d, e)


def keyword_only(*, x=None): return x


def generator(n) -> It[int]:
    received = yield
    yield n
    yield from range(n)
    return received


async def coroutine(source):
    async with source as opened, opened.more():
        async for item in opened:
            await item
        else:
            pass
    return [item async for item in source if await item]


def flow(values, *more):
    for index, (first, *others) in enumerate(values):
        if index == 0 or not first:
            continue
        elif index > 10 and others is not None:
            break
        else:
            pass
    else:
        index = None
    while (n := len(values)) > 3:
        values.pop()
    else:
        n -= 1
    try:
        raise ValueError("words") from None
    except (KeyError, ValueError) as error:
        raise
    except Exception:
        raise RuntimeError
    else:
        pass
    finally:
        print(n)
    try:
        pass
    except* OSError as group:
        print(group)
    except* (TypeError, ValueError):
        pass
    with open("a") as a, open("b"):
        pass
    with (
        open("a") as a,
        context.suppress(OSError),
    ):
        pass
    with (open("a")) as a:
        pass
    return


def patterns(value):
    match value:
        case 0 | -1 | 1 + 2j | "text" | b"bytes" | None | True:
            return "constants"
        case [first, *_] | (first, _, *_) if first > 1:
            return first
        case [1, *rest]:
            return rest
        case {"key": item, **others}:
            return item, others
        case Record(name="x", values=(1, 2)) | Record(name=str()):
            return "class"
        case helpers.CONSTANT | Bare():
            return "value"
        case str() as text:
            return text
        case (1 | 2) as number:
            return number
        case name:
            return name
    match value, 1:
        case _, _:
            return None


def expressions(a, b, *c, **d):
    arithmetic = a + b - a * b / a // b % a ** b @ a << 1 >> 2 | a & b ^ ~a
    comparison = a < b <= 3 != 4 == 5 >= 6 > 7, a is b, a is not b, a in c, a not in c
    logic = (a and b) or not (a or b)
    a += 1; a -= 1; a *= 2; a /= 2; a //= 2; a %= 2; a **= 2; a @= 2; a <<= 1; a >>= 1; a |= 1; a &= 1; a ^= 1
    x = y = z = 1
    x, (y, *z) = 1, (2, 3)
    [p, q] = c
    slices = c[1], c[1:], c[:1], c[::2], c[1:2:3], c[..., None, 1:2], c[(1, 2)], c[*c], c[:, 0]
    sets = {1, 2, *c}, {"a": 1, **d, "b": 2}, {}, [], (), (1,), [*c, 1]
    comprehensions = (
        [i for i in c],
        {i for i in c if i if i > 1},
        {i: j for i, j in zip(c, c) for _ in c},
        (i for i in c),
        [[i for i in row] for row in c],
    )
    lambdas = lambda: 0, lambda x, /, y=1, *z, k, m=2, **w: (x, y), lambda *, k: k
    calls = print(*c, sep="", **d), print(a, *c, *c, end="", **d, **d), c.index(1), c[0](1)(2)
    conditional = 1 if a else 2 if b else 3
    if (walrus := a) and (other := b):
        pass
    chained = a.b.c.d[0].e(f=1).g
    print((yield_ := 1), arithmetic, comparison, logic, slices, sets, comprehensions, lambdas, calls)
    return conditional, walrus, other, chained, x, y, z, p, q


if __name__ == "__main__":
    print(COUNT, os.path, and_more, helpers)
