"""`torch.compile`: the function that replays, and the module around a model."""
from __future__ import annotations

import functools
import logging
import sys
from typing import Any, Callable

from ..dtypes import get_default_dtype
from ..nn.modules.module import Module
from ..runtime.levels import running
from ..runtime.trace import Value, trace
from ..tensor.autocast import active as autocasts
from ..tensor.grad_mode import anomaly, mode
from ..tensor.node import AccumulateGrad
from ..tensor.tensor import Tensor
from .capture import Refused, capture, reachable
from .guards import Unguarded
from .program import MISMATCH, Replay
from .structure import Structure
from .watch import Watch

RECORDINGS = 8  # kept of one function (PyTorch's recompile_limit): calls of further kinds are recorded each time
ATTEMPTS = 6  # captures of one kind of call that do not agree, before it is left alone

_log = logging.getLogger("flambeau.compile")


class Unsupported(RuntimeError):
    """With fullgraph=True: the function does something that cannot be replayed."""


Unsupported.__module__ = "torch._dynamo.exc"


class _Kind:
    """What is known of the calls with one kind of arguments. replays: usable. reach: the tensors and generators that the last
    call could reach. candidate: recorded once. tries: so far; None: given up."""

    __slots__ = ("replays", "reach", "candidate", "tries")

    def __init__(self) -> None:
        self.replays: list[Replay] = []
        self.reach: tuple[list, list] | None = None
        self.candidate: Replay | None = None
        self.tries: int | None = 0


class Compiled:
    """A function whose calls are replayed once two calls of a kind have been recorded alike."""

    def __init__(self, fn: Callable[..., Any], name: str, fullgraph: bool = False):
        self.fn, self.name, self.fullgraph = fn, name, fullgraph
        self._kinds: dict[Any, _Kind] = {}
        self._count = 0
        self._told = False

    def call(self, args: tuple, kwargs: dict) -> Any:
        if trace.capture is not None or autocasts or anomaly.enabled or running():
            return self.fn(*args, **kwargs)
        arguments: Structure | None = None
        if not kwargs and all([isinstance(x, Tensor) for x in args]):  # most calls: no need to look for tensors
            tensors = list(args)
            key = _key(len(args), tensors)
        else:
            arguments, tensors = Structure.of((args, kwargs), objects=True)
            key = _key(arguments, tensors)
        kind = None if key is None else self._kinds.get(key)
        if kind is not None:
            for replay in kind.replays:
                result = replay.run(tensors)
                if result is not MISMATCH:
                    return result
        if key is None:
            return self.fn(*args, **kwargs)
        if kind is None:
            kind = self._kinds[key] = _Kind()
        if arguments is None:
            arguments, _ = Structure.of((args, kwargs))
        assert arguments is not None
        return self._learn(kind, arguments, tensors, args, kwargs)

    def _learn(self, kind: _Kind, arguments: Structure, tensors: list[Tensor], args: tuple, kwargs: dict) -> Any:
        """A call that cannot be replayed yet. The first of a kind makes what is made once (an optimizer's state, a cache)."""
        if kind.tries is None or sys.getprofile() is not None:  # a profiler is looking: it has the one place from which calls are seen
            return self.fn(*args, **kwargs)
        kind.tries += 1
        if kind.reach is None:
            return self._look(kind, args, kwargs)
        if self._count >= RECORDINGS:
            self._give_up(kind, f"it was called in more than {RECORDINGS} ways (shapes, modes, plain arguments)")
            return self.fn(*args, **kwargs)
        result, found = capture(self.fn, arguments, tensors, kind.reach, functools.partial(Replay, self.name))
        if isinstance(found, Refused):
            self._give_up(kind, str(found))
        else:
            kind.reach = found.guards.tensors, found.guards.generators
            self._accept(kind, found)
        return result

    def _look(self, kind: _Kind, args: tuple, kwargs: dict) -> Any:
        with (watch := Watch()):
            result = self.fn(*args, **kwargs)
        try:
            guards = reachable(self.fn, watch, [*args, *kwargs.values()])
            kind.reach = guards.tensors, guards.generators
        except Unguarded as why:
            self._give_up(kind, str(why))
        return result

    def _accept(self, kind: _Kind, found: Replay) -> None:
        for i, old in enumerate(kind.replays):
            if old.loose_key == found.loose_key:  # only learning rates differ
                found.free_rates()
                kind.replays[i] = found
                return
        if kind.candidate is not None and kind.candidate.key == found.key:
            kind.replays.insert(0, found)
            kind.candidate, kind.tries = None, 0
            self._count += 1
            return
        kind.candidate = found
        assert kind.tries is not None
        if kind.tries > ATTEMPTS:
            self._give_up(kind, "no two calls record the same")

    def _give_up(self, kind: _Kind, why: str) -> None:
        kind.tries = kind.candidate = None
        if self.fullgraph:
            raise Unsupported(f"torch.compile(fullgraph=True): a call of {self.name} cannot be replayed: {why}")
        if not self._told:
            self._told = True
            _log.warning("torch.compile: calls of %s are recorded each time and not replayed: %s", self.name, why)


