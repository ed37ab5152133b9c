"""Layers from texts to tokens, numbers and tensors."""
from __future__ import annotations

import re
from typing import Any

import flambeau as torch

from .. import nn
from . import functional as F
from .vocab import Vocab

__all__ = ["AddToken", "LabelToIndex", "PadTransform", "RegexTokenizer", "Sequential", "StrToIntTransform", "ToTensor",
           "Truncate", "VocabTransform"]


class VocabTransform(nn.Module):
    """Tokens, or a batch of lists of them, to numbers."""

    def __init__(self, vocab: Vocab) -> None:
        super().__init__()
        assert isinstance(vocab, Vocab)
        self.vocab = vocab

    def forward(self, input: Any) -> Any:
        if F._depth(input, str) == 1:
            return self.vocab.lookup_indices(input)
        return [self.vocab.lookup_indices(tokens) for tokens in input]


class ToTensor(nn.Module):
    """See `functional.to_tensor`."""

    def __init__(self, padding_value: int | None = None, dtype: Any = torch.long) -> None:
        super().__init__()
        self.padding_value = padding_value
        self.dtype = dtype

    def forward(self, input: Any) -> Any:
        return F.to_tensor(input, self.padding_value, self.dtype)


class LabelToIndex(nn.Module):
    """Labels to numbers; label_names, or a file with one a line; sort_names: in alphabetical order."""

    def __init__(self, label_names: list[str] | None = None, label_path: str | None = None,
                 sort_names: bool = False) -> None:
        assert label_names or label_path, "label_names or label_path is required"
        assert not (label_names and label_path), "label_names and label_path are mutually exclusive"
        super().__init__()
        if label_path:
            with open(label_path) as file:
                label_names = [line.strip() for line in file if line.strip()]
        self._label_vocab = Vocab(sorted(label_names or []) if sort_names else label_names or [])

    def forward(self, input: Any) -> Any:
        if isinstance(input, str):
            return self._label_vocab[input]
        if F._depth(input, str) != 1:
            raise TypeError("Input type not supported")
        return self._label_vocab.lookup_indices(input)

    @property
    def label_names(self) -> list[str]:
        """The labels by number."""
        return self._label_vocab.get_itos()


class Truncate(nn.Module):
    """See `functional.truncate`."""

    def __init__(self, max_seq_len: int) -> None:
        super().__init__()
        self.max_seq_len = max_seq_len

    def forward(self, input: Any) -> Any:
        return F.truncate(input, self.max_seq_len)


class AddToken(nn.Module):
    """See `functional.add_token`."""

    def __init__(self, token: int | str, begin: bool = True) -> None:
        super().__init__()
        self.token = token
        self.begin = begin

    def forward(self, input: Any) -> Any:
        return F.add_token(input, self.token, self.begin)


class PadTransform(nn.Module):
    """A Tensor (…, length) filled up with `pad_value` to `max_length`; a longer one stays."""

    def __init__(self, max_length: int, pad_value: int) -> None:
        super().__init__()
        self.max_length = max_length
        self.pad_value = float(pad_value)

    def forward(self, x: Any) -> Any:
        missing = self.max_length - x.size(-1)
        return nn.functional.pad(x, (0, missing), value=self.pad_value) if missing > 0 else x


class StrToIntTransform(nn.Module):
    """See `functional.str_to_int`."""

    def forward(self, input: Any) -> Any:
        return F.str_to_int(input)


class RegexTokenizer(nn.Module):
    """A text to its parts between blanks, after each (pattern, replacement) has been replaced, in order."""

    def __init__(self, patterns_list: list[tuple[str, str]]) -> None:
        super().__init__()
        self._patterns = [(re.compile(pattern), replacement) for pattern, replacement in patterns_list]

    def forward(self, line: str) -> list[str]:
        for pattern, replacement in self._patterns:
            line = pattern.sub(replacement, line)
        return line.split()


class Sequential(nn.Sequential):
    """Transforms one after the other."""

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input
