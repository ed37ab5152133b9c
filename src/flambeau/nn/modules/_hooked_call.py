"""How a module is called: straight to `forward`, or, where hooks are registered, through them.

`HookedCall` is the base of `Module` that holds the hook tables' use. Its `__call__` asks one attribute, `_hooked`:
False on the class, it becomes True on a module that gets a hook, and on the class when a hook for all modules is
registered. The slow way, `_call_impl`, takes it back when no hook is left.
An error that leaves the outermost module's `forward` says in its message which module it comes from.
"""
from __future__ import annotations

import functools
import sys
import warnings
from collections import OrderedDict
from typing import Any

from ...tensor.tensor import Tensor
from ...utils.hooks import BackwardHook, RemovableHandle

_global_backward_pre_hooks: OrderedDict = OrderedDict()
_global_backward_hooks: OrderedDict = OrderedDict()
_global_forward_pre_hooks: OrderedDict = OrderedDict()
_global_forward_hooks: OrderedDict = OrderedDict()
_global_forward_hooks_with_kwargs: OrderedDict = OrderedDict()
_global_forward_hooks_always_called: OrderedDict = OrderedDict()
_global_is_full_backward_hook: bool | None = None

_MIXED = "Cannot use both regular backward hooks and full backward hooks {}. Please use only one of them."
_HOOK_TABLES = ("_backward_hooks", "_backward_pre_hooks", "_forward_hooks", "_forward_pre_hooks")
_GLOBAL_TABLES = (_global_backward_hooks, _global_backward_pre_hooks, _global_forward_hooks, _global_forward_pre_hooks)