def _key(arguments: Structure | int | None, tensors: list[Tensor]) -> Any:
    """What distinguishes kinds of calls. arguments: a number for so many tensors and nothing else. None: a call with such arguments
    cannot be replayed."""
    parts: list[Any] = [arguments, mode.enabled, mode.inference, get_default_dtype()]
    for t in tensors:
        value = t._storage.value
        if value.__class__ is not Value:
            return None
        view = t._view
        if view is None:
            parts.append(value.type)
        elif not t.is_contiguous():  # type: ignore[attr-defined]
            return None
        else:
            parts += view.shape, view.dtype
        node = t._node
        parts += t.__class__, None if node is None else node.__class__ is AccumulateGrad
    if len(tensors) > 1 and len({id(t._storage) for t in tensors}) != len(tensors):
        return None
    return tuple(parts)


def compile_function(fn: Callable[..., Any], fullgraph: bool) -> Callable[..., Any]:
    """fn, replayed."""
    name = getattr(fn, "__qualname__", type(fn).__qualname__)
    compiled = Compiled(fn, name, fullgraph)

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return compiled.call(args, kwargs)
    wrapper._torchdynamo_orig_callable = fn  # type: ignore[attr-defined]
    return wrapper


def compile_module(module: Module, fullgraph: bool) -> Module:
    """module, replayed; a compiled one as it is."""
    return module if isinstance(module, OptimizedModule) else OptimizedModule(module, fullgraph)


class OptimizedModule(Module):
    """A compiled model: its calls are replayed; all else is the model's own. `state_dict` names begin with "_orig_mod."."""

    def __init__(self, module: Module, fullgraph: bool = False):
        super().__init__()
        self._orig_mod = module
        self.__dict__["_compiled"] = Compiled(module, type(module).__qualname__, fullgraph)
        self.training = module.training

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled.call(args, kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's own."""
        return self._orig_mod(*args, **kwargs)

    def train(self, mode: bool = True) -> OptimizedModule:
        """As of the model."""
        self._orig_mod.train(mode)
        self.training = mode
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self.__dict__["_modules"]["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" in self.__dict__ and "_orig_mod" in self.__dict__["_modules"] and name != "training":
            setattr(self._orig_mod, name, value)
        else:
            super().__setattr__(name, value)

    def __getstate__(self) -> dict:
        state = super().__getstate__()
        state.pop("_compiled", None)  # recordings are made anew
        return state

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        module = self._orig_mod
        self.__dict__["_compiled"] = Compiled(module, type(module).__qualname__)

    def __len__(self) -> int:
        return len(self._orig_mod)  # type: ignore[arg-type]
