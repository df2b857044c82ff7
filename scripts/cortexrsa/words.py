"""Words of errors in a syntax tree: what a person reads of a failure, and no result depends on.

All rules here are cautious: what may compute stays. A sentence that stays costs a rerun. Code that is left
out would leave a stale result in its place.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

# how many arguments of these calls count: what follows, and what is given by name, is what a person reads.
# What `_NoRuns` found is told in warnings too
COUNTED = {"InputError": 0, "_NoRuns": 2, "Column": 1, "Table": 2}
ERRORS = {"InputError", "_NoRuns"}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef)
# what may give a name to something
BINDERS = (
    *(*FUNCTIONS, ast.ClassDef, ast.arg, ast.Name, ast.Import, ast.ImportFrom),
    *(ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping),
)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
# what an expression may do besides having a value
EFFECTS = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)
LEAVES = (ast.Return, ast.Break, ast.Continue, ast.Yield, ast.YieldFrom)
# the strings of these nodes are no variables
SPELLED = (ast.Constant, ast.Attribute, ast.keyword)
# functions that see local variables by other ways than their names
FRAMES = {"locals", "vars", "dir", "eval", "exec"}

# what has a value and does nothing else, whatever it is given
PLAIN = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.JoinedStr, ast.FormattedValue, ast.IfExp, ast.BoolOp),
    *(ast.BinOp, ast.UnaryOp, ast.Compare, ast.Tuple, ast.List),
    *(ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop),
)
PLAIN_CALLS = {"len", "str", "repr", "bool"}
# what may use up an iterator, or add a key to a defaultdict: no matter where only an error follows
BEFORE_ERROR = (
    *(*PLAIN, ast.Set, ast.Dict, ast.Subscript, ast.Slice, ast.Starred, ast.keyword),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
)
CALLS_BEFORE_ERROR = PLAIN_CALLS | {
    *("sorted", "list", "tuple", "set", "min", "max", "sum", "abs", "round", "int", "float", "zip", "range"),
    *("map", "type", "suggestion", "reason"),
}
# of texts, dictionaries and arrays; none that an open file, a path, a client or a thread has too
METHODS_BEFORE_ERROR = {
    *("split", "strip", "removeprefix", "removesuffix", "items", "keys", "values", "fromkeys", "is_symlink"),
    *("sum", "min", "max", "mean", "abs", "argmin", "argmax", "idxmin", "idxmax", "ravel", "tolist", "isna"),
}
# where `suggestion` and `reason` come from
WORDING = "cortexrsa.errors"
TEXT_CALLS = {"str", "repr", "suggestion", "reason"}


def leave_out_words(tree: ast.Module) -> None:
    """Take the words of errors and tables out of a syntax tree.

    These are the arguments that `COUNTED` leaves out, and assignments of texts to local variables that
    appear nowhere but in such arguments. Tests and loops around such an assignment stay.
    """
    nodes = list(ast.walk(tree))
    calls = [node for node in nodes if isinstance(node, ast.Call) and _called(node) in COUNTED]
    if not calls:
        return
    functions = [node for node in nodes if isinstance(node, FUNCTIONS)]
    bound = set().union(*(_bound(node) for node in nodes if isinstance(node, BINDERS)))
    # the arguments are looked at before they go
    seen_within = [
        (function, _seen_within(function))
        for function in functions
        if any(function.lineno <= call.lineno <= function.end_lineno for call in calls)
    ]
    for call in calls:
        if _words(call):
            call.args, call.keywords = call.args[: COUNTED[_called(call)]], []
    for function, seen in seen_within:
        # a name that the module gives to anything of its own is no function known here
        _leave_out_assigned(function, seen, bound)


def _bound(node: ast.AST) -> set[str]:
    """Names that a node gives to something, unless it is `suggestion` or `reason` of the project."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        own = getattr(node, "module", None) == WORDING and not node.level
        return set() if own else {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Load) else {node.id}
    # of parameters; of functions, classes, `except ... as` and patterns; of `**rest` in a pattern
    return {getattr(node, field, None) for field in ("arg", "name", "rest")} - {None}


def _called(call: ast.Call) -> str | None:
    return getattr(call.func, "id", getattr(call.func, "attr", None))


def _words(call: ast.Call) -> list[ast.AST]:
    """Arguments of a counted call that are left out; none, if one of them does more than say something."""
    words = [*call.args[COUNTED[_called(call)] :], *call.keywords]
    return [] if any(isinstance(node, EFFECTS) for word in words for node in ast.walk(word)) else words


def _seen_within(function: ast.AST) -> set[str]:
    """Names that a scope within a function has or sees."""
    return _named([node for node in ast.walk(function) if isinstance(node, SCOPES) and node is not function])


def _named(nodes: list[ast.AST], but: Collection[int] = ()) -> set[str]:
    """All names in some nodes: variables, parameters, of `global`, of `except ... as`, of patterns.

    `but` holds the ids of statements that are passed over.
    """
    found, todo = set(), list(nodes)
    while todo:
        node = todo.pop()
        if id(node) in but:
            continue
        for field in node._fields:
            value = getattr(node, field, None)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    todo.append(item)
                elif isinstance(item, str) and not isinstance(node, SPELLED):
                    found.add(item)
    return found


