"""Vocabularies of counted tokens."""
from __future__ import annotations

from collections import Counter
from typing import Iterable

from .vocab import Vocab


def vocab(ordered_dict: dict[str, int], min_freq: int = 1, specials: list[str] | None = None,
          special_first: bool = True) -> Vocab:
    """The vocabulary of the tokens that `ordered_dict` counts at least `min_freq` times, in its order, with `specials`
    before or (not special_first) after them."""
    specials = specials or []
    tokens = [token for token, count in ordered_dict.items() if count >= min_freq and token not in specials]
    return Vocab([*specials, *tokens] if special_first else [*tokens, *specials])


def build_vocab_from_iterator(iterator: Iterable[Iterable[str]], min_freq: int = 1, specials: list[str] | None = None,
                              special_first: bool = True, max_tokens: int | None = None) -> Vocab:
    """The vocabulary of the tokens in an iterable of texts (each an iterable of tokens): the most frequent first,
    equals in alphabetical order, at most `max_tokens` with the specials."""
    counts: Counter[str] = Counter()
    for tokens in iterator:
        counts.update(tokens)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if max_tokens is not None:
        kept = max_tokens - len(specials or [])
        assert kept > 0, "len(specials) >= max_tokens, so the vocab will be entirely special tokens."
        ordered = ordered[:kept]
    return vocab(dict(ordered), min_freq, specials, special_first)
