"""`Module`: the base of every layer and model.

A module owns parameters, buffers and other modules; assigning one of these to an attribute registers it. This file
holds the tree: registering, walking, converting, showing. Calling through hooks is in `_hooked_call.py`, saving and
loading in `_state_dict.py`.
"""
from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import flambeau

from ...runtime.changes import changes
from ...tensor.tensor import Tensor
from ...utils.hooks import RemovableHandle
from ..parameter import Buffer, Parameter
from ._hooked_call import (HookedCall, _register, register_module_backward_hook, register_module_forward_hook,
                           register_module_forward_pre_hook, register_module_full_backward_hook,
                           register_module_full_backward_pre_hook)
from ._state_dict import _EXTRA_STATE_KEY_SUFFIX, StateDict, _IncompatibleKeys

__all__ = ["Module", "register_module_backward_hook", "register_module_buffer_registration_hook",
           "register_module_forward_hook", "register_module_forward_pre_hook", "register_module_full_backward_hook",
           "register_module_full_backward_pre_hook", "register_module_module_registration_hook",
           "register_module_parameter_registration_hook", "_EXTRA_STATE_KEY_SUFFIX", "_IncompatibleKeys"]

_global_buffer_registration_hooks: OrderedDict = OrderedDict()
_global_module_registration_hooks: OrderedDict = OrderedDict()
_global_parameter_registration_hooks: OrderedDict = OrderedDict()

