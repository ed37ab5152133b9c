"""Tokenizers and n-grams."""
from __future__ import annotations

import re
from functools import partial
from typing import Any, Callable, Iterator

# What "basic_english" does with a lower-case text, in this order, before it splits at blanks
_ENGLISH = [(re.compile(pattern), replacement) for pattern, replacement in (
    (r"\'", " '  "), (r"\"", ""), (r"\.", " . "), (r"<br \/>", " "), (r",", " , "), (r"\(", " ( "), (r"\)", " ) "),
    (r"\!", " ! "), (r"\?", " ? "), (r"\;", " "), (r"\:", " "), (r"\s+", " "))]


def _split(text: str) -> list[str]:
    return text.split()


def _basic_english(text: str) -> list[str]:
    text = text.lower()
    for pattern, replacement in _ENGLISH:
        text = pattern.sub(replacement, text)
    return text.split()


def _with_spacy(text: str, model: Any) -> list[str]:
    return [token.text for token in model.tokenizer(text)]


def get_tokenizer(tokenizer: Any, language: str = "en") -> Callable[[str], list[str]]:
    """A function from a text to its tokens: None splits at blanks; "basic_english" in lower case, with punctuation
    apart; "spacy" (of a `language`), "moses", "toktok", "revtok", "subword" are those of packages; a function stays.

    Errors: ValueError for other names; ImportError where a package is missing.
    """
    if tokenizer is None:
        return _split
    if callable(tokenizer):
        return tokenizer
    if tokenizer == "basic_english":
        if language != "en":
            raise ValueError("Basic normalization is only available for Enlish(en)")
        return _basic_english
    if tokenizer == "spacy":
        import spacy

        return partial(_with_spacy, model=spacy.load(language))
    if tokenizer == "moses":
        from sacremoses import MosesTokenizer

        return MosesTokenizer().tokenize
    if tokenizer == "toktok":
        from nltk.tokenize.toktok import ToktokTokenizer

        return ToktokTokenizer().tokenize
    if tokenizer in ("revtok", "subword"):
        import revtok

        return partial(revtok.tokenize, decap=True) if tokenizer == "subword" else revtok.tokenize
    raise ValueError(f"Requested tokenizer {tokenizer}, valid choices are a callable that takes a single string as "
                     'input, "basic_english", "spacy", "moses", "toktok", "revtok" and "subword".')


def ngrams_iterator(token_list: list[str], ngrams: int) -> Iterator[str]:
    """The tokens, then all pairs of neighbours joined by a blank, and so on up to `ngrams` tokens."""
    yield from token_list
    for n in range(2, ngrams + 1):
        for start in range(len(token_list) - n + 1):
            yield " ".join(token_list[start:start + n])
