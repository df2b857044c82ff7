# messages of errors: those that count and those that do not
from cortexrsa.errors import InputError, suggestion


def left_out(x, names, path):
    expected = "one of them"
    for name in names:
        if name not in x:
            found = f"{name!r}, of {len(names)} {'names' if x else f'{x:{len(names)}d}'}"
            more = ", ".join(sorted(map(str, x))) + f"; {suggestion(name, x)}" * bool(names)
            expected += more
            raise InputError(f"name {name}", found, expected, file=path)
    return x


def counted(x, names):
    found = f"{names.pop()} of {x}"
    expected = "one"
    if x:
        raise InputError("x", found, expected)
    return expected
