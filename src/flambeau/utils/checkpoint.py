"""Checkpointing: a part of a model keeps its inputs only, and is run again when backward needs what it computed
(Chen et al., "Training deep nets with sublinear memory cost", 2016).

`use_reentrant=False` lets hooks stand in for every saved tensor (`autograd.graph.saved_tensors_hooks`); the first that
backward asks for runs the function again. `use_reentrant=True` is an `autograd.Function` with a backward pass of its own. `create_selective_checkpoint_contexts` keeps
the results of chosen operations, which do not run again.
"""
from __future__ import annotations

import enum
import warnings
import weakref
from collections import defaultdict
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, Callable, ContextManager, Iterator, Sequence

from .._ops import OpOverload, OpOverloadPacket, aten, identify
from ..autograd import Function, backward
from ..autograd.engine import current_pass
from ..autograd.grad_mode import enable_grad, no_grad
from ..autograd.graph import saved_tensors_hooks
from ..random import default_generator
from ..runtime.trace import flush, record
from ..tensor.interception import Interceptor
from ..tensor.tensor import Tensor

__all__ = ["CheckpointError", "CheckpointFunction", "CheckpointPolicy", "DefaultDeviceType", "GraphExecGroup", "SAC_IGNORED_OPS",
           "SelectiveCheckpointContext", "check_backward_validity", "checkpoint", "checkpoint_sequential",
           "create_selective_checkpoint_contexts", "detach_variable", "get_device_states", "noop_context_fn", "set_checkpoint_debug_enabled", "set_checkpoint_early_stop",
           "set_device_states"]


class CheckpointError(RuntimeError):
    """The function did not do the same when it ran again."""


class DefaultDeviceType:
    """The device type that checkpoints without tensors of another device take; kept for programs that set it."""

    _device = "cuda"

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Sets it."""
        DefaultDeviceType._device = device

    @staticmethod
    def get_device_type() -> str:
        """It."""
        return DefaultDeviceType._device


def noop_context_fn() -> tuple[ContextManager, ContextManager]:
    """Two contexts that do nothing: what `context_fn` is by default."""
    return nullcontext(), nullcontext()


def detach_variable(inputs: tuple) -> tuple:
    """The tensors of a tuple as leaves that require gradients where these did; other values as they are."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)  # type: ignore[attr-defined]


def check_backward_validity(inputs: Any) -> None:
    """Warns if no input requires a gradient."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):  # type: ignore[attr-defined]
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", UserWarning, stacklevel=3)


def get_device_states(*args: Any) -> tuple[list, list]:
    """(devices, states) of the generators of accelerators among the arguments' devices: none, as all tensors are on the CPU."""
    return [], []


def set_device_states(devices: Sequence, states: Sequence, *, device_type: str | None = None) -> None:
    """Puts back what `get_device_states` gave."""


# ------------------------------------------------------------------ running again

class _Surroundings:
    """What a function's results depend on beside its arguments: the random stream and autocast, as they were."""

    def __init__(self, preserve_rng_state: bool):
        self.random = (default_generator.state, default_generator.normal) if preserve_rng_state else None
        self.autocast = _autocast_state()

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Inside, they are so again."""
        with ExitStack() as stack:
            if self.random is not None:
                now = default_generator.state, default_generator.normal
                default_generator.state, default_generator.normal = self.random
                stack.callback(_set_random, *now)
            if self.autocast is not None:
                from ..amp import autocast
                stack.enter_context(autocast("cpu", **self.autocast))
            yield


def _set_random(state: Any, normal: Any) -> None:
    default_generator.state, default_generator.normal = state, normal


def _autocast_state() -> dict | None:
    """Arguments of an `autocast` that restores the present state; None where autocast was never used."""
    import sys
    module = sys.modules.get(__package__.rpartition(".")[0] + ".amp.autocast_mode")
    return None if module is None else module.state_of("cpu")


# ------------------------------------------------------------------ by hooks

_debug: bool | None = None


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Inside, running again stops (or not) as soon as all saved tensors are there; overrides `checkpoint`'s argument."""
    global _forced_early_stop
    before, _forced_early_stop = _forced_early_stop, enable
    try:
        yield
    finally:
        _forced_early_stop = before


_forced_early_stop: bool | None = None


@contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Inside, checkpoints have `debug` on or off whatever their argument says; None leaves it to that."""
    global _debug
    before, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = before


class _Stop(BaseException):
    """All that backward wants has been computed."""


class _Holder:
    """Stands for saved tensor number `index`."""

    __slots__ = ("index", "__weakref__")

    def __init__(self, index: int):
        self.index = index


_METADATA = {"default": lambda t: {"shape": t.shape, "dtype": t.dtype, "device": t.device}, "none": lambda t: None}


class _Region:
    """One call of a checkpointed function: what it saved, and how to have that again."""

    def __init__(self, run_again: Callable[[], Any], metadata_of: Callable, early_stop: bool, debug: bool):
        self.run_again, self.metadata_of, self.early_stop, self.debug = run_again, metadata_of, early_stop, debug
        self.metadata: list = []
        self.holders: list[weakref.ref] = []
        self.again: dict[int, Tensor] = {}
        self.count = 0
        self.ran_for: Any = None

    def pack(self, t: Tensor) -> _Holder:
        """For the first run: forgets the tensor."""
        holder = _Holder(len(self.holders))
        self.holders.append(weakref.ref(holder))
        self.metadata.append(self.metadata_of(t))
        return holder

    def unpack(self, holder: _Holder) -> Tensor:
        """For backward: the tensor, each time it is asked for; runs again when it is not there (any more), and once for every
        pass, or for all of a `GraphExecGroup`."""
        group = GraphExecGroup._get_current_group()
        asking = group or current_pass()
        if asking is not self.ran_for or holder.index not in self.again and group is None:
            self._recompute()
            self.ran_for = asking
        if holder.index not in self.again:
            raise CheckpointError("torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. Performing "
                                  "two backward calls that overlap (i.e. require the same saved activation in order to compute gradients) "
                                  "is not allowed while under the torch.utils.checkpoint.GraphExecGroup context.")
        return self.again.pop(holder.index)

    def _recompute(self) -> None:
        flush()  # what was computed before is done with: merged with it, this run would keep its results alive
        self.again.clear()
        self.count = 0
        try:
            with saved_tensors_hooks(self._pack_again, lambda t: t), enable_grad():
                self.run_again()
        except _Stop:
            pass
        if self.count < len(self.holders):
            raise CheckpointError("torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                                  f"recomputation.\nNumber of tensors saved during forward: {len(self.holders)}\nNumber of tensors saved "
                                  f"during recomputation: {self.count}.")

    def _pack_again(self, t: Tensor) -> Tensor:
        i, self.count = self.count, self.count + 1
        if i >= len(self.holders):
            raise CheckpointError("torch.utils.checkpoint: trying to save more tensors during recomputation than during the original forward "
                                  "pass.")
        now = self.metadata_of(t)
        if now != self.metadata[i]:
            raise CheckpointError("torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the "
                                  f"forward pass.\ntensor at position {i}:\nsaved metadata: {self.metadata[i]}\nrecomputed metadata: {now}")
        if self.holders[i]() is not None:
            self.again[i] = t.detach()  # type: ignore[attr-defined]
        if self.early_stop and self.count == len(self.holders):
            raise _Stop
        return t.detach()  # type: ignore[attr-defined]


def _by_hooks(function: Callable, preserve_rng_state: bool, context_fn: Callable, determinism_check: str, debug: bool, early_stop: bool,
              args: tuple, kwargs: dict) -> Any:
    if determinism_check not in _METADATA:
        raise ValueError(f"determinism_check should be one of {list(_METADATA)}, but got {determinism_check}")
    forward_context, again_context = context_fn()
    surroundings = _Surroundings(preserve_rng_state)

    def run_again() -> None:
        with surroundings.restored(), again_context:
            function(*args, **kwargs)
    region = _Region(run_again, _METADATA[determinism_check], early_stop if _forced_early_stop is None else _forced_early_stop, debug)
    with saved_tensors_hooks(region.pack, region.unpack), forward_context:
        return function(*args, **kwargs)


class GraphExecGroup:
    """A context for several backward passes through different parts of the same checkpoints: each checkpoint runs again at most
    once for all of them. Such contexts are not nested."""

    _current: GraphExecGroup | None = None

    def __enter__(self) -> GraphExecGroup:
        if GraphExecGroup._current is not None:
            raise RuntimeError(f"GraphExecGroup contexts cannot be nested. Already inside group {GraphExecGroup._current}")
        GraphExecGroup._current = self
        return self

    def __exit__(self, *args: object) -> None:
        GraphExecGroup._current = None

    @classmethod
    def _get_current_group(cls) -> GraphExecGroup | None:
        return GraphExecGroup._current


# ------------------------------------------------------------------ without what was kept

class CheckpointPolicy(enum.Enum):
    """What becomes of an operation's result: it is kept from the first run (SAVE, CPU_OFFLOAD: all of it is in the computer's memory
    here), or computed again. MUST and PREFER differ for a compiler that would choose for itself; there is none here."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


