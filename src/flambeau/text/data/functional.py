"""Iterables of texts: replaced, split, numbered, as map-style sets."""
from __future__ import annotations

import re
from typing import Any, Callable, Iterable, Iterator

from ...utils.data import Dataset


def custom_replace(replace_pattern: Iterable[tuple[str, str]]) -> Callable[[Iterable[str]], Iterator[str]]:
    """A function from texts to texts in which each (pattern, replacement) has been replaced, in order."""
    patterns = [(re.compile(pattern), replacement) for pattern, replacement in replace_pattern]

    def replaced(texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            for pattern, replacement in patterns:
                text = pattern.sub(replacement, text)
            yield text

    return replaced


def simple_space_split(iterator: Iterable[str]) -> Iterator[list[str]]:
    """Each text, split at blanks."""
    for text in iterator:
        yield text.split()


def numericalize_tokens_from_iterator(vocab: Any, iterator: Iterable[Iterable[str]],
                                      removed_tokens: Iterable[str] | None = None) -> Iterator[Iterator[int]]:
    """For each text (an iterable of tokens) the tokens' numbers, without `removed_tokens`."""
    removed = frozenset(removed_tokens or ())
    for tokens in iterator:
        yield iter([vocab[token] for token in tokens if token not in removed])


class _MapStyleDataset(Dataset):
    def __init__(self, samples: Iterable) -> None:
        self._data = list(samples)

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> Any:
        return self._data[index]


def to_map_style_dataset(iter_data: Iterable) -> Dataset:
    """A map-style set, which can be shuffled, of the samples of an iterable."""
    return _MapStyleDataset(iter_data)
