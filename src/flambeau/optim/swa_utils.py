"""Averages of a model's parameters over training: stochastic weight averaging (Izmailov et al. 2018), exponential averages."""
from __future__ import annotations

import math
from copy import deepcopy
from itertools import chain
from typing import Any, Callable, Iterable

from ..autograd.grad_mode import no_grad
from ..dtypes import int64
from ..ops.creation import filled
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.module import Module
from ..tensor.tensor import Tensor
from .lr_scheduler import LRScheduler, _per_group
from .optimizer import Optimizer

__all__ = ["AveragedModel", "update_bn", "SWALR", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn", "get_ema_avg_fn", "get_swa_avg_fn"]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _inexact(x: Tensor) -> bool:
    return x.dtype.is_floating_point or x.dtype.is_complex


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """f(averages, tensors, n) that writes decay·average + (1 − decay)·tensor over each average. decay: in [0, 1] (ValueError)."""
    _check_decay(decay)

    @no_grad()
    def ema_update(averages, tensors, _):
        for a, x in zip(averages, tensors, strict=True):
            if _inexact(a):
                a.lerp_(x, 1 - decay)
            else:
                a.copy_(a * decay + x * (1 - decay))
    return ema_update


def get_swa_multi_avg_fn() -> Callable:
    """f(averages, tensors, n) that writes the mean with one tensor more, average + (tensor − average)/(n + 1), over each.

    Tensors of integers raise RuntimeError, as addcdiv does.
    """
    @no_grad()
    def swa_update(averages, tensors, n):
        for a, x in zip(averages, tensors, strict=True):
            if _inexact(a):
                a.lerp_(x, 1 / (n + 1))
            else:
                a.addcdiv_(x - a, n + 1)
    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """f(average, tensor, n) = decay·average + (1 − decay)·tensor. decay: in [0, 1] (ValueError)."""
    _check_decay(decay)

    @no_grad()
    def ema_update(average, x, _):
        return decay * average + (1 - decay) * x
    return ema_update


def get_swa_avg_fn() -> Callable:
    """f(average, tensor, n) = average + (tensor − average)/(n + 1)."""
    @no_grad()
    def swa_update(average, x, n):
        return average + (x - average) / (n + 1)
    return swa_update


class AveragedModel(Module):
    """A copy of model (`module`) that update_parameters(model) makes the average of what it is given; n_averaged counts.

    avg_fn(average, tensor, n) gives one new average; multi_avg_fn(averages, tensors, n) writes all; only one may be given
    (AssertionError), and neither means the running mean. use_buffers: buffers are averaged as well, otherwise copied.
    """

    n_averaged: Tensor

    def __init__(self, model: Module, device: Any = None, avg_fn: Callable | None = None, multi_avg_fn: Callable | None = None,
                 use_buffers: bool = False) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", filled((), 0, int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The averaged module's result."""
        return self.module(*args, **kwargs)

    def _averaged(self, model: Module) -> Iterable[Tensor]:
        return chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()

    def update_parameters(self, model: Module) -> None:
        """Takes model's parameters into the average; the first are copied."""
        averages = [a.detach() for a in self._averaged(self.module)]
        tensors = [x.detach() for x in self._averaged(model)]
        n = self.n_averaged
        if n == 0:
            for a, x in zip(averages, tensors):
                a.copy_(x)
        elif self.multi_avg_fn is None:
            average = self.avg_fn or get_swa_avg_fn()
            for a, x in zip(averages, tensors):
                a.copy_(average(a, x, n))
        else:
            for dtype in dict.fromkeys(a.dtype for a in averages):  # a function gets tensors of one dtype at a time
                pairs = [(a, x) for a, x in zip(averages, tensors) if a.dtype == dtype]
                self.multi_avg_fn([a for a, _ in pairs], [x for _, x in pairs], n)
        if not self.use_buffers:
            for a, x in zip(self.module.buffers(), model.buffers(), strict=True):
                a.detach().copy_(x.detach())
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running statistics of model's batch norms anew, as the mean over loader's batches.

    Of a batch that is a list or tuple, the first item is the input.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        return
    momenta = [m.momentum for m in norms]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None  # the cumulative mean
    was_training = model.training
    model.train()
    for batch in loader:
        x = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(x if device is None else x.to(device))
    for m, momentum in zip(norms, momenta):
        m.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Goes from each group's rate to swa_lr over anneal_epochs epochs ("cos" or "linear"), then stays there."""

    def __init__(self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10, anneal_strategy: str = "cos",
                 last_epoch: int = -1) -> None:
        for group, rate in zip(optimizer.param_groups, _per_group("swa_lr", optimizer, swa_lr), strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """The share of swa_lr at share t of the annealing."""
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def _share(self, step: int) -> float:
        return self.anneal_func(max(0, min(1, step / max(1, self.anneal_epochs))))

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, end = group["lr"], group["swa_lr"]
            start = end if before == 1 else (lr - before * end) / (1 - before)  # the optimizer's own rate
            rates.append(end * now + start * (1 - now))
        return rates