_KEPT = (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_SAVE)
SAC_IGNORED_OPS = {aten.detach.default}  # what policies are not asked about


class SelectiveCheckpointContext:
    """What a policy is told beside the operation and its arguments. is_recompute: False: only the first run asks. op_output: the
    operation's result."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute, self.op_output = is_recompute, op_output


class _Kept:
    """What an operation computed in the first run: all values of the recorded call, and the memory of its results, each with the
    version that must not have changed."""

    def __init__(self, values: list, results: list):
        self.values, self.results = values, [(t._storage, t._storage.version) for t in results]

    def take(self, allow_mutation: bool) -> list:
        """The values. RuntimeError if somebody has written to the results."""
        if not allow_mutation and any(storage.version != version for storage, version in self.results):
            raise RuntimeError("Tensor cached during selective activation checkpoint has been mutated")
        return self.values


_AGAIN, _TAKEN = "compute it again", "taken by an earlier backward pass"
_DIFFERENT = ("This can happen if the operations in the checkpointed region are nondeterministic or depend on global state that changed "
              "between forward and backward.")


class _Numbered(Interceptor):
    """Knows which operation each call is, and how many calls of it there were before. storage: by both, what the first run says."""

    def __init__(self, storage: dict[OpOverload, dict[int, Any]]):
        self.storage = storage
        self.counts: dict[OpOverload, int] = defaultdict(int)

    def call(self, op: Any, spec: Any, args: tuple, run: Callable[[Callable], list]) -> list:
        """As `numbered_call` has it; calls that are no operation of PyTorch's, or ignored, are left alone."""
        found = identify(op, spec, args)
        if found is None or found[0] in SAC_IGNORED_OPS:
            return run(record)
        overload, args = found
        number = self.counts[overload]
        self.counts[overload] += 1
        return self.numbered_call(overload, number, args, run)

    def numbered_call(self, overload: OpOverload, number: int, args: tuple, run: Callable[[Callable], list]) -> list:
        """The results of call number `number` of an operation."""
        raise NotImplementedError


class _Keeping(_Numbered):
    """The context of the first run, which keeps what the policy says."""

    def __init__(self, policy: Callable, storage: dict[OpOverload, dict[int, Any]]):
        super().__init__(storage)
        self.policy = policy

    def numbered_call(self, overload: OpOverload, number: int, args: tuple, run: Callable[[Callable], list]) -> list:
        values: list = []

        def remember(spec: Any, operands: list) -> list:
            values.extend(record(spec, operands))
            return values
        results = run(remember)
        self.__exit__()  # what the policy itself calls is none of its business
        try:
            output = results[0] if len(results) == 1 else tuple(results)
            policy = self.policy(SelectiveCheckpointContext(is_recompute=False, op_output=output), overload, *args)
        finally:
            self.__enter__()
        keep = policy if isinstance(policy, bool) else policy in _KEPT
        self.storage[overload][number] = _Kept(values, results) if keep else _AGAIN
        return results


class _Giving(_Numbered):
    """The context of the second run, which gives what was kept. allow_mutation: even where somebody has written to it."""

    def __init__(self, storage: dict[OpOverload, dict[int, Any]], allow_mutation: bool):
        super().__init__(storage)
        self.allow_mutation = allow_mutation

    def __enter__(self) -> Any:
        self.counts.clear()  # it is entered once for every backward pass
        return super().__enter__()

    def numbered_call(self, overload: OpOverload, number: int, args: tuple, run: Callable[[Callable], list]) -> list:
        if overload not in self.storage:
            raise RuntimeError(f"{overload} encountered during backward but not found in storage. {_DIFFERENT}")
        entries = self.storage[overload]
        entry = entries.get(number)
        if entry is None:
            raise RuntimeError(f"{overload} invocation index {number} encountered during backward but not found in storage. {_DIFFERENT}")
        if entry is _TAKEN:
            raise RuntimeError("Trying to backward an extra time. You are only allowed to backward once on any region computed under "
                               "selective activation checkpoint.")
        if entry is _AGAIN:
            return run(record)
        entries[number] = _TAKEN
        values = entry.take(self.allow_mutation)
        return run(lambda spec, operands: values)


