"""`Optimizer`: parameter groups, per-parameter state, hooks, and state dicts; and how an update is recorded as one call."""
from __future__ import annotations

import functools
import warnings
import weakref
from collections import OrderedDict, defaultdict
from contextlib import contextmanager
from copy import deepcopy
from itertools import chain
from typing import Any, Callable, Hashable, Iterable, Iterator, Sequence

from ..ir.graph import trace as trace_graph
from ..ops.creation import filled
from ..runtime.specialization import Specialization
from ..runtime.trace import SCALAR_TYPES, Value, end_step, record
from ..tensor.grad_mode import mode
from ..tensor.node import AccumulateGrad
from ..tensor.parted import local_part
from ..tensor.tensor import Tensor
from ..tensor.write import write_values

ParamsT = Iterable[Any]


class _Required:
    """The default of an option that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

_updates: dict[tuple, Specialization] = {}


def _follow(rows: Sequence[Sequence[Tensor]]) -> None:
    """Moves states that are still on the host to the devices of their parameters."""
    from ..tensor.placement import device_of, moved_value
    where: dict[tuple, Value] = {}  # equal values (shared step counts) stay equal
    for row in rows[1:]:
        for parameter, t in zip(rows[0], row):
            value, device = t._storage.value, device_of(parameter)
            if (value, device) not in where:
                where[value, device] = moved_value(value, device)
            t._storage.value = where[value, device]


def record_update(name: str, body: Callable, tensors: Sequence[Sequence[Tensor]], readonly: Sequence[Sequence[Tensor]],
                  scalars: Sequence[Any], static: Hashable) -> None:
    """Records one call that rewrites all `tensors` (rows of parameters, moments, …) from themselves and `readonly` rows.

    body(rows, readonly_rows, scalars, static) on Vars returns the new rows. Equal values (shared step counts) enter once.
    """
    if tensors[0][0]._storage.value.__class__ is not Value:
        tensors, readonly = ([[local_part(t) for t in row] for row in rows] for rows in (tensors, readonly))
        _follow(tensors)
    rows = [*tensors, *readonly]
    old = [t._storage.value if t._view is None else t._value() for row in rows for t in row]
    values, places = old, None
    if len(set(old)) != len(old):
        values = list(dict.fromkeys(old))
        number = {v: i for i, v in enumerate(values)}
        places = tuple([number[v] for v in old])
    last = [s._value() if isinstance(s, Tensor) else s for s in scalars]
    operands = values + last
    types = (*[v.type for v in values], *[_type_of(v) for v in last])
    lengths = tuple([len(row) for row in rows])
    key = (name, static, lengths, places, types)
    spec = _updates.get(key)
    if spec is None:
        all_rows = _split(range(len(old)) if places is None else places, lengths)
        spec = _updates[key] = _specialize_update(name, body, all_rows[:len(tensors)], all_rows[len(tensors):], len(values), static, types)
    new = record(spec, operands)  # the rewritten ones come first
    write_values(chain.from_iterable(tensors), new if places is None else [new[i] for i in places[:sum(lengths[:len(tensors)])]])


def _type_of(operand: Any) -> Any:
    return operand.type if isinstance(operand, Value) else SCALAR_TYPES[operand.__class__]


def _split(places: Sequence[int], lengths: tuple[int, ...]) -> list[tuple[int, ...]]:
    rows, start = [], 0
    for n in lengths:
        rows.append(tuple(places[start:start + n]))
        start += n
    return rows


def _specialize_update(name, body, rows, reads, first_scalar, static, types) -> Specialization:
    def run(*symbols):
        new = body([[symbols[i] for i in row] for row in rows], [[symbols[i] for i in row] for row in reads],
                   list(symbols[first_scalar:]), static)
        by_place: dict[int, Any] = {}
        for row, places in zip(new, rows):
            for v, at in zip(row, places):
                by_place.setdefault(at, v)
        return list(by_place.values())
    graph, _ = trace_graph(run, list(types))
    return Specialization(name, name, graph, False)


def state_like(x: Tensor, value: Any = 0) -> Tensor:
    """A first state for parameter x: a tensor like it, filled with `value`; in parts, if x is."""
    part = local_part(x)
    made = filled(tuple(part.shape), value, x.dtype)
    return made if part is x else x._with(made)  # type: ignore[attr-defined]


# ------------------------------------------------------------------ hooks on every optimizer

_global_pre_hooks: dict[int, Callable] = OrderedDict()
_global_post_hooks: dict[int, Callable] = OrderedDict()


def _handle(hooks: dict, hook: Callable, prepend: bool = False):
    from ..utils.hooks import RemovableHandle
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)  # type: ignore[attr-defined]
    return handle


def register_optimizer_step_pre_hook(hook: Callable):
    """hook(optimizer, args, kwargs) runs before every optimizer's step."""
    return _handle(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable):
    """hook(optimizer, args, kwargs) runs after every optimizer's step."""
    return _handle(_global_post_hooks, hook)


