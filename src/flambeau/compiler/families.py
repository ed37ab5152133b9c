"""Kernels that differ in numbers alone: one machine code for all of them.

The kernels for a sentence of another length are those of the last one but for sizes, strides and distances. The text of a
kernel's IR without the integers in it is its family. The first members are compiled as they are. When a later program has
one with other integers, the code is compiled once more, with those that differ left open: each is the address of an
external symbol, a constant to LLVM, and gets its value when the code is linked. Further members are linked only; what they
compute is the same, bit for bit, as if they had been compiled.

To LLVM an address is not zero, so zeros belong to the text, and so do negative numbers; and two variables have two addresses,
unless they hold nothing: so these do.
"""
from __future__ import annotations

import hashlib
import re
from typing import Callable

from .llvm import ir

NAME = "kernel"  # of the kernel in its text; the names of its own functions begin so
MOST_METADATA = 100
_METADATA = re.compile(r"!(\d+)\b")
_NUMBER = re.compile(r"(i64 (?:%\w+, |\[)?)([1-9]\d*)\b")  # an operand with its type, the second of two, a phi's first


class KernelText:
    """The IR of one kernel. parts: the text of its functions, declarations and metadata, by name; key: of its family; numbers: its
    integers."""

    def __init__(self, module: ir.Module):
        self.parts = module.parts()
        self.text = "\n".join(self.parts.values())
        pieces = _NUMBER.split(self.text)  # text, what comes before a number, the number, text, …
        self.numbers = tuple(map(int, pieces[2::3]))
        del pieces[2::3]
        self.key = hashlib.sha256("\0".join(pieces).encode()).digest()

    def numbered(self, number: int) -> dict[str, str]:
        """The parts with the kernel called k`number`, so that many kernels fit one module."""
        def renamed(text: str) -> str:
            return _METADATA.sub(lambda m: f"!{MOST_METADATA * number + int(m[1])}", text.replace(f'@"{NAME}', f'@"k{number}'))
        return {f"{number} {name}" if name.startswith((NAME, "!")) else name: renamed(text) for name, text in self.parts.items()}


class Family:
    """Kernels with one text. examples: the numbers of those that were compiled. symbols: for each number the symbol that stands for
    it in `code`, or None where all examples have the same. code: None as long as no later program has had a member."""

    def __init__(self, numbers: tuple[int, ...]):
        self.examples = [numbers]
        self.symbols: list[str | None] = [None] * len(numbers)
        self.code: bytes | None = None

    def member(self, kernel: KernelText, compiled: Callable[[str], bytes]) -> tuple[bytes, dict[str, int]]:
        """(code, values of its symbols) of a kernel. What is not open yet and has to be makes the code be compiled again."""
        values = self._values(kernel.numbers)
        if self.code is None or values is None:
            self.open(kernel.numbers)
            self.code = compiled(self._with_symbols(kernel.text))
            values = self._values(kernel.numbers)
            assert values is not None
        return self.code, values

    def open(self, numbers: tuple[int, ...]) -> None:
        """Leaves open what these numbers change, which `code` does not. Numbers that are equal in each example share a symbol."""
        self.code = None
        self.examples.append(numbers)
        columns = list(zip(*self.examples))
        names = {column: f"n{i}" for i, column in enumerate(dict.fromkeys([c for c in columns if len(set(c)) > 1]))}
        self.symbols = [names.get(column) for column in columns]

    def _values(self, numbers: tuple[int, ...]) -> dict[str, int] | None:
        """What the symbols are for these numbers; None if others differ than those that are open."""
        values: dict[str, int] = {}
        for symbol, number, fixed in zip(self.symbols, numbers, self.examples[0]):
            if number != (fixed if symbol is None else values.setdefault(symbol, number)):
                return None
        return values

    def _with_symbols(self, text: str) -> str:
        symbols = iter(self.symbols)

        def operand(match: re.Match) -> str:
            symbol = next(symbols)
            return match[0] if symbol is None else f'{match[1]}ptrtoint (ptr @"{symbol}" to i64)'
        declared = [f'@"{symbol}" = external global {{}}' for symbol in dict.fromkeys(self.symbols) if symbol is not None]
        return "\n".join([*declared, _NUMBER.sub(operand, text)])


_families: dict[bytes, Family] = {}


def family_of(kernel: KernelText) -> Family | None:
    """The family of a kernel, if an earlier program has had a member."""
    return _families.get(kernel.key)


def found(kernel: KernelText) -> None:
    """Notes a kernel that was compiled as it is."""
    family = _families.get(kernel.key)
    if family is None:
        _families[kernel.key] = Family(kernel.numbers)
    else:
        family.open(kernel.numbers)