def create_selective_checkpoint_contexts(policy_fn_or_list: Callable | list, allow_cache_entry_mutation: bool = False
                                         ) -> tuple[ContextManager, ContextManager]:
    """The contexts of a checkpoint whose second run leaves some operations out: what `context_fn` may return.

    policy_fn_or_list: policy(ctx, op, *args, **kwargs) → `CheckpointPolicy`, or True for MUST_SAVE; op is an overload of
    `torch.ops.aten`. Or a list of the overloads whose results are kept. Views, which have no memory of their own, are not asked
    about, and an operation that PyTorch decomposes into several is asked about once. allow_cache_entry_mutation: whether what was kept
    may have been written to; else that is a RuntimeError. ValueError for a list of other things, TypeError for anything else.
    """
    if isinstance(policy_fn_or_list, list):
        for op in policy_fn_or_list:
            if not isinstance(op, OpOverload):
                hint = "" if not isinstance(op, OpOverloadPacket) else \
                    "Please update the OpOverloadPacket to a specific OpOverload. For example, if you have `torch.ops.aten.mm`, change it to " \
                    "`torch.ops.aten.mm.default`."
                raise ValueError(f"Expected op in `op_list` to be an OpOverload but got: {op} of type {type(op)}. {hint}")
    elif not callable(policy_fn_or_list):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    storage: dict[OpOverload, dict[int, Any]] = defaultdict(dict)
    policy = policy_fn_or_list if callable(policy_fn_or_list) else lambda ctx, op, *args, **kwargs: op in policy_fn_or_list
    return _Keeping(policy, storage), _Giving(storage, allow_cache_entry_mutation)


# ------------------------------------------------------------------ by a Function

class CheckpointFunction(Function):
    """run_function(*args) without a graph; backward runs it with one, and a backward pass through that."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable, preserve_rng_state: bool, *args: Any) -> Any:
        """The function's results."""
        check_backward_validity(args)
        ctx.run_function, ctx.surroundings = run_function, _Surroundings(preserve_rng_state)
        ctx.inputs = [None if isinstance(x, Tensor) else x for x in args]
        ctx.places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *args: Any) -> tuple:
        """Gradients of the arguments; those of the function's parameters go to their `.grad`."""
        running = current_pass()
        if running is not None and running.chosen:
            raise RuntimeError("When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter "
                               "to .backward(). To resolve this error, you can either set use_reentrant=False, or call .backward() without "
                               "passing the `inputs` argument.")
        inputs = list(ctx.inputs)
        for i, t in zip(ctx.places, ctx.saved_tensors):
            inputs[i] = t
        flush()
        variables = detach_variable(tuple(inputs))
        with ctx.surroundings.restored(), enable_grad():
            outputs = ctx.run_function(*variables)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        wanted = [(o, g) for o, g in zip(outputs, args) if isinstance(o, Tensor) and o.requires_grad]  # type: ignore[attr-defined]
        if not wanted:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward([o for o, _ in wanted], [g for _, g in wanted])
        return (None, None, *[x.grad if isinstance(x, Tensor) else None for x in variables])  # type: ignore[attr-defined]


# ------------------------------------------------------------------ doors

def checkpoint(function: Callable, *args: Any, use_reentrant: bool | None = None, context_fn: Callable = noop_context_fn,
               determinism_check: str = "default", debug: bool = False, early_stop: bool = True, **kwargs: Any) -> Any:
    """function(*args, **kwargs), of which backward has only the arguments and runs it again.

    use_reentrant: False lets the graph be recorded and replaces what it saves; True (which is what None still means, with a
    warning) hides the function from the graph, takes no keyword arguments, and works with a plain `.backward()` only.
    preserve_rng_state=True (a keyword argument of this function): whether random numbers are the same again. context_fn:
    gives the contexts of the first and the second run. determinism_check: 'default' compares shapes and dtypes of what both
    runs save, 'none' only counts. early_stop: whether the second run stops as soon as it can.
    CheckpointError where the runs differ.
    """
    if use_reentrant is None:
        warnings.warn("torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling "
                      "checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to "
                      "preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
                      "differences between the two variants.", UserWarning, stacklevel=2)
        use_reentrant = True
    preserve_rng_state = kwargs.pop("preserve_rng_state", True)
    if not use_reentrant:
        return _by_hooks(function, preserve_rng_state, context_fn, determinism_check, debug if _debug is None else _debug, early_stop, args,
                         kwargs)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug:
        raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    return CheckpointFunction.apply(function, preserve_rng_state, *args)


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """The modules or functions one after another, checkpointed in `segments` parts of equal length; the last part is not."""
    if use_reentrant is None:
        warnings.warn("torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. In version 2.9 we "
                      "will raise an exception if use_reentrant is not passed. use_reentrant=False is recommended, but if you need to "
                      "preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
                      "differences between the two variants.", UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(steps) // segments

    def part(start: int, stop: int) -> Callable:
        def run(x: Any) -> Any:
            for step in steps[start:stop]:
                x = step(x)
            return x
        return run
    last = size * (segments - 1)
    for start in range(0, last, size or 1):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(last, len(steps))(input)