@contextmanager
def swap_in_optimizer_params_and_state(optimizer: Optimizer, swapin_parameters: dict[str, Tensor],
                                       swapin_optim_state: dict[str, Any]) -> Iterator[None]:
    """Inside, the optimizer works on other parameters (in its own order) and another state, as of `state_dict()`.

    What it writes into the given tensors stays; the optimizer itself is as before afterwards. RuntimeError if it has no
    state yet, or if the numbers of parameters differ.
    """
    if not optimizer.state:
        raise RuntimeError("swap_in_optimizer_params_and_state requires initialized optimizer state.")
    given = list(swapin_parameters.values())
    if len(given) != sum(len(group["params"]) for group in optimizer.param_groups):
        raise RuntimeError("swap_in_optimizer_params_and_state requires the explicit parameter state to match optimizer.param_groups "
                           "ordering.")
    kept = optimizer.state, optimizer.param_groups
    places = [i for group in swapin_optim_state["param_groups"] for i in group["params"]]
    by_place = dict(zip(places, given))
    optimizer.state = defaultdict(dict, {by_place[i]: dict(s) for i, s in swapin_optim_state["state"].items()})
    optimizer.param_groups = [{**old, **{k: v for k, v in new.items() if k != "params"}, "params": [by_place[i] for i in new["params"]]}
                              for old, new in zip(kept[1], swapin_optim_state["param_groups"])]
    try:
        yield
    finally:
        optimizer.state, optimizer.param_groups = kept


