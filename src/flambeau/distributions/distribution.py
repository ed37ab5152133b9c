"""`Distribution`: what all distributions have: shapes, checks of parameters and samples, and the methods they may
define."""
from __future__ import annotations

import warnings
from typing import Any

import flambeau as torch

from . import constraints
from .utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A distribution of tensors of shape `event_shape`, for each of a batch of parameters of shape `batch_shape`.

    `arg_constraints` says what parameters may be, and `support` what samples may be. With validate_args (the default,
    unless Python runs with -O) a ValueError tells which parameters or samples are not.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their parameters and samples unless told otherwise."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = torch.Size(), event_shape: Any = torch.Size(),
                 validate_args: bool | None = None):
        self._batch_shape = batch_shape
        self._event_shape = event_shape
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    def _check_parameters(self) -> None:
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            warnings.warn(f"{self.__class__} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or "
                          "initialize the distribution with `validate_args=False` to turn off validation.",
                          stacklevel=3)
            return
        for name, constraint in arg_constraints.items():
            derived = name not in self.__dict__ and isinstance(getattr(type(self), name), lazy_property)
            if constraints.is_dependent(constraint) or derived:
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
                                 f"distribution {self!r} to satisfy the constraint {constraint!r}, but found invalid "
                                 f"values:\n{value}")

    def expand(self, batch_shape: Any, _instance: Any = None) -> Distribution:
        """The same distributions with their batch shape expanded, as `Tensor.expand` does, to `batch_shape`."""
        raise NotImplementedError

    @property
    def batch_shape(self) -> torch.Size:
        """The shape of the parameters, without what belongs to one event."""
        return self._batch_shape

    @property
    def event_shape(self) -> torch.Size:
        """The shape of one draw of one distribution."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The constraint that each parameter satisfies, by name."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """The constraint that samples satisfy."""
        raise NotImplementedError

    @property
    def mean(self) -> torch.Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> torch.Tensor:
        """The most probable value."""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> torch.Tensor:
        """The expected square of the distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> torch.Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = torch.Size()) -> torch.Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = torch.Size()) -> torch.Tensor:
        """Draws that are differentiable functions of the parameters (reparameterised)."""
        raise NotImplementedError

    def sample_n(self, n: int) -> torch.Tensor:
        """n draws: `sample((n,))`. Deprecated."""
        warnings.warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning, stacklevel=2)
        return self.sample(torch.Size((n,)))

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """The logarithm of the density, or of the probability, at value: of shape (…) + batch_shape."""
        raise NotImplementedError

    def cdf(self, value: torch.Tensor) -> torch.Tensor:
        """The probability of what is at most value."""
        raise NotImplementedError

    def icdf(self, value: torch.Tensor) -> torch.Tensor:
        """The inverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> torch.Tensor:
        """All values of a discrete distribution, along a new first dimension; without expand, batch dimensions are
        1."""
        raise NotImplementedError

    def entropy(self) -> torch.Tensor:
        """The expected −log_prob, in nats, of shape batch_shape."""
        raise NotImplementedError

    def perplexity(self) -> torch.Tensor:
        """exp(entropy)."""
        return torch.exp(self.entropy())

    def _extended_shape(self, sample_shape: Any = torch.Size()) -> torch.Size:
        return torch.Size(tuple(sample_shape) + tuple(self._batch_shape) + tuple(self._event_shape))

    def _validate_sample(self, value: torch.Tensor) -> None:
        """ValueError for what could not be a sample."""
        if not isinstance(value, torch.Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        tail = value.shape[value.ndim - len(self._event_shape):]
        if tail != self._event_shape:
            raise ValueError(f"The right-most size of value must match event_shape: {value.shape} vs "
                             f"{self._event_shape}.")
        expected = self._batch_shape + self._event_shape
        if any(i != 1 and j != 1 and i != j for i, j in zip(reversed(value.shape), reversed(expected))):
            raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(f"{self.__class__} does not define `support` to enable sample validation. Please initialize "
                          f"the "
                          "distribution with `validate_args=False` to turn off validation.", stacklevel=3)
            return
        if not support.check(value).all():
            raise ValueError(f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be "
                             f"within the "
                             f"support ({support!r}) of the distribution {self!r}, but found invalid values:\n{value}")

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """A bare object for `expand` to fill; a subclass whose constructor differs has to define its own `expand`."""
        if _instance is None and type(self).__init__ is not cls.__init__:
            raise NotImplementedError(f"Subclass {self.__class__.__name__} of {cls.__name__} that defines a custom "
                                      f"__init__ "
                                      "method must also define a custom .expand() method.")
        return self.__new__(type(self)) if _instance is None else _instance

    def _expanded(self, cls: type, _instance: Any, batch_shape: Any, event_shape: Any = torch.Size(),
                  **tails: Any) -> Any:
        """What `cls.expand` returns: the parameters named in `tails`, where set, expanded to batch_shape + their
        tail."""
        new = self._get_checked_instance(cls, _instance)
        batch_shape = torch.Size(batch_shape)
        for name, tail in tails.items():
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand(batch_shape + tuple(tail)))
        Distribution.__init__(new, batch_shape, event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__]
        values = [self.__dict__[name] for name in names]
        text = ", ".join(f"{name}: {v if v.numel() == 1 else v.size()}" for name, v in zip(names, values))
        return f"{self.__class__.__name__}({text})"
