"""This module computes the size of a symbol that is an expression of other symbols.

Exporters name the dimensions that depend on each other so: `past_sequence_length + 1`, `2*s0`,
`s0//4`, `floor(height/2)`, `Max(1, s0)`.
"""

import ast
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Final

_LONGEST: Final = 200  # characters of an expression
_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: lambda a, b: a % b,
}
_FUNCTIONS: Final[Mapping[str, Callable[..., Fraction]]] = {
    "floor": lambda x: Fraction(floor(x)),
    "ceil": lambda x: Fraction(ceil(x)),
    "ceiling": lambda x: Fraction(ceil(x)),
    "max": max,
    "min": min,
}


def size_of_expression(symbol: str, sizes: Mapping[str, int]) -> int | None:
    """Return the size of an expression; None when it is none, or names a symbol without a size.

    Args:
        symbol: The symbol.
        sizes: The sizes that are known, by symbol. Their names may hold any characters.
    """
    if not sizes or len(symbol) > _LONGEST:
        return None
    names = "|".join(map(re.escape, sorted(sizes, key=len, reverse=True)))
    numbers = re.sub(rf"(?<![\w.])({names})(?![\w.])", lambda name: f" {sizes[name[0]]} ", symbol)
    if numbers == symbol:
        return None
    try:
        size = _value(ast.parse(numbers.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ValueError, ZeroDivisionError):
        return None
    return int(size) if size.denominator == 1 and size >= 0 else None


def _value(tree: ast.expr) -> Fraction:
    """Return the value of an expression of numbers.

    Raises:
        ValueError: It holds something else.
    """
    match tree:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=args) if name.lower() in _FUNCTIONS:
            return _FUNCTIONS[name.lower()](*map(_value, args))
    raise ValueError("no arithmetic")
