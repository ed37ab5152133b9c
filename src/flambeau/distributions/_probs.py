"""What the distributions share that are given by probabilities or by their logits."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from .utils import broadcast_all, lazy_property, logits_to_probs, one_of, probs_to_logits


class ProbsOrLogits:
    """Holds `probs` or `logits`, whichever is given, and computes the other when it is first read."""

    _is_binary = True  # logits are log-odds; else unnormalised log-probabilities
    _given = "probs"

    def _set_binary(self, probs: Any, logits: Any, *others: Any) -> tuple[torch.Tensor, ...]:
        """Sets what is given, in one shape with `others`, which it returns."""
        one_of(probs, logits)
        self._given = "probs" if probs is not None else "logits"
        *parameters, value = broadcast_all(*others, probs if probs is not None else logits)
        setattr(self, self._given, value)
        return tuple(parameters)

    def _set_categorical(self, probs: torch.Tensor | None, logits: torch.Tensor | None) -> None:
        """Sets what is given, normalised along the last dimension."""
        one_of(probs, logits)
        self._given = "probs" if probs is not None else "logits"
        value: Any = probs if probs is not None else logits
        if value.ndim < 1:
            raise ValueError(f"`{self._given}` parameter must be at least one-dimensional.")
        normalized = value / value.sum(-1, keepdim=True) if probs is not None else value - value.logsumexp(-1,
                                                                                                           keepdim=True)
        setattr(self, self._given, normalized)

    @property
    def _param(self) -> torch.Tensor:
        """The parameter that was given."""
        return getattr(self, self._given)

    @property
    def param_shape(self) -> torch.Size:
        """The shape of the given parameter."""
        return self._param.size()

    @lazy_property
    def logits(self) -> torch.Tensor:
        """Log-odds, or log-probabilities along the last dimension."""
        return probs_to_logits(self.probs, is_binary=self._is_binary)

    @lazy_property
    def probs(self) -> torch.Tensor:
        """Probabilities, which along the last dimension of several classes sum to 1."""
        return logits_to_probs(self.logits, is_binary=self._is_binary)