def _statements(body: list[ast.stmt], error_follows: bool = False, caught: bool = False) -> Iterator[tuple]:
    """Statements of a function, without the scopes within it.

    Each with the list that it stands in, whether nothing but an error can follow it, and whether an error
    from it may be caught in the function.
    """
    for statement in reversed(body):
        yield statement, body, error_follows, caught
        leaves = any(isinstance(node, LEAVES) for node in ast.walk(statement))
        for part, part_caught in _parts(statement):
            again = leaves and isinstance(statement, LOOPS)
            within = error_follows and not part_caught and not again
            yield from _statements(part, within, caught or part_caught)
        if _is_error(statement) and not caught:
            error_follows = True
        elif leaves:
            error_follows = False


def _parts(statement: ast.stmt) -> list[tuple[list[ast.stmt], bool]]:
    """Lists of statements within a statement, each with whether an error of it may be caught there."""
    if isinstance(statement, SCOPES):
        return []
    catches = isinstance(statement, ast.With | ast.AsyncWith) or bool(getattr(statement, "handlers", []))
    found = [(getattr(statement, "body", []), catches)]
    # what `finally` does may follow any part
    after = bool(getattr(statement, "finalbody", []))
    for part in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        found.append((part.body, after))
    found += [(getattr(statement, field, []), after) for field in ("orelse", "finalbody")]
    return [(body, caught or after) for body, caught in found]


def _is_error(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Raise)
        and isinstance(statement.exc, ast.Call)
        and _called(statement.exc) in ERRORS
    )


def _assigned(statement: ast.stmt) -> str | None:
    """Name of the variable, of `name = value` and `name += value` alone."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        target = statement.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _harmless(value: ast.expr, error_follows: bool, caught: bool, bound: set[str]) -> bool:
    """Whether computing a value does nothing else; `bound` are names of the module's own."""
    if caught and not error_follows:
        # a failure of it could choose what comes next
        return isinstance(value, ast.Constant)
    allowed = BEFORE_ERROR if error_follows else PLAIN
    for node in ast.walk(value):
        if isinstance(node, ast.Call):
            if not _harmless_call(node, error_follows, bound):
                return False
        elif not isinstance(node, allowed) or (isinstance(node, ast.In | ast.NotIn) and not error_follows):
            return False
    return True


def _harmless_call(call: ast.Call, error_follows: bool, bound: set[str]) -> bool:
    called = call.func
    # a key to sort by may be any function
    if any(keyword.arg != "default" for keyword in call.keywords):
        return False
    if isinstance(called, ast.Attribute):
        return error_follows and (called.attr in METHODS_BEFORE_ERROR or _joins(call))
    if not isinstance(called, ast.Name) or not bound.isdisjoint((called.id, "*")):
        return False
    if called.id == "map":
        # of functions that are known: not of any other
        first = call.args[0] if call.args else None
        if not (isinstance(first, ast.Name) and first.id in PLAIN_CALLS - bound):
            return False
    if called.id == "type" and len(call.args) != 1:
        return False
    return called.id in (CALLS_BEFORE_ERROR if error_follows else PLAIN_CALLS)


def _joins(call: ast.Call) -> bool:
    """Whether a call is `"...".join(...)`."""
    called = call.func
    return (
        isinstance(called, ast.Attribute)
        and called.attr == "join"
        and isinstance(called.value, ast.Constant)
        and isinstance(called.value.value, str)
    )


def _is_text(value: ast.expr, texts: set[str]) -> bool:
    """Whether a value can be nothing but text; `texts` are variables that hold text."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    if isinstance(value, ast.Name):
        return value.id in texts
    if isinstance(value, ast.IfExp):
        return _is_text(value.body, texts) and _is_text(value.orelse, texts)
    if isinstance(value, ast.BoolOp):
        return all(_is_text(part, texts) for part in value.values)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return _is_text(value.left, texts) and _is_text(value.right, texts)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        return _is_text(value.left, texts)
    if isinstance(value, ast.Call):
        return getattr(value.func, "id", None) in TEXT_CALLS or _joins(value)
    return isinstance(value, ast.JoinedStr)


def _leave_out_assigned(function: ast.AST, seen_within: set[str], bound: set[str]) -> None:
    """Take out assignments of texts to local variables that appear nowhere else in the function."""
    if FRAMES & _named([function]):
        return
    assigned = []
    for statement, block, error_follows, caught in _statements(function.body):
        name = _assigned(statement)
        if name is not None and _harmless(statement.value, error_follows, caught, bound):
            assigned.append((name, statement, block))
    names = {name for name, _, _ in assigned} - seen_within
    while True:
        left_out = {
            id(statement)
            for name, statement, _ in assigned
            if name in names and _is_text(statement.value, names)
        }
        # one that appears elsewhere stays, and then so do those that it is made of
        elsewhere = names & _named([function], left_out)
        if not elsewhere:
            break
        names -= elsewhere
    for _, statement, block in assigned:
        if id(statement) in left_out:
            block.remove(statement)
