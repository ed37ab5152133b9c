"""The BLEU score of translations."""
from __future__ import annotations

import collections
import math
from typing import Sequence


def _counts(tokens: Sequence[str], longest: int) -> collections.Counter:
    """How often each n-gram occurs, n = 1 to `longest`."""
    return collections.Counter(tuple(tokens[k:k + n]) for n in range(1, longest + 1)
                               for k in range(len(tokens) - n + 1))


def bleu_score(candidate_corpus: Sequence[Sequence[str]], references_corpus: Sequence[Sequence[Sequence[str]]],
               max_n: int = 4, weights: Sequence[float] = (0.25, 0.25, 0.25, 0.25)) -> float:
    """BLEU of tokenized translations against one or more references each (Papineni et al. 2002), from 0 to 1.

    The weighted geometric mean of the shares of n-grams found in a reference, n = 1 to max_n, times
    exp(min(1 - references' length / candidates' length, 0)). AssertionError for sizes that do not fit.
    """
    assert max_n == len(weights), 'Length of the "weights" list has be equal to max_n'
    assert len(candidate_corpus) == len(references_corpus), \
        "The length of candidate and reference corpus should be the same"
    found, total = [0] * max_n, [0] * max_n
    length = reference_length = 0
    for candidate, references in zip(candidate_corpus, references_corpus):
        length += len(candidate)
        reference_length += min((len(reference) for reference in references), key=lambda n: abs(len(candidate) - n))
        known: collections.Counter = collections.Counter()
        for reference in references:
            known |= _counts(reference, max_n)
        for ngram, count in (_counts(candidate, max_n) & known).items():
            found[len(ngram) - 1] += count
        for n in range(max_n):
            total[n] += max(len(candidate) - n, 0)
    if min(found) == 0:
        return 0.0
    mean = sum(weight * math.log(a / b) for weight, a, b in zip(weights, found, total))
    return math.exp(min(1 - reference_length / length, 0)) * math.exp(mean)
