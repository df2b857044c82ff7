CONSTANT = 1


def more(value):
    if value is None:
        raise InputError("field", value, f"words of {CONSTANT:>{CONSTANT}}", file="x")
    return value