# every hook table of a module, in the order in which they stand in its __dict__
_HOOK_TABLES = ("_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs",
                "_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs",
                "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
                "_load_state_dict_post_hooks")


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """hook(module, name, buffer) runs when any module registers a buffer; what it returns is registered instead."""
    return _register(_global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """hook(module, name, submodule) runs when any module registers a child; what it returns is registered instead."""
    return _register(_global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """hook(module, name, param) runs when any module registers a parameter; what it returns is registered instead."""
    return _register(_global_parameter_registration_hooks, hook)


def _through(hooks: OrderedDict, module: Module, name: str, value: Any) -> Any:
    """`value`, or what the registration hooks put in its place."""
    for hook in hooks.values():
        replaced = hook(module, name, value)
        if replaced is not None:
            value = replaced
    return value


def _addindent(text: str, spaces: int) -> str:
    """`text` with all lines but the first indented."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * spaces + line if line.strip() else "" for line in rest)])


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


class _Registered:
    """Where a class's modules keep the parameter, buffer or child `name`; reading it is then a look into that table.

    Without it a read ends in `Module.__getattr__`, after an exception: 1 µs in Python 3.10 and 3.11, where this takes
    0.25 µs. It is no data descriptor, so instance attributes come first; asked of the class itself it does not exist.
    """

    __slots__ = ("table", "name")

    def __init__(self, table: str, name: str) -> None:
        self.table, self.name = table, name

    def __get__(self, module: Any, owner: type) -> Any:
        try:
            return module.__dict__[self.table][self.name]
        except KeyError:
            raise AttributeError(self.name) from None  # __getattr__ is asked next


def _speed_up(module: Module, table: str, name: str) -> None:
    """Give the class of `module` a `_Registered` for `name`, unless it has something of that name."""
    cls = type(module)
    if cls is not Module and not any(name in base.__dict__ for base in cls.__mro__):
        setattr(cls, name, _Registered(table, name))


class Module(HookedCall, StateDict):
    """Base class of layers and models: subclass it, make the parts in `__init__` (after `super().__init__()`), and
    compute in `forward`; calling the module runs `forward` and the hooks.

    training: whether `train()` (True, the default) or `eval()` was called last; dropout and batch normalisation look at
    it.
    """

    dump_patches = False
    call_super_init = False  # True: __init__ passes its arguments on to the next class of the inheritance order
    training: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            if kwargs:
                raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                                f"'{next(iter(kwargs))}'")
            if args:
                raise TypeError(f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} "
                                "were given")
        state = self.__dict__  # not by attribute: __setattr__ would look for tensors
        state.update(training=True, _parameters={}, _buffers={}, _non_persistent_buffers_set=set())
        state.update((table, OrderedDict()) for table in _HOOK_TABLES)
        state.update(_is_full_backward_hook=None, _modules={})
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input: Any) -> Any:
        """The computation of the module; every subclass has its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # ------------------------------------------------------------------ registering

    def _check_name(self, kind: str, name: Any, table: dict) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {flambeau.typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else ""))
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in table and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make `tensor` the attribute `name`: state that moves and is saved with the module but is not trained.

        persistent: whether it is part of the state dict.  None registers the name without a tensor.
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{flambeau.typename(tensor)}' object to buffer '{name}' (torch Tensor or "
                            "None required)")
        self._buffers[name] = _through(_global_buffer_registration_hooks, self, name, tensor)
        _speed_up(self, "_buffers", name)
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make `param` the attribute `name`. None registers the name without a parameter (as for `bias=False`)."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is None:
            self._parameters[name] = None
            _speed_up(self, "_parameters", name)
            return
        if not isinstance(param, Parameter):
            raise TypeError(f"cannot assign '{flambeau.typename(param)}' object to parameter '{name}' "
                            "(torch.nn.Parameter or None required)")
        if param.grad_fn is not None:
            raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                             f"explicitly. To express '{name}' as a function of another Tensor, compute the value in "
                             "the forward() method.")
        self._parameters[name] = _through(_global_parameter_registration_hooks, self, name, param)
        _speed_up(self, "_parameters", name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make `module` the child `name`. None registers the name without a child."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{flambeau.typename(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = _through(_global_module_registration_hooks, self, name, module)
        _speed_up(self, "_modules", name)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    # ------------------------------------------------------------------ attributes

    def __getattr__(self, name: str) -> Any:
        # called for what neither __dict__ nor the class has
        state = self.__dict__
        if "_parameters" in state:
            if (name in (table := state["_parameters"]) or name in (table := state["_modules"])
                    or name in (table := state["_buffers"])):
                return table[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        changes.count += 1
        tensor = isinstance(value, Tensor)  # asked first: Parameter and Buffer answer isinstance in Python
        if tensor and isinstance(value, Parameter):
            if "_parameters" not in state:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif name in state.get("_parameters", ()):
            if value is not None:
                raise TypeError(f"cannot assign '{flambeau.typename(value)}' as parameter '{name}' (torch.nn.Parameter "
                                "or None expected)")
            self.register_parameter(name, value)
        elif isinstance(value, Module) or name in state.get("_modules", ()):
            if "_modules" not in state:
                raise AttributeError("cannot assign module before Module.__init__() call")
            if isinstance(value, Module):
                self._forget(name, "_parameters", "_buffers")
            elif value is not None:
                raise TypeError(f"cannot assign '{flambeau.typename(value)}' as child module '{name}' (torch.nn.Module "
                                "or None expected)")
            self._modules[name] = _through(_global_module_registration_hooks, self, name, value)
            _speed_up(self, "_modules", name)
        elif name in state.get("_buffers", ()) or tensor and isinstance(value, Buffer):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"cannot assign '{flambeau.typename(value)}' as buffer '{name}' (torch.nn.Buffer, "
                            "torch.Tensor or None expected)")
        if isinstance(value, Buffer):
            persistent = value.persistent
        else:
            persistent = name not in self._non_persistent_buffers_set
        if persistent:
            self.register_buffer(name, value)  # without the argument: a subclass may override the method without it
        else:
            self.register_buffer(name, value, False)

    def _forget(self, name: str, *tables: str) -> None:
        """Take `name` out of the plain attributes and the `tables`, because it is about to mean something else."""
        self.__dict__.pop(name, None)
        for table in tables:
            self.__dict__[table].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        changes.count += 1
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[0].isdigit())  # "0" names a child, but no attribute

    # ------------------------------------------------------------------ by path

    def get_submodule(self, target: str) -> Module:
        """The module at the path `target` ("encoder.layers.0"; "" is this one)."""
        module = self
        for name in target.split(".") if target else ():
            module = _attribute(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at the path `target`. strict: there must be one at that path already."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(_attribute(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the path `target`."""
        path, _, name = target.rpartition(".")
        param = _attribute(self.get_submodule(path), name)
        if not isinstance(param, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return param

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the path `target`."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        buffer = _attribute(module, name)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return buffer

    # ------------------------------------------------------------------ walking the tree

    def _named_members(self, get_members: Callable, prefix: str = "", recurse: bool = True,
                       remove_duplicate: bool = True) -> Iterator[tuple[str, Any]]:
        """Names and values that `get_members(module)` gives for this module and, with recurse, those below."""
        seen = set()
        for path, module in self.named_modules(prefix=prefix,
                                               remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]:
            for name, member in get_members(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield _join(path, name), member

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and, with recurse, of those below; each once."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) pairs. remove_duplicate: a shared parameter comes only under its first name."""
        yield from self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and, with recurse, of those below; each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer) pairs. remove_duplicate: a shared buffer comes only under its first name."""
        yield from self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Module]:
        """The modules directly below this one; each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) pairs of the modules directly below this one; a shared module only under its first name."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, depth first."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(self, memo: set[Module] | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(path, module) pairs of this module (path `prefix`) and all below, depth first; those in `memo` are left
        out."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, _join(prefix, name), remove_duplicate)

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call fn(module) for every module below this one, then for this one (as for initialising). Returns self."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # ------------------------------------------------------------------ modes

    def train(self, mode: bool = True) -> Module:
        """Set training mode (False: evaluation) here and below. Returns self."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """Set evaluation mode: the same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Set for every parameter whether a gradient is computed (False freezes the module). Returns self."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters. set_to_none=False keeps the tensors and fills them with zeros."""
        for param in self.parameters():
            grad = param.grad
            if grad is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                if grad.grad_fn is not None:
                    grad.detach_()
                else:
                    grad.requires_grad_(False)
                grad.zero_()

    # ------------------------------------------------------------------ conversions

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        """Replace the data of every parameter, its gradient and every buffer by fn of it; the parameters stay the same
        objects, but where they go to the meta device or leave it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with flambeau.no_grad():
            for name, param in self._parameters.items():
                if param is None:
                    continue
                grad, data = param.grad, fn(param)
                if data.is_meta is param.is_meta:
                    param.data = data
                else:
                    param = self._parameters[name] = Parameter(data, param.requires_grad)
                if grad is not None:
                    grad.data = fn(grad)
                    param.grad = grad
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Move the parameters and buffers to a device and floating-point type, in place. Returns self.

        to(device=None, dtype=None, non_blocking=False, *, memory_format=None), to(dtype), to(tensor): a tensor stands
        for its device and dtype. Integer tensors keep their type; memory_format concerns 4- and 5-dimensional ones.
        """
        device, dtype, non_blocking, memory_format = _parse_to(*args, **kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError("nn.Module.to only accepts floating point or complex dtypes, but got desired "
                                f"dtype={dtype}")
            if dtype.is_complex:
                warnings.warn("Complex modules are a new feature under active development whose design may change, and "
                              "some modules might not work as expected when using complex tensors as parameters or "
                              "buffers.", stacklevel=2)

        def convert(t: Tensor) -> Tensor:
            wanted = dtype if t.is_floating_point() or t.is_complex() else None
            if memory_format is not None and t.dim() in (4, 5):
                return t.to(device, wanted, non_blocking, memory_format=memory_format)
            return t.to(device, wanted, non_blocking)

        try:
            return self._apply(convert)
        except NotImplementedError as error:
            if not any(t.is_meta for t in (*self.parameters(), *self.buffers())):
                raise
            raise NotImplementedError(f"{error} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving module "
                                      "from meta to a different device.") from None

    def to_empty(self, *, device: Any, recurse: bool = True) -> Module:
        """Move the parameters and buffers to `device` without their values. Returns self."""
        return self._apply(lambda t: flambeau.empty_like(t, device=device), recurse=recurse)

    def type(self, dst_type: Any) -> Module:
        """Convert all parameters and buffers to `dst_type`. Returns self."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Module:
        """Convert floating-point parameters and buffers to float32. Returns self."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Module:
        """Convert floating-point parameters and buffers to float64. Returns self."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Module:
        """Convert floating-point parameters and buffers to float16. Returns self."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> Module:
        """Convert floating-point parameters and buffers to bfloat16. Returns self."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def cpu(self) -> Module:
        """Move all parameters and buffers to the CPU. Returns self."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Module:
        """Move all parameters and buffers to a GPU, where there is one. Returns self."""
        return self._apply(lambda t: t.cuda(device))

    def share_memory(self) -> Module:
        """Move all parameters and buffers to memory that other processes can see. Returns self."""
        return self._apply(lambda t: t.share_memory_())

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Have the module's calls replayed, in place: as of `torch.compile`, whose arguments it takes, without a module around it."""
        self.__dict__["_compiled_call_impl"] = flambeau.compile(self._call_impl, *args, **kwargs)
        self.__dict__["_hooked"] = True

    # ------------------------------------------------------------------ pickling, text

    def __getstate__(self) -> dict:
        state = self.__dict__.copy()
        state.pop("_hooked", None)
        state.pop("_compiled_call_impl", None)
        return state

    def __setstate__(self, state: dict) -> None:
        # files of old versions lack the younger tables
        self.__dict__.update(_non_persistent_buffers_set=set(), _is_full_backward_hook=None)
        self.__dict__.update((table, OrderedDict()) for table in _HOOK_TABLES)
        self.__dict__.update(state)
        if self._has_hooks():
            self.__dict__["_hooked"] = True
        for table in ("_parameters", "_buffers", "_modules"):
            for name in self.__dict__.get(table, ()):
                _speed_up(self, table, name)

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What `repr` says of the module besides its children; for subclasses."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [f"({name}): {_addindent(repr(module), 2)}" for name, module in self._modules.items()]
        if extra and not children and "\n" not in extra:
            inside = extra
        else:
            lines = [*(extra.split("\n") if extra else ()), *children]
            inside = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{self._get_name()}({inside})"


def _attribute(module: Module, name: str) -> Any:
    if not hasattr(module, name):
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
    return getattr(module, name)


def _parse_to(*args: Any, **kwargs: Any) -> tuple:
    """(device, dtype, non_blocking, memory_format) of the arguments of `Module.to`."""
    given = dict(kwargs)
    if args and isinstance(args[0], Tensor):
        names = ("tensor", "non_blocking")
    elif args and isinstance(args[0], flambeau.dtype):
        names = ("dtype", "non_blocking")
    else:
        names = ("device", "dtype", "non_blocking")
    if len(args) > len(names) or not given.keys() <= {"device", "dtype", "tensor", "non_blocking", "memory_format",
                                                      "copy"}:
        raise TypeError("to() received an invalid combination of arguments")
    given.update(zip(names, args))
    tensor = given.pop("tensor", None)
    if tensor is not None:
        given.update(device=tensor.device, dtype=tensor.dtype)
    device = given.get("device")
    return (None if device is None else flambeau.device(device), given.get("dtype"), given.get("non_blocking", False),
            given.get("memory_format"))
