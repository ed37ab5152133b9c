"""`Vocab`: tokens and their numbers."""
from __future__ import annotations

from typing import Iterable

from ...nn import Module


class Vocab(Module):
    """Tokens numbered from 0 in the order of `vocab`, an iterable of different tokens; a layer from tokens to numbers.

    A token that is not in it has the default index, if one is set.
    Errors: RuntimeError for a token given twice, a number out of range, or an unknown token without a default index.
    """

    def __init__(self, vocab: Iterable[str]) -> None:
        super().__init__()
        self._tokens: list[str] = []
        self._numbers: dict[str, int] = {}
        self._default: int | None = None
        for token in vocab:
            if token in self._numbers:
                raise RuntimeError(f"Duplicate token found in tokens list: {token}")
            self._numbers[token] = len(self._tokens)
            self._tokens.append(token)

    def forward(self, tokens: list[str]) -> list[int]:
        """The numbers of these tokens."""
        return self.lookup_indices(tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._numbers

    def __getitem__(self, token: str) -> int:
        """The token's number, or the default index."""
        number = self._numbers.get(token, self._default)
        if number is None:
            raise RuntimeError(f"Token {token} not found and default index is not set")
        return number

    def set_default_index(self, index: int | None) -> None:
        """Sets the number of unknown tokens; None: they are errors."""
        self._default = index

    def get_default_index(self) -> int | None:
        """The number of unknown tokens, or None."""
        return self._default

    def _check(self, index: int, size: int) -> None:
        if not 0 <= index < size:
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self)}")

    def insert_token(self, token: str, index: int) -> None:
        """Gives a new token this number; those from it on get the next ones."""
        self._check(index, len(self) + 1)
        if token in self._numbers:
            raise RuntimeError(f"Token {token} already exists in the Vocab with index: {self._numbers[token]}")
        self._tokens.insert(index, token)
        self._numbers.update((later, k) for k, later in enumerate(self._tokens[index:], index))

    def append_token(self, token: str) -> None:
        """Gives a new token the next number."""
        self.insert_token(token, len(self))

    def lookup_token(self, index: int) -> str:
        """The token with this number."""
        self._check(index, len(self))
        return self._tokens[index]

    def lookup_tokens(self, indices: list[int]) -> list[str]:
        """The tokens with these numbers."""
        return [self.lookup_token(index) for index in indices]

    def lookup_indices(self, tokens: list[str]) -> list[int]:
        """The numbers of these tokens."""
        if self._default is not None:
            numbers, default = self._numbers, self._default
            return [numbers.get(token, default) for token in tokens]
        return [self[token] for token in tokens]

    def get_stoi(self) -> dict[str, int]:
        """Token -> number, as a copy."""
        return dict(self._numbers)

    def get_itos(self) -> list[str]:
        """The tokens by number, as a copy."""
        return list(self._tokens)