def _register(hooks: OrderedDict, hook: Any, *flags: tuple[OrderedDict, bool],
              prepend: bool = False) -> RemovableHandle:
    """Put `hook` in the table `hooks`, and its number in each table of `flags` whose condition holds."""
    handle = RemovableHandle(hooks, extra_dict=[table for table, _ in flags])
    hooks[handle.id] = hook
    for table, condition in flags:
        if condition:
            table[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _register_global(hooks: OrderedDict, hook: Any, *flags: tuple[OrderedDict, bool]) -> RemovableHandle:
    HookedCall._hooked = True
    return _register(hooks, hook, *flags)


def register_module_forward_pre_hook(hook: Any) -> RemovableHandle:
    """hook(module, args) runs before the `forward` of every module; what it returns replaces args. For debugging."""
    return _register_global(_global_forward_pre_hooks, hook)


def register_module_forward_hook(hook: Any, *, with_kwargs: bool = False, always_call: bool = False) -> RemovableHandle:
    """hook(module, args, output) runs after the `forward` of every module; what it returns replaces the output.

    with_kwargs: the hook is hook(module, args, kwargs, output).  always_call: it also runs when forward raises.
    """
    return _register_global(_global_forward_hooks, hook, (_global_forward_hooks_with_kwargs, with_kwargs),
                            (_global_forward_hooks_always_called, always_call))


def register_module_backward_hook(hook: Any) -> RemovableHandle:
    """hook(module, grad_input, grad_output) on the last autograd node of every module. Deprecated: prefer the full
    hook."""
    return _register_global_backward(hook, full=False)


def register_module_full_backward_pre_hook(hook: Any) -> RemovableHandle:
    """hook(module, grad_output) runs before the backward pass through any module; what it returns replaces
    grad_output."""
    return _register_global(_global_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Any) -> RemovableHandle:
    """hook(module, grad_input, grad_output) runs after the backward pass through any module; it may replace
    grad_input."""
    return _register_global_backward(hook, full=True)


def _register_global_backward(hook: Any, full: bool) -> RemovableHandle:
    global _global_is_full_backward_hook
    if _global_is_full_backward_hook is (not full):
        raise RuntimeError(_MIXED.format("as a global Module hook"))
    _global_is_full_backward_hook = full
    return _register_global(_global_backward_hooks, hook)


class HookedCall:
    """The calling side of `Module`."""

    _hooked = False  # whether a call has to look for hooks

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooked:
                compiled = self.__dict__.get("_compiled_call_impl")
                return self._call_impl(*args, **kwargs) if compiled is None else compiled(*args, **kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            _name_module(error, self)
            raise

    # ------------------------------------------------------------------ registering

    def _hook_table(self, name: str) -> OrderedDict:
        self.__dict__["_hooked"] = True
        return self.__dict__[name]

    def register_forward_pre_hook(self, hook: Any, *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """hook(module, args) runs before `forward`; a tuple (or single value) that it returns replaces args.

        prepend: run before the module's other pre-hooks.  with_kwargs: the hook is hook(module, args, kwargs) and
        returns None or (args, kwargs).
        """
        return _register(self._hook_table("_forward_pre_hooks"), hook,
                         (self._forward_pre_hooks_with_kwargs, with_kwargs), prepend=prepend)

    def register_forward_hook(self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """hook(module, args, output) runs after `forward`; what it returns, if not None, replaces the output.

        prepend: run before the module's other hooks.  with_kwargs: the hook is hook(module, args, kwargs, output).
        always_call: run also when forward, or another hook, raises (output is then what there is so far).
        """
        return _register(self._hook_table("_forward_hooks"), hook, (self._forward_hooks_with_kwargs, with_kwargs),
                         (self._forward_hooks_always_called, always_call), prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(module, grad_output) runs when the gradients of the outputs are known; a tuple it returns replaces
        them."""
        return _register(self._hook_table("_backward_pre_hooks"), hook, prepend=prepend)

    def register_full_backward_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(module, grad_input, grad_output) runs when the gradients of the inputs are known; it may return others.

        Inputs and outputs are positional tensors, None stands where there is none. They must not be changed in place.
        """
        return self._register_backward(hook, full=True, prepend=prepend)

    def register_backward_hook(self, hook: Any) -> RemovableHandle:
        """hook(module, grad_input, grad_output) on the autograd node of the output. Deprecated: prefer the full
        hook."""
        return self._register_backward(hook, full=False)

    def _register_backward(self, hook: Any, full: bool, prepend: bool = False) -> RemovableHandle:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(_MIXED.format("on a single Module"))
        self._is_full_backward_hook = full
        return _register(self._hook_table("_backward_hooks"), hook, prepend=prepend)

    # ------------------------------------------------------------------ calling with hooks

    def _has_hooks(self) -> bool:
        return any(_GLOBAL_TABLES) or any(getattr(self, table) for table in _HOOK_TABLES)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        """`forward` amid the hooks of this module and of all modules."""
        if not self._has_hooks():
            if "_compiled_call_impl" not in self.__dict__:
                self.__dict__.pop("_hooked", None)
            if not any(_GLOBAL_TABLES):
                HookedCall._hooked = False
            return self.forward(*args, **kwargs)
        result = None
        called: set[int] = set()
        try:
            args, kwargs = self._run_forward_pre_hooks(args, kwargs)
            full_hooks, plain_hooks = self._get_backward_hooks()
            pre_hooks = self._get_backward_pre_hooks()
            around = BackwardHook(self, full_hooks, pre_hooks) if full_hooks or pre_hooks else None
            if around is not None:
                args = around.setup_input_hook(args)
            result = self.forward(*args, **kwargs)
            for number, hook in (*_global_forward_hooks.items(), *self._forward_hooks.items()):
                called.add(number)
                replaced = self._run_forward_hook(number, hook, args, kwargs, result)
                if replaced is not None:
                    result = replaced
            if around is not None:
                if not isinstance(result, (Tensor, tuple)):
                    warnings.warn("For backward hooks to be called, module output should be a Tensor or a tuple of "
                                  f"Tensors but received {type(result)}", stacklevel=3)
                result = around.setup_output_hook(result)
            if plain_hooks:
                self._attach_plain_backward_hooks(plain_hooks, args, result)
            return result
        except Exception:
            self._run_always_called_hooks(called, args, kwargs, result)
            raise

    def _run_forward_pre_hooks(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        for number, hook in (*_global_forward_pre_hooks.items(), *self._forward_pre_hooks.items()):
            if number in self._forward_pre_hooks_with_kwargs:
                replaced = hook(self, args, kwargs)
                if replaced is None:
                    continue
                if not (isinstance(replaced, tuple) and len(replaced) == 2):
                    raise RuntimeError("forward pre-hook must return None or a tuple of (new_args, new_kwargs), but "
                                       f"got {replaced}.")
                args, kwargs = replaced
            else:
                replaced = hook(self, args)
                if replaced is not None:
                    args = replaced if isinstance(replaced, tuple) else (replaced,)
        return args, kwargs

    def _run_forward_hook(self, number: int, hook: Any, args: tuple, kwargs: dict, result: Any) -> Any:
        if number in self._forward_hooks_with_kwargs or number in _global_forward_hooks_with_kwargs:
            return hook(self, args, kwargs, result)
        return hook(self, args, result)

    def _run_always_called_hooks(self, called: set[int], args: tuple, kwargs: dict, result: Any) -> None:
        """After an error: the hooks that asked to be called all the same; their own errors become warnings."""
        for kind, hooks, always in (("global module", _global_forward_hooks, _global_forward_hooks_always_called),
                                    ("module", self._forward_hooks, self._forward_hooks_always_called)):
            for number, hook in hooks.items():
                if number not in always or number in called:
                    continue
                try:
                    replaced = self._run_forward_hook(number, hook, args, kwargs, result)
                    if replaced is not None:
                        result = replaced
                except Exception as error:
                    warnings.warn(f"{kind} forward hook with ``always_call=True`` raised an exception that was "
                                  f"silenced as another error was raised in forward: {error}", stacklevel=4)

    # ------------------------------------------------------------------ backward hooks

    def _get_backward_hooks(self) -> tuple[list, list]:
        """The full backward hooks, and the plain ones of old."""
        full, plain = [], []
        for is_full, hooks in ((_global_is_full_backward_hook, _global_backward_hooks),
                               (self._is_full_backward_hook, self._backward_hooks)):
            (full if is_full else plain).extend(hooks.values())
        return full, plain

    def _get_backward_pre_hooks(self) -> list:
        return [*_global_backward_pre_hooks.values(), *self._backward_pre_hooks.values()]

    def _attach_plain_backward_hooks(self, hooks: list, args: tuple, result: Any) -> None:
        first = result
        while not isinstance(first, Tensor):
            first = next(v for v in first.values() if isinstance(v, Tensor)) if isinstance(first, dict) else first[0]
        node = first.grad_fn
        if node is None:
            return
        for hook in hooks:
            node.register_hook(functools.partial(hook, self))
        self._maybe_warn_non_full_backward_hook(args, result, node)

    def _maybe_warn_non_full_backward_hook(self, inputs: Any, result: Any, node: Any) -> None:
        """Say what a plain backward hook on `node` will not see."""
        outputs, inputs = _tensors(result), _tensors(inputs)
        deprecated = "is deprecated and will be removed in future versions. This hook will be missing some"
        prefer = "Please use register_full_backward_hook to get the documented behavior."
        if outputs is None:
            text = ("Using non-full backward hooks on a Module that does not return a single Tensor or a tuple of "
                    f"Tensors {deprecated} of the grad_output. {prefer}")
        elif inputs is None:
            text = ("Using non-full backward hooks on a Module that does not take as input a single Tensor or a tuple "
                    f"of Tensors {deprecated} of the grad_input. {prefer}")
        else:
            nodes = {output.grad_fn for output in outputs} - {None}
            if nodes != {node} and len(nodes) < 2:
                text = ("Using a non-full backward hook when outputs are nested in python data structure "
                        f"{deprecated} grad_output.")
            elif len(nodes) > 1:
                text = ("Using a non-full backward hook when outputs are generated by different autograd Nodes "
                        f"{deprecated} grad_output. {prefer}")
            elif {entry.grad_fn for entry in inputs} - {None} != {entry[0] for entry in node.next_functions}:
                text = ("Using a non-full backward hook when the forward contains multiple autograd Nodes "
                        f"{deprecated} grad_input. {prefer}")
            else:
                return
        warnings.warn(text, FutureWarning, stacklevel=6)


def _tensors(value: Any) -> tuple | None:
    """A tensor, or a tuple of tensors, as a tuple; None for anything else."""
    if isinstance(value, Tensor):
        return (value,)
    return value if isinstance(value, tuple) and all(isinstance(item, Tensor) for item in value) else None


_CALL = HookedCall.__call__.__code__


def _name_module(error: Exception, module: Any) -> None:
    """Add to the error's message where in the model it was raised; done by the outermost module on the stack, once."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code is _CALL:
            return
        frame = frame.f_back
    message = error.args[0] if error.args else None
    if not isinstance(message, str) or str(error) != message or "\n  in module " in message:
        return  # not a plain message (a KeyError's key, an OSError's number), or told already
    from ._diagnosis import path_of, way_of  # for this only
    inner, args = module, ()
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is _CALL:
            inner, args = trace.tb_frame.f_locals["self"], trace.tb_frame.f_locals["args"]
        trace = trace.tb_next
    place = path_of(module, inner)
    if place is None:
        return
    way = way_of(args[0]) if args else None
    error.args = ("\n  ".join([message, place] + ([way] if way else [])), *error.args[1:])


def has_any_global_hook() -> bool:
    """Whether a hook for all modules is registered."""
    return any(_GLOBAL_TABLES)
