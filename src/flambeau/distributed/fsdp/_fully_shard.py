"""`fully_shard`: what it does to a module, and what can be asked of the module then."""
from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from ...dtypes import dtype
from ...nn.modules.container import ModuleDict, ModuleList
from ...nn.modules.module import Module
from ...tensor.grad_mode import mode
from ...tensor.tensor import Tensor
from ...utils._pytree import tree_leaves, tree_map
from .._groups import init_process_group
from .._world import is_initialized, the_group
from ..device_mesh import DeviceMesh
from ._devices import DeviceShares
from ._param_group import ParamGroup, Place


@dataclass(frozen=True)
class MixedPrecisionPolicy:
    """The dtypes of a module that `fully_shard` shares out; None leaves them as they are.

    param_dtype: of parameters, and gradients, while the module computes (the parts keep theirs). reduce_dtype: of gradients on their
    way (default: param_dtype). output_dtype: of floating-point outputs. cast_forward_inputs: whether inputs become param_dtype, too.
    """

    param_dtype: dtype | None = None
    reduce_dtype: dtype | None = None
    output_dtype: dtype | None = None
    cast_forward_inputs: bool = True


@dataclass
class OffloadPolicy:
    """Where parts are while no module computes: here, on the module's device."""


@dataclass
class CPUOffloadPolicy(OffloadPolicy):
    """Parts, their gradients and the optimizer's state are on the CPU. pin_memory: nothing depends on it."""

    pin_memory: bool = True


class FSDPModule:
    """What a module is, besides its own class, after `fully_shard`."""

    _fsdp: State

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._fsdp.run(super().__call__, args, kwargs)  # type: ignore[misc]

    def unshard(self) -> None:
        """Makes this module's own parameters whole, until `reshard`. Every process has to call it."""
        self._fsdp.shares.unshard()

    def reshard(self) -> None:
        """Leaves each process its parts of this module's own parameters only."""
        self._fsdp.shares.reshard()

    def set_requires_gradient_sync(self, requires_gradient_sync: bool, *, recurse: bool = True) -> None:
        """Whether gradients go to the other processes after backward. What was not sent is added up, whole, in this process, and goes
        with the gradients of the next backward pass that sends them: to be switched off for all but the last of several parts of a batch."""
        for each in self._each(recurse):
            each._fsdp.shares.reduces = requires_gradient_sync

    def set_requires_all_reduce(self, requires_all_reduce: bool, *, recurse: bool = True) -> None:
        """Whether gradients' parts go to the other replicas after backward (in a mesh of two dimensions). What did not go is added up, in
        parts, in this process, and goes with the next ones."""
        for each in self._each(recurse):
            each._fsdp.shares.reduces_among_replicas = requires_all_reduce

    def set_reshard_after_forward(self, reshard_after_forward: bool, recurse: bool = True) -> None:
        """As the argument of `fully_shard`."""
        if not isinstance(reshard_after_forward, bool):
            raise ValueError(f"reshard_after_forward should be a bool, got {type(reshard_after_forward)}")
        for each in self._each(recurse):
            each._fsdp.reshard_after_forward = reshard_after_forward

    def _each(self, recurse: bool) -> list[Any]:
        return [m for m in self.modules() if isinstance(m, FSDPModule)] if recurse else [self]  # type: ignore[attr-defined]

    def state_dict(self, *args: Any, **kwargs: Any) -> dict:
        """As a module's; parameters are in parts."""
        self.reshard()
        return super().state_dict(*args, **kwargs)  # type: ignore[misc]

    def _load_from_state_dict(self, *args: Any) -> None:
        self.reshard()
        super()._load_from_state_dict(*args)  # type: ignore[misc]

    def __deepcopy__(self, memo: dict) -> Any:
        raise AssertionError("FSDP does not support deepcopy. Please use state dict for serialization.")


class State:
    """How a module runs. shares: who keeps its parameters; reshard_after_forward: None for what depends on is_root, whether no other
    such module is above it."""

    def __init__(self, shares: Any, policy: MixedPrecisionPolicy, reshard_after_forward: bool | None) -> None:
        self.shares, self.policy, self.reshard_after_forward = shares, policy, reshard_after_forward
        self.is_root = True

    def run(self, call: Callable, args: tuple, kwargs: dict) -> Any:
        """call(*args, **kwargs) with whole parameters."""
        shares = self.shares
        reshards = not self.is_root if self.reshard_after_forward is None else self.reshard_after_forward
        args, kwargs = shares.shared_out(self._cast((args, kwargs), self._input_dtype()), self.is_root)
        shares.unshard()
        with ExitStack() as after:
            if reshards or not mode.enabled:
                after.callback(shares.reshard)
            with shares.not_saving() if reshards and mode.enabled else nullcontext():
                outputs = self._cast(call(*args, **kwargs), self.policy.output_dtype)
        if reshards and mode.enabled:
            for t in _tensors(outputs):
                if t._node is not None:
                    t._node.add_tensor_hook(t._nr, lambda g: shares.unshard_in_backward())
        return outputs

    def _input_dtype(self) -> dtype | None:
        return self.policy.param_dtype if self.policy.cast_forward_inputs else None

    @staticmethod
    def _cast(values: Any, to: dtype | None) -> Any:
        if to is None:
            return values
        return tree_map(lambda t: t.to(to) if isinstance(t, Tensor) and t.dtype.is_floating_point else t, values)  # type: ignore


def _tensors(values: Any) -> Iterator[Tensor]:
    return (t for t in tree_leaves(values) if isinstance(t, Tensor))


