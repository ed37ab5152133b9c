"""Lists of tokens or numbers, single or batches: cut, extended, as tensors."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from ..nn.utils.rnn import pad_sequence

__all__ = ["add_token", "str_to_int", "to_tensor", "truncate"]


def _depth(input: Any, *kinds: type) -> int:
    """1 for a list of one of these types, 2 for a list of such lists; TypeError for anything else."""
    if isinstance(input, list):
        for kind in kinds:
            if all(type(entry) is kind for entry in input):
                return 1
            if all(isinstance(row, list) and all(type(entry) is kind for entry in row) for row in input):
                return 2
    raise TypeError("Input type not supported")


def to_tensor(input: Any, padding_value: int | None = None, dtype: Any = torch.long) -> Any:
    """Numbers as a Tensor (N,), or rows of them (rows, longest) filled up with `padding_value`."""
    if _depth(input, int) == 1:
        return torch.tensor(input, dtype=torch.long)
    if padding_value is None:
        return torch.tensor(input, dtype=dtype)
    return pad_sequence([torch.tensor(row, dtype=dtype) for row in input], batch_first=True,
                        padding_value=float(padding_value))


def truncate(input: Any, max_seq_len: int) -> Any:
    """The first `max_seq_len` entries, of each row of a batch."""
    return input[:max_seq_len] if _depth(input, int, str) == 1 else [row[:max_seq_len] for row in input]


def add_token(input: Any, token_id: Any, begin: bool = True) -> Any:
    """With a token before or (not begin) after all, of each row of a batch."""
    if type(token_id) not in (int, str):
        raise TypeError("Input type not supported")
    rows = [input] if _depth(input, type(token_id)) == 1 else input
    rows = [[token_id] + row if begin else row + [token_id] for row in rows]
    return rows[0] if rows and (not input or not isinstance(input[0], list)) else rows


def str_to_int(input: Any) -> Any:
    """Numbers written as text, as ints."""
    return [int(entry) for entry in input] if _depth(input, str) == 1 else [[int(entry) for entry in row]
                                                                            for row in input]