class Optimizer:
    """Base class of the optimizers.

    params: tensors, (name, tensor) pairs, or dicts of groups with "params" and options of their own. defaults: the options.
    """

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._optimizer_step_pre_hooks: dict[int, Callable] = OrderedDict()
        self._optimizer_step_post_hooks: dict[int, Callable] = OrderedDict()
        self._optimizer_state_dict_pre_hooks: dict[int, Callable] = OrderedDict()
        self._optimizer_state_dict_post_hooks: dict[int, Callable] = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: dict[int, Callable] = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: dict[int, Callable] = OrderedDict()
        self._patch_step_function()
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors or dicts, but got torch."
                            f"{params.dtype._legacy}Tensor")
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if len(groups) == 0:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group))
        end_step()  # else the numbers that parameters start with would be drawn by a first step's program, which no other step has

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post"):
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", OrderedDict())
        self._patch_step_function()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = self.__class__.__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for key in sorted(group.keys()):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"

    # ------------------------------------------------------------------ stepping

    @staticmethod
    def profile_hook_step(func: Callable) -> Callable:
        """Wraps a step with its hooks; the end of a step is where the recorded program runs."""
        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            self, *_ = args
            if _global_pre_hooks or self._optimizer_step_pre_hooks:
                for hook in chain(_global_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
                    result = hook(self, args, kwargs)
                    if result is not None:
                        if isinstance(result, tuple) and len(result) == 2:
                            args, kwargs = result
                        else:
                            raise RuntimeError(f"{func} must return None or a tuple of (new_args, new_kwargs), but got {result}.")
            out = func(*args, **kwargs)
            if _global_post_hooks or self._optimizer_step_post_hooks:
                for hook in chain(self._optimizer_step_post_hooks.values(), _global_post_hooks.values()):
                    hook(self, args, kwargs)
            end_step()
            return out
        return wrapper

    def _patch_step_function(self) -> None:
        cls = self.__class__
        step = cls.step
        if not getattr(step, "hooked", None):
            cls.step = self.profile_hook_step(step)  # type: ignore[method-assign]
            cls.step.hooked = True  # type: ignore[attr-defined]

    def step(self, closure: Callable | None = None) -> Any:
        """Performs one update. closure, where given, computes the loss anew and returns it."""
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients (set_to_none), or sets them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                node = p._node
                if set_to_none and node.__class__ is AccumulateGrad:
                    node.grad = None
                elif p.grad is not None:
                    if set_to_none:
                        p.grad = None
                    else:
                        if p.grad.grad_fn is not None:
                            p.grad.detach_()
                        else:
                            p.grad.requires_grad_(False)
                        p.grad.zero_()

    def with_gradients(self, group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
        """The group's parameters that have a gradient, and the gradients. RuntimeError for a sparse one."""
        params, grads = [], []
        for p in group["params"]:
            node = p._node
            g = node.grad if node.__class__ is AccumulateGrad else p.grad
            if g is not None:
                if g.__class__ is not Tensor and g.is_sparse and not self._with_sparse(group, p, g):
                    continue
                params.append(p)
                grads.append(g)
        return params, grads

    def _with_sparse(self, group: dict[str, Any], x: Tensor, g: Tensor) -> bool:
        """What a step does with a sparse gradient g of x: False where the update is done with it."""
        raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")

    @staticmethod
    def closure_loss(closure: Callable | None) -> Any:
        """The loss that a closure computes, with gradients on."""
        if closure is None:
            return None
        was, mode.enabled = mode.enabled, True
        try:
            return closure()
        finally:
            mode.enabled = was

    # ------------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook: Callable):
        """hook(optimizer, args, kwargs) runs before step; it may return new (args, kwargs)."""
        return _handle(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable):
        """hook(optimizer, args, kwargs) runs after step."""
        return _handle(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False):
        """hook(optimizer) runs before state_dict."""
        return _handle(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False):
        """hook(optimizer, state_dict) runs after state_dict; it may return another."""
        return _handle(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False):
        """hook(optimizer, state_dict) runs before load_state_dict; it may return another."""
        return _handle(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False):
        """hook(optimizer) runs after load_state_dict."""
        return _handle(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # ------------------------------------------------------------------ state dicts

    def state_dict(self) -> dict[str, Any]:
        """{"state": by parameter number, "param_groups": options and parameter numbers}."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}

        def pack(group: dict[str, Any]) -> dict[str, Any]:
            packed = {k: v for k, v in group.items() if k != "params"}
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            return packed
        groups = [pack(g) for g in self.param_groups]
        state = {(numbers[id(k)] if isinstance(k, Tensor) else k): v for k, v in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            new = hook(self, result)
            if new is not None:
                result = new
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a state dict (copied): groups are matched by position, parameters by their order."""
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            new = hook(self, state_dict)
            if new is not None:
                state_dict = new
        groups = self.param_groups
        saved_groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, saved_groups)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        params = dict(zip(chain.from_iterable(g["params"] for g in saved_groups), chain.from_iterable(g["params"] for g in groups)))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _copied(params[key], value, groups)
            else:
                state[key] = value

        def merged(group, new):
            new["params"] = group["params"]
            if "param_names" in group and "param_names" not in new:
                new["param_names"] = group["param_names"]
            return new
        self.__setstate__({"state": state, "param_groups": [merged(g, n) for g, n in zip(groups, saved_groups)]})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group: a dict with "params" and any options."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError("optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
                            "change between runs. Please use a list instead.")
        params = list(params)
        named = [p for p in params if isinstance(p, tuple)]
        if named:
            if len(named) != len(params):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            param_group["param_names"] = [name for name, _ in params]
            params = [p for _, p in params]
        param_group["params"] = params
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {_type_name(p)}")
            if not self.defaults.get("differentiable", None) and not (p.is_leaf or p.retains_grad):  # type: ignore[attr-defined]
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        if len(params) != len({id(p) for p in params}):
            warnings.warn("optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; see "
                          "github.com/pytorch/pytorch/issues/40967 for more information", stacklevel=3)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        if not known.isdisjoint(id(p) for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        if self.param_groups and ("param_names" in param_group) != ("param_names" in self.param_groups[0]):
            raise ValueError("all optimizer param groups should be with/without names. cannot add param group "
                             f"{'with' if 'param_names' in param_group else 'without'} names to the optimizer")
        self.param_groups.append(param_group)


def _type_name(x: Any) -> str:
    module = type(x).__module__
    return type(x).__name__ if module == "builtins" else f"{module}.{type(x).__name__}"


def _copied(param: Tensor, value: Any, groups: list, key: Any = None) -> Any:
    """A saved state value as this parameter's: tensors copied, and converted to its dtype (the step count kept as it is)."""
    if isinstance(value, Tensor):
        if key == "step" or not param.dtype.is_floating_point:
            return value.detach().clone()  # type: ignore[attr-defined]
        return value.detach().clone().to(param.dtype)  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {k: _copied(param, v, groups, k) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_copied(param, v, groups) for v in value)
    return value


def mark_steps(optimizer: Optimizer) -> None:
    """Makes optimizer.step() leave a mark, for a scheduler's warning about the order of the two step calls."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    function, owner = optimizer.step.__func__, weakref.ref(optimizer)  # type: ignore[attr-defined]

    @functools.wraps(function)
    def step(*args, **kwargs):
        self = owner()
        self._opt_called = True
        return function(self, *args, **kwargs)
    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = step  # type: ignore[method-assign]
