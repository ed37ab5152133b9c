"""Word vectors from text files: `Vectors`, `GloVe`."""
from __future__ import annotations

import os
from functools import partial
from typing import Any, Callable

import numpy as np

import flambeau as torch

from ...vision.datasets.utils import download_url, extract_archive


class Vectors:
    """Word vectors of a file (lines `token x y z …`), by token.

    name: the file, or its name in `cache` (default ".vector_cache"), or in the archive that `url` names. unk_init:
    makes the vector of an unknown token of a zero one (default: zero). max_vectors: only the first so many.
    itos, stoi: tokens and numbers; vectors: Tensor (tokens, dim).
    """

    def __init__(self, name: str, cache: str | None = None, url: str | None = None,
                 unk_init: Callable[[Any], Any] | None = None, max_vectors: int | None = None) -> None:
        self.unk_init: Any = getattr(torch.Tensor, "zero_") if unk_init is None else unk_init
        path = self._find(name, ".vector_cache" if cache is None else cache, url)
        self.itos, table = _read(path, max_vectors)
        self.stoi = {token: k for k, token in enumerate(self.itos)}
        self.vectors = torch.from_numpy(table)
        self.dim = table.shape[1]

    def _find(self, name: str, cache: str, url: str | None) -> str:
        if os.path.isfile(name):
            return name
        path = os.path.join(cache, name)
        if not os.path.isfile(path) and url is not None:
            download_url(url, cache)
            archive = os.path.join(cache, os.path.basename(url))
            if archive != path:
                extract_archive(archive, cache)
        if not os.path.isfile(path):
            raise RuntimeError(f"no vectors found at {path}")
        return path

    def __getitem__(self, token: str) -> Any:
        """The vector of a token (dim,)."""
        number = self.stoi.get(token)
        return self.vectors[number] if number is not None else self.unk_init(torch.zeros(self.dim))

    def __contains__(self, token: str) -> bool:
        return token in self.stoi

    def __len__(self) -> int:
        return len(self.vectors)

    def get_vecs_by_tokens(self, tokens: str | list[str], lower_case_backup: bool = False) -> Any:
        """Vectors (len(tokens), dim), or (dim,) for one token; lower_case_backup: those of lower-case forms for tokens
        that are unknown as they are."""
        wanted = [tokens] if isinstance(tokens, str) else tokens
        if lower_case_backup:
            wanted = [token if token in self.stoi else token.lower() for token in wanted]
        found = torch.stack([self[token] for token in wanted])
        return found[0] if isinstance(tokens, str) else found


def _read(path: str, limit: int | None) -> tuple[list[str], np.ndarray]:
    """The tokens and a float32 array (tokens, dim); a head line `count dim` and repeated tokens are left out."""
    tokens: list[str] = []
    rows: list[np.ndarray] = []
    seen = set()
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if limit is not None and len(tokens) >= limit:
                break
            token, *values = line.rstrip().split(" ")
            if len(values) == 1 and not tokens:  # the head line
                continue
            if token in seen:
                continue
            row = np.array(values, dtype=np.float32)
            if rows and row.shape != rows[0].shape:
                raise RuntimeError(f"Vector for token {token!r} has {len(row)} dimensions, but previously read vectors "
                                   f"have {len(rows[0])} dimensions. All vectors must have the same number of "
                                   "dimensions.")
            seen.add(token)
            tokens.append(token)
            rows.append(row)
    if not rows:
        raise RuntimeError(f"no vectors found in {path}")
    return tokens, np.stack(rows)


class GloVe(Vectors):
    """GloVe's vectors (Pennington, Socher and Manning 2014): "42B", "840B", "twitter.27B" or "6B", `dim` 50 to 300."""

    url = {name: f"http://nlp.stanford.edu/data/glove.{file}.zip" for name, file in (
        ("42B", "42B.300d"), ("840B", "840B.300d"), ("twitter.27B", "twitter.27B"), ("6B", "6B"))}

    def __init__(self, name: str = "840B", dim: int | str = 300, **kwargs: Any) -> None:
        super().__init__(f"glove.{name}.{dim}d.txt", url=self.url[name], **kwargs)


pretrained_aliases = {f"glove.{name}.{dim}d": partial(GloVe, name=name, dim=str(dim))
                      for name, dims in (("42B", [300]), ("840B", [300]), ("twitter.27B", [25, 50, 100, 200]),
                                         ("6B", [50, 100, 200, 300])) for dim in dims}