def fully_shard(module: Module, *, mesh: DeviceMesh | None = None, reshard_after_forward: bool | None = None,
                mp_policy: MixedPrecisionPolicy = MixedPrecisionPolicy(), offload_policy: OffloadPolicy = OffloadPolicy(),
                ignored_params: set | None = None) -> Any:
    """Shares the parameters of `module` out among processes: each keeps its part along the first dimension, and of gradients and
    optimizer state the same part. Before a forward and a backward pass of the module the parts are gathered, afterwards whole parameters
    are forgotten, and everybody gets its part of the mean of all gradients. Returns the module, whose class is now also `FSDPModule`.

    Parameters become `DTensor`s: make optimizers afterwards. Modules inside that are to be gathered by themselves (a network's blocks)
    come first, then the network; each call takes what is left. All processes must begin with the same parameters; each cuts its own.

    mesh: the processes (default: all; `init_process_group()` is called if nobody has). With two dimensions those along the last share
    parameters out, and those along the first have the same: gradients are averaged among them, too (hybrid sharding: parts are gathered
    within a machine, say). reshard_after_forward: whether whole parameters are forgotten between forward and backward (default: yes, but
    for the outermost module, whose backward comes next). offload_policy: CPUOffloadPolicy() for modules that are on the CPU anyway.
    ignored_params: parameters that are left as they are.

    Where no process group was made and the module is on an accelerator, its parameters are shared out among all local devices of that
    type, by XLA: see docs/distributed.md. Parameters stay ordinary ones then, and the whole batch is given to the module.

    Errors: ValueError for a mesh of more dimensions, offloading from another device, a module without forward, a parameter without dimensions or one that belongs to a
    module inside, too; AssertionError if it was called before.
    """
    kind = next((p.device.type for p in module.parameters()), "cpu")  # type: ignore[attr-defined]
    _check(module, mesh, reshard_after_forward, offload_policy, kind)
    ignored = {id(p) for p in ignored_params or ()}
    places = _places(module, ignored)
    shares: Any
    if mesh is None and kind != "cpu" and not is_initialized():
        if mp_policy != MixedPrecisionPolicy():
            raise ValueError("fully_shard: mp_policy is for modules that processes share out; on the devices of one process use torch.autocast")
        shares = DeviceShares([at[0].get() for at in places], kind)
    else:
        if mesh is None:
            if not is_initialized():
                init_process_group()
            mesh = DeviceMesh._over(the_group(), kind)
        shares = ParamGroup(places, mesh, mp_policy, type(module).__name__)
    module._fsdp = State(shares, mp_policy, reshard_after_forward)  # type: ignore[assignment]
    for below in _below(module):
        below._fsdp.is_root = False
        below._fsdp.shares.order = shares.order
    cls = type(module)
    module.__class__ = type("FSDP" + cls.__name__, (FSDPModule, cls), {})
    return module


def _check(module: Module, mesh: DeviceMesh | None, reshard_after_forward: Any, offload_policy: OffloadPolicy, kind: str) -> None:
    if isinstance(module, (ModuleList, ModuleDict)):
        raise ValueError(f"fully_shard does not support containers that do not implement forward: {module}")
    if isinstance(module, FSDPModule):
        raise AssertionError("Each distinct composable distributed API can only be applied to a module once. fully_shard has already been "
                             f"applied to the following module:\n{module}")
    if mesh is not None and mesh.ndim not in (1, 2):
        raise ValueError(f"fully_shard expects a 1D or 2D DeviceMesh but got {mesh}")
    if mesh is not None and mesh.ndim == 2 and mesh.mesh_dim_names is None:
        raise AssertionError("Please init the 2D mesh for HSDP with mesh_dim_names specified")
    if isinstance(offload_policy, CPUOffloadPolicy) and kind != "cpu":
        raise ValueError(f"fully_shard: CPUOffloadPolicy is for modules on the CPU; parts of one on {kind} stay there")
    if reshard_after_forward is not None and not isinstance(reshard_after_forward, bool):
        raise ValueError(f"reshard_after_forward should be a bool or None, got {type(reshard_after_forward)}")


def _below(module: Module) -> Iterator[Any]:
    return (m for m in module.modules() if m is not module and isinstance(m, FSDPModule))


def _places(module: Module, ignored: set[int]) -> list[list[Place]]:
    """Where the module keeps its parameters, but for those that a module inside has shared out. One that is used in several places
    has all of them."""
    taken = {id(p) for below in _below(module) for p in below.parameters()}
    found: dict[int, list[Place]] = {}
    for path, owner in module.named_modules():
        for name, p in owner._parameters.items():
            if p is None or id(p) in taken or id(p) in ignored:
                continue
            if p.ndim == 0:
                raise ValueError(f"fully_shard doesn't support scalar parameters. Change {name} to a 1D tensor with numel equal to 1.")
            if getattr(p, "_is_shared_out", False):
                raise ValueError(f"fully_shard: {path}.{name} is also a parameter of a module inside that has been shared out before; only "
                                 "apply it to a module that contains both")
            found.setdefault(id(p), []).append(Place(owner, name))
    return list(found.values())


def register_fsdp_forward_method(module: Module, method_name: str) -> None:
    """Makes another method of a module that is shared out run as `forward` does, with whole parameters. Other modules stay as they are."""
    if not isinstance(module, FSDPModule):
        return
    method = getattr(module, method_name)

    def run(*args: Any, **kwargs: Any) -> Any:
        return module._fsdp.run(method, args, kwargs)
    setattr(module, method_name, run)
