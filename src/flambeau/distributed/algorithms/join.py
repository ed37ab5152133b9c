"""Inputs of unequal lengths: who has no more keeps the others company until they have none, either.

In each step a process says that it is still there, by an all-reduce of ones. Those whose inputs are over give zeros to it, and then do,
for each participant, what answers the collectives of a step.
"""
from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, NamedTuple, Sequence

import numpy as np

from ...dtypes import float32
from ...ops.creation import from_array
from ...tensor.tensor import Tensor
from .._collectives import all_reduce
from .._group import Work
from .._world import get_rank

__all__ = ["Join", "Joinable", "JoinHook"]

_MANY = 1000  # steps without inputs after which it is worth a warning


class JoinHook:
    """What a process without inputs does for one participant."""

    def main_hook(self) -> None:
        """Answers the collectives of one step of the others."""

    def post_hook(self, is_last_joiner: bool) -> None:
        """Called once nobody has inputs. is_last_joiner: whether this process was among the last to have some."""


class _JoinConfig(NamedTuple):
    enable: bool = False
    throw_on_early_termination: bool = False
    is_first_joinable: bool = False


class Joinable(ABC):
    """A participant: something with collectives in each step, before which it calls `Join.notify_join_context(self)`."""

    _join_config = _JoinConfig()

    @abstractmethod
    def __init__(self) -> None:
        super().__init__()
        self._join_config = _JoinConfig()

    @abstractmethod
    def join_hook(self, **kwargs: Any) -> JoinHook:
        """What answers for this participant. kwargs: of `Join`."""

    @property
    @abstractmethod
    def join_device(self) -> Any:
        """The device of its collectives."""

    @property
    @abstractmethod
    def join_process_group(self) -> Any:
        """The group of its collectives."""


class Join:
    """Context manager: inside, processes may have inputs for different numbers of steps; all leave together.

    joinables: the participants, of one process group. enable: False does nothing. throw_on_early_termination: a RuntimeError in all
    processes as soon as one has no more inputs. kwargs: for `join_hook` of all participants.
    Errors: ValueError without participants, or for several groups.
    """

    def __init__(self, joinables: Sequence[Joinable], enable: bool = True, throw_on_early_termination: bool = False, **kwargs: Any) -> None:
        if len(joinables) == 0:
            raise ValueError("The join context manager requires at least one joinable")
        if any(each.join_process_group is not joinables[0].join_process_group for each in joinables):
            raise ValueError("Using join context manager with multiple process groups")
        self._joinables = list(joinables)
        self._hooks = [each.join_hook(**kwargs) for each in joinables]
        self._group, self._device = joinables[0].join_process_group, joinables[0].join_device
        self._enable, self._throws = enable, throw_on_early_termination
        for number, each in enumerate(joinables):
            each._join_config = _JoinConfig(enable, throw_on_early_termination, number == 0)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for each in self._joinables:
            each._join_config = _JoinConfig()
        if not self._enable or kind is not None:
            return
        steps = 0
        while _count(0, self._group, self._device):
            if self._throws:
                _count(1, self._group, self._device)
                raise RuntimeError(f"Rank {get_rank(self._group)} exhausted all inputs.")
            for hook in self._hooks:
                hook.main_hook()
            steps += 1
            if steps == _MANY + 1:
                warnings.warn(f"Detected uneven input skew of greater than {_MANY}. This means that rank {get_rank(self._group)} has at "
                              f"least {_MANY} fewer inputs than other currently-active ranks.", stacklevel=2)
        for hook in self._hooks:
            hook.post_hook(is_last_joiner=steps == 0)

    @staticmethod
    def notify_join_context(joinable: Joinable) -> Work | None:
        """Says that this process has inputs for another step; the all-reduce that counts those who have (None for all but the first
        participant, or outside of a Join). RuntimeError if one has none and throw_on_early_termination is set."""
        config = joinable._join_config
        if not config.enable or not config.is_first_joinable:
            return None
        group, device = joinable.join_process_group, joinable.join_device
        work = all_reduce(_number(1, device), group=group, async_op=True)
        if config.throw_on_early_termination and _count(0, group, device):
            raise RuntimeError("Detected at least one rank that exhausted inputs. Throwing across all ranks.")
        return work


def _number(value: int, device: Any) -> Tensor:
    return from_array(np.full(1, value, np.float32), float32).to(device)  # type: ignore[attr-defined]


def _count(mine: int, group: Any, device: Any) -> int:
    """The sum of everybody's."""
    total = _number(mine, device)
    all_reduce(total, group=group)
    return int(total.item())  # type: ignore[attr-defined]
