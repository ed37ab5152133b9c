"""Handles that remove hooks, and the machinery behind `Module.register_full_backward_hook`."""
from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..runtime.changes import changes

class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again; so does leaving a `with` block.

    hooks_dict: the table that holds the hook, under `handle.id`. It is not kept alive.
    extra_dict: a table, or a list of tables, with further facts about the hook under the same number.
    """

    next_id = 0

    def __init__(self, hooks_dict: dict, *, extra_dict: dict | list[dict] | None = None):
        extra = [] if extra_dict is None else [extra_dict] if isinstance(extra_dict, dict) else extra_dict
        self._tables = [_reference(table) for table in (hooks_dict, *extra)]
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        changes.count += 1

    def remove(self) -> None:
        """Take the hook away; nothing happens if it is gone already."""
        changes.count += 1
        for reference in self._tables:
            table = reference()
            if table is not None:
                table.pop(self.id, None)

    def __getstate__(self):
        hooks, *extra = (reference() for reference in self._tables)
        return hooks, self.id, tuple(extra)

    def __setstate__(self, state):
        hooks, self.id, *extra = state
        tables = [hooks, *(extra[0] if extra else ())]
        self._tables = [_reference(OrderedDict() if table is None else table) for table in tables]
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: Any) -> None:
        self.remove()


def _reference(table: dict) -> Callable[[], dict | None]:
    """A weak reference where the table's type allows one (a plain dict does not)."""
    return weakref.ref(table) if isinstance(table, OrderedDict) else lambda: table


def unserializable_hook(f: Callable) -> Callable:
    """Decorator: pickling a tensor with this hook need not warn that the hook is lost."""
    f.__torch_unserializable__ = True
    return f


def warn_if_has_hooks(tensor: Any) -> None:
    """Warn for each backward hook of `tensor` that pickling would lose without having been told so."""
    for hook in (tensor._backward_hooks or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(f"backward hook {hook!r} on tensor will not be serialized.  If this is expected, you can "
                          "decorate the function with @torch.utils.hooks.unserializable_hook to suppress this warning",
                          stacklevel=2)


class BackwardHook:
    """Runs a module's full backward hooks: one use for one call of the module.

    Identity nodes are put before the module's input tensors and behind its output tensors. When the backward pass
    reaches the outer one, the gradients of the outputs are known (pre-hooks run); at the inner one, those of the inputs
    (hooks run). Positions that hold no tensor are None in what the hooks see.
    """

    def __init__(self, module: Any, user_hooks: list[Callable], user_pre_hooks: list[Callable]):
        self.module, self.user_hooks, self.user_pre_hooks = module, user_hooks, user_pre_hooks
        self.grad_outputs: tuple | None = None
        self.n_inputs = self.n_outputs = -1
        self.inputs_at: list[int] | None = None
        self.outputs_at: list[int] | None = None

    def setup_input_hook(self, args: tuple) -> tuple:
        """The module's arguments, with the inner nodes behind its tensors."""
        args, self.inputs_at = _through_identity(args, self._at_inputs)
        self.n_inputs = len(args)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        """The module's result, with the outer node behind its tensors."""
        results = result if isinstance(result, tuple) else (result,)
        results, self.outputs_at = _through_identity(results, self._at_outputs)
        self.n_outputs = len(results)
        return results if isinstance(result, tuple) else results[0]

    def _at_outputs(self, _: Any, grad_output: tuple) -> tuple | None:
        self.grad_outputs = _spread(grad_output, self.outputs_at, self.n_outputs)
        for hook in self.user_pre_hooks:
            replaced = hook(self.module, self.grad_outputs)
            if replaced is None:
                continue
            if len(replaced) != len(self.grad_outputs):
                raise RuntimeError("Backward pre hook returned an invalid number of grad_output, "
                                   f"got {len(replaced)}, but expected {len(self.grad_outputs)}")
            self.grad_outputs = replaced
        passed_on = tuple(self.grad_outputs[i] for i in self.outputs_at)
        if self.inputs_at is None:
            self._without_inputs()
        return passed_on

    def _without_inputs(self) -> None:
        """No input requires a gradient, so the inner node does not exist: the hooks run here, and may not change
        anything."""
        warnings.warn("Full backward hook is firing when gradients are computed with respect to module outputs since "
                      "no inputs require gradients. See "
                      "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
                      "#torch.nn.Module.register_full_backward_hook for more details.", stacklevel=5)
        for hook in self.user_hooks:
            result = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if result is not None and not (isinstance(result, tuple) and all(item is None for item in result)):
                raise RuntimeError("Backward hook for Modules where no input requires gradient should always return "
                                   "None or None for all gradients.")
        self.grad_outputs = None

    def _at_inputs(self, grad_input: tuple, _: Any) -> tuple | None:
        if self.grad_outputs is None:
            return None  # a gradient reached the inputs by a way around the outputs, as in double backward
        grads = _spread(grad_input, self.inputs_at, self.n_inputs)
        for hook in self.user_hooks:
            replaced = hook(self.module, grads, self.grad_outputs)
            if replaced is None:
                continue
            if len(replaced) != len(grads):
                raise RuntimeError("Backward hook returned an invalid number of grad_input, "
                                   f"got {len(replaced)}, but expected {len(grads)}")
            grads = replaced
        self.grad_outputs = None
        return tuple(grads[i] for i in self.inputs_at)


def _spread(values: tuple, places: list[int], size: int) -> tuple:
    """`size` places, all None but `places`, which hold `values`."""
    spread = [None] * size
    for place, value in zip(places, values):
        spread[place] = value
    return tuple(spread)


def _through_identity(args: tuple, hook: Callable) -> tuple[tuple, list[int] | None]:
    """`args` with its tensors sent through one identity node that carries `hook`, and where they are.

    Without a tensor that requires a gradient nothing is done, and the place is None.
    """
    import flambeau
    from flambeau.nn.modules._functions import BackwardHookFunction

    places = [place for place, arg in enumerate(args) if isinstance(arg, flambeau.Tensor)]
    if not (flambeau.is_grad_enabled() and any(args[place].requires_grad for place in places)):
        return args, None
    tensors = BackwardHookFunction.apply(*(args[place] for place in places))
    node = next(tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None)
    node.register_hook(hook)
    replaced = list(args)
    for place, tensor in zip(places, tensors):
        replaced[place] = tensor
    return (tuple(replaced) if type(args) is tuple else type(args)(*replaced)), places
