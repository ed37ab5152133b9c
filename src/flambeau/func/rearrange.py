"""`rearrange`: dimensions by name, in the notation of einops (Rogozhnikov 2022)."""
from __future__ import annotations

import re
from typing import Any

from ..tensor.tensor import Tensor

_TOKEN = re.compile(r"\s*(\(|\)|\.\.\.|[A-Za-z_]\w*|1)")


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Tensor:
    """tensor with its dimensions split, merged and reordered as the pattern says: 'b (h w) c -> b c h w'.

    Names in parentheses are factors of one dimension, of which one may be without a given length; '...' stands for any
    further dimensions, '1' for one of size 1. A list of tensors is stacked along a new first dimension.
    """
    if not isinstance(tensor, Tensor):
        from ..ops.shape import stack
        tensor = stack(list(tensor))
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise ValueError(f"Pattern '{pattern}' must contain '->'")
    groups, target = _parse(left, pattern), _parse(right, pattern)
    shape = tuple(tensor.shape)
    spare = len(shape) - sum(g != ["..."] for g in groups)
    if spare < 0 or spare and ["..."] not in groups:
        raise ValueError(f"Number of dimensions in pattern ({len(groups)}) and tensor ({len(shape)}) must be equal")
    names = [f"...{i}" for i in range(spare)]
    groups, target = _with_ellipsis(groups, names), _with_ellipsis(target, names)
    factors = [name for group in groups for name in group if name != "1"]
    wanted = [name for group in target for name in group if name != "1"]
    if sorted(factors) != sorted(wanted) or len(set(factors)) != len(factors):
        raise ValueError(f"Identifiers only on one side of the expression, or repeated: '{pattern}'")
    unknown = axes_lengths.keys() - set(factors)
    if unknown:
        raise ValueError(f"Identifiers {sorted(unknown)} are not in the pattern '{pattern}'")
    sizes = dict(axes_lengths)
    for group, n in zip(groups, shape):
        _solve(group, n, sizes, pattern)
    parts = tensor.reshape([sizes[name] for name in factors])  # type: ignore[attr-defined]
    moved = parts.permute([factors.index(name) for name in wanted])
    final = []
    for group in target:
        n = 1
        for name in group:
            n *= sizes.get(name, 1)
        final.append(n)
    return moved.reshape(final)


def _parse(side: str, pattern: str) -> list[list[str]]:
    """The dimensions of one side, each a list of factors."""
    groups: list[list[str]] = []
    inside = False
    at = 0
    side = side.rstrip()
    while at < len(side):
        match = _TOKEN.match(side, at)
        if match is None:
            raise ValueError(f"Invalid character in pattern '{pattern}' at '{side[at:]}'")
        token, at = match[1], match.end()
        if token == "(":
            if inside:
                raise ValueError(f"Brackets cannot be nested: '{pattern}'")
            groups.append([])
            inside = True
        elif token == ")":
            if not inside:
                raise ValueError(f"Brackets are not balanced: '{pattern}'")
            inside = False
        elif inside:
            groups[-1].append(token)
        else:
            groups.append([token])
    if inside:
        raise ValueError(f"Brackets are not balanced: '{pattern}'")
    return groups


def _with_ellipsis(groups: list[list[str]], names: list[str]) -> list[list[str]]:
    result: list[list[str]] = []
    for group in groups:
        if group == ["..."]:
            result += [[name] for name in names]
        else:
            result.append([x for token in group for x in (names if token == "..." else [token])])
    return result


def _solve(group: list[str], n: int, sizes: dict[str, int], pattern: str) -> None:
    """Enters the sizes of a dimension's factors; at most one may be unknown."""
    known, missing = 1, []
    for name in group:
        if name in sizes:
            known *= sizes[name]
        elif name != "1":
            missing.append(name)
    if len(missing) > 1:
        raise ValueError(f"Could not infer sizes for {missing} in '{pattern}'")
    if missing and known and n % known == 0:
        sizes[missing[0]] = n // known
    elif missing or known != n:
        raise RuntimeError(f"Shape mismatch: a dimension of size {n} cannot be {group} with the given lengths")
