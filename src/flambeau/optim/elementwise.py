"""`ElementwiseOptimizer`: methods whose update of one element needs that element's gradient and state only."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .. import primitives as p
from ..dtypes import float32, float64
from ..ops.creation import filled
from ..tensor.tensor import Tensor, make_tensor
from .optimizer import Optimizer, record_update, state_like


def check_rate(lr: Any, message: str = "Invalid learning rate: {}") -> None:
    """Raises ValueError unless lr is a number ≥ 0, or a tensor of one."""
    if isinstance(lr, Tensor) and lr.shape.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(message.format(lr))


def check_betas(betas: tuple) -> None:
    """Raises ValueError unless both are in [0, 1)."""
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def check_nonnegative(**options: float) -> None:
    """Raises ValueError for an option below 0."""
    for name, value in options.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {name} value: {value}")


class ElementwiseOptimizer(Optimizer):
    """A method in two parts, both on Vars, that one recorded call runs for all parameters of a group.

    shared(o, numbers): from the options and the state's shared numbers (step count, …, float64), what all elements need and the
    new numbers; it is computed once where parameters share them. element(o, c, x, g, tensors): the new parameter and tensors.
    o has the group's `numbers` as float64 Vars and its `flags` as they are.
    """

    _numbers: tuple[str, ...] = ()
    _flags: tuple[str, ...] = ("maximize",)
    _group_defaults: dict[str, Any] = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def _shared_state(self, group: dict[str, Any]) -> dict[str, float]:
        """Names and first values of the state's numbers: 0-dim float32 tensors."""
        return {"step": 0.0}

    def _tensor_state(self, group: dict[str, Any]) -> dict[str, float]:
        """Names and first values of the state's tensors, shaped as the parameter."""
        return {}

    def _options(self, group: dict[str, Any]) -> dict[str, Any]:
        """The group's options by the names that shared and element use."""
        options = dict(group)
        if "betas" in group:
            options["beta1"], options["beta2"] = group["betas"]
        if "weight_decay" in group:
            options["decays"] = bool(group["weight_decay"] != 0)
        return options

    @staticmethod
    def shared(o: Any, numbers: list) -> tuple[Any, list]:
        """Counts the step."""
        return None, [numbers[0] + 1]

    @staticmethod
    def element(o: Any, c: Any, x: Any, g: Any, tensors: list) -> tuple[Any, list]:
        raise NotImplementedError

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._group_defaults.items():
                group.setdefault(name, value)
            for x in group["params"]:
                s = self.state.get(x, {})
                for name in self._shared_state(group) if s else ():
                    if not isinstance(s[name], Tensor):
                        s[name] = filled((), float(s[name]), float32)

    def _init_state(self, params: list[Tensor], group: dict[str, Any]) -> None:
        fresh = [x for x in params if not self.state[x]]
        if not fresh:
            return
        # One value for all: the parameters' numbers are then updated as one.
        values = {name: filled((), first, float32)._storage.value for name, first in self._shared_state(group).items()}
        for x in fresh:
            s = self.state[x]
            for name, value in values.items():
                s[name] = make_tensor(value)
            for name, first in self._tensor_state(group).items():
                s[name] = state_like(x, complex(first, first) if first and x.dtype.is_complex else first)

    def step(self, closure=None):
        """Performs one update."""
        loss = self.closure_loss(closure)
        for group in self.param_groups:
            params, grads = self.with_gradients(group)
            if not params:
                continue
            self._init_state(params, group)
            shared, names = tuple(self._shared_state(group)), tuple(self._tensor_state(group))
            rows = [params] + [[self.state[x][n] for x in params] for n in shared + names]
            options = self._options(group)
            numbers = [v if isinstance(v, Tensor) else float(v) for v in (options[n] for n in self._numbers)]
            static = (len(shared), self._numbers, tuple([(n, options[n]) for n in self._flags]), self.shared, self.element)
            record_update(type(self).__name__.lower(), _body, rows, [grads], numbers, static)
        return loss


def _body(rows, reads, scalars, static):
    count, names, flags, shared, element = static
    o = SimpleNamespace(**{n: p.cast(s, float64) for n, s in zip(names, scalars)}, **dict(flags))
    known: dict[tuple, tuple] = {}
    new: list[list] = [[] for _ in rows]
    for i, (x, g) in enumerate(zip(rows[0], reads[0])):
        numbers = tuple([row[i] for row in rows[1:1 + count]])
        if numbers not in known:
            c, updated = shared(o, [p.cast(n, float64) for n in numbers])
            known[numbers] = c, [p.cast(u, n.dtype) for u, n in zip(updated, numbers)]
        c, updated = known[numbers]
        x, tensors = _parts(element, o, c, x, g, [row[i] for row in rows[1 + count:]])
        for row, v in zip(new, [x, *updated, *tensors]):
            row.append(v)
    return new


def _parts(element, o, c, x, g, tensors):
    """One parameter's update; the real and the imaginary parts of a complex one are updated each by itself."""
    if o.maximize:
        g = p.neg(g)
    if not x.dtype.is_complex:
        return element(_in(o, x.dtype), _in(c, x.dtype), x, g, tensors)
    halves = []
    for part in (p.real, p.imag):
        a = part(x)
        halves.append(element(_in(o, a.dtype), _in(c, a.dtype), a, part(g), [part(t) for t in tensors]))
    (re, re_tensors), (im, im_tensors) = halves
    return p.make_complex(re, im), [p.make_complex(a, b) for a, b in zip(re_tensors, im_tensors)]


def _in(options: Any, dt: Any) -> Any:
    """The same options, numbers cast to the parameter's dtype."""
    if options is None:
        return None
    return SimpleNamespace(**{n: v if isinstance(v, (bool, int, float, type(None))) else p.cast(v, dt) for n, v in vars(options).items()})
