"""Texts and numbers: what the versions of Python write or split differently."""

name, width, table, x, y, rows = "layer1", 8, {"key": "value"}, 3.14159, 2, [1, 2]

plain = f"{name}"
empty, constant = f"", f"no field"
several = f"{name}: {x} of {len(rows)} layers, {table['key']!r}"
converted = f"{x!r} {x!s} {x!a} {x:} {x!r:}"
formatted = f"{x:.3f}|{x:>10.2e}|{y:04d}|{y:,}|{x:.0%}|{y:+d}|{y:#x}"
nested = f"{x:{width}.{y}f}|{name:{'<'}{width}}|{x!r:>{width}}|{name:>{width + 2}}"
braces = f"{{literal}} {{{name}}} {{{{ {{x}} }}}} {{{{}}}}{{"
debug = f"{x=} {x = } {name=!s} {x=:.2f}"
inner = f"{', '.join(f'{row:>{width}}' for row in rows)} {f'{y}'}"
called = f"{max(rows, key=lambda row: -row)} {(lambda: 1)()} {[row for row in rows if row]} {({1: 2})[1]}"
conditional = f"{'one' if y == 1 else 'several'} {y + 1} {rows[0]:d} {-y} {not y} {rows[-1:]}"
escaped = f"tab\t{name}\n\x41\u00e9\N{GREEK SMALL LETTER DELTA}{{\\"
raw = rf"\d{{3}}\w+{name}\n"
raw_bytes = rb"\x00\d" + b"\x00\xff\\'\"" b" and more"
implicit = "one " "two " f"{name} " "three " f"{x:.2f}" " four"
implicit_format = f"a{x}" f"b" "c" f"{y}d" "{not_a_field}" f"{{"
spread = (
    f"{name} over"
    " several "
    f"lines: {x:.{y}f}"
    "\n"
)
triple = f"""
    {name}: {
        x
    }
    "quoted" {table["key"]}
"""
quotes = 'it\'s "quoted"' + "it's \"quoted\"" + '''triple ' " quotes'''
unicode = u"kind does not count" + "ä ß Δ – “ ” \N{EN DASH} \u2028 \u00a0 \U0001f9e0 日本 \u0378 \ufeff"
surrogate = "\ud800 \udfff"
controls = "\0\a\b\f\v\x1b\x7f\x85"
é_name = f"{plain}Δ{name}é"

numbers = [0, 1, 0x_FF, 0b101, 0o17, 1_000_000, 10**100, 123456789012345678901234567890, -1, +1, ~1]
reals = [0.0, -0.0, 1.0, 1e-3, 1e16, 1e22, 1.5e300, 1e400, 0.1, 5e-324, 1_0.0_1, 3.141592653589793]
imaginary = [1j, 0j, -2.5j, 1 + 2j, 1e400j]
constants = [None, True, False, ..., Ellipsis, __debug__]
bytes_of = [b"", b"abc", b"\n\r\t", b"\x80"]
