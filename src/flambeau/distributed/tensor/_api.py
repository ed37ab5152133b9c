"""`DTensor`: a tensor that is cut into parts, one for each process of a mesh. It is what parameters, gradients and optimizer state of a
module are after `fully_shard`.

Optimizers that compute element by element work on the parts. Beside that a DTensor can be copied, scaled, and made whole.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

from ...ir.types import tensor_type
from ...tensor.overriding import disabled
from ...tensor.parted import PartedStorage, PartedValue
from ...tensor.tensor import Tensor
from .._collectives import broadcast
from .._shards import gather, part_of
from ..device_mesh import DeviceMesh
from .placement_types import Placement, Replicate, Shard


class DTensor(Tensor):
    """A tensor of which each process of a mesh of one dimension has a part along the first dimension; in a mesh of two, each row of
    processes has all parts.

    shape, dtype and all that follows from them are those of the whole tensor. It is made by `distribute_tensor` and `fully_shard`.
    What needs elements of other processes raises RuntimeError, except `full_tensor`.
    """

    __torch_function__ = disabled
    _local_tensor: Tensor
    device_mesh: DeviceMesh
    placements: tuple[Placement, ...]

    @classmethod
    def _of(cls, local: Tensor, shape: Sequence[int], mesh: DeviceMesh) -> DTensor:
        """The tensor of this shape of which `local` is this process's part."""
        made = object.__new__(cls)
        made._storage = PartedStorage(PartedValue(tensor_type(local.dtype, tuple(shape)), local))
        made._view, made._node, made._nr = None, local._node, local._nr
        made._local_tensor, made.device_mesh, made.placements = local, mesh, _placements(mesh)
        return made

    def _with(self, local: Tensor) -> DTensor:
        """A tensor like this one with another part."""
        return DTensor._of(local, self.shape, self.device_mesh)

    # ------------------------------------------------------------------ parts and the whole

    def to_local(self) -> Tensor:
        """This process's part, sharing its memory."""
        return self._local_tensor.detach()  # type: ignore[attr-defined]

    def full_tensor(self) -> Tensor:
        """All of it, without history. Every process of the mesh has to call this."""
        return gather([self.to_local()], [self.shape[0]], self.device_mesh._group_of_parts(), "the parts of a DTensor")[0]

    # ------------------------------------------------------------------ gradients

    @property
    def grad(self) -> DTensor | None:  # type: ignore[override]
        """The gradient accumulated so far, in parts, or None."""
        g = self._local_tensor.grad  # type: ignore[attr-defined]
        return None if g is None else self._with(g)

    @grad.setter
    def grad(self, value: DTensor | None) -> None:
        self._local_tensor.grad = None if value is None else self._beside(value, "grad")  # type: ignore[attr-defined]

    def requires_grad_(self, requires_grad: bool = True) -> DTensor:
        """Makes this leaf require a gradient, or not."""
        self._local_tensor.requires_grad_(requires_grad)  # type: ignore[attr-defined]
        self._node, self._nr = self._local_tensor._node, self._local_tensor._nr
        return self

    requires_grad = property(lambda self: self._local_tensor.requires_grad, requires_grad_)  # type: ignore[arg-type]

    def register_hook(self, hook: Callable[[DTensor], Any]) -> Any:
        """hook(grad) runs when the gradient's part is known; what it returns, a DTensor, replaces it."""
        def of_part(g: Tensor) -> Tensor | None:
            replaced = hook(self._with(g))
            return None if replaced is None else self._beside(replaced, "register_hook")
        return self._local_tensor.register_hook(of_part)  # type: ignore[attr-defined]

    def register_post_accumulate_grad_hook(self, hook: Callable[[DTensor], None]) -> Any:
        """hook(tensor) runs after this leaf's gradient has been accumulated."""
        return self._local_tensor.register_post_accumulate_grad_hook(lambda _: hook(self))  # type: ignore[attr-defined]

    def detach(self) -> DTensor:
        """The same memory without history."""
        return self._with(self.to_local())

    @property
    def data(self) -> DTensor:
        """The same memory without history; another DTensor that is cut alike can be put in its place."""
        return self.detach()

    @data.setter
    def data(self, value: DTensor) -> None:
        self._local_tensor.data = self._beside(value, "set_data")  # type: ignore[attr-defined]
        self._storage = PartedStorage(PartedValue(value._storage.value.type, self._local_tensor))

    # ------------------------------------------------------------------ copies and writes

    @property
    def device(self) -> Any:
        """Where this process's part is."""
        return self._local_tensor.device  # type: ignore[attr-defined]

    def clone(self, *, memory_format: Any = None) -> DTensor:
        """A copy with memory of its own."""
        return self._with(self.to_local().clone())  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict) -> DTensor:
        if id(self) not in memo:
            copy = self.clone().requires_grad_(self.requires_grad)
            if getattr(self, "_is_param", False):
                copy._is_param = True  # type: ignore[attr-defined]
            memo[id(self)] = copy
        return memo[id(self)]

    def to(self, *args: Any, **kwargs: Any) -> DTensor:
        """The parts converted to another dtype or device."""
        return self._with(self.to_local().to(*args, **kwargs))  # type: ignore[attr-defined]

    def copy_(self, src: Tensor, non_blocking: bool = False) -> DTensor:
        """Takes over the elements of a DTensor of the same shape and mesh."""
        self._local_tensor.copy_(self._beside(src, "copy_"))  # type: ignore[attr-defined]
        return self

    def zero_(self) -> DTensor:
        """Sets all elements to zero."""
        self._local_tensor.zero_()  # type: ignore[attr-defined]
        return self

    def mul_(self, other: Any) -> DTensor:
        """Multiplies all elements by a number, or by those of a DTensor of the same shape."""
        self._local_tensor.mul_(self._operand(other, "mul_"))  # type: ignore[attr-defined]
        return self

    def div_(self, other: Any) -> DTensor:
        """Divides all elements by a number, or by those of a DTensor of the same shape."""
        self._local_tensor.div_(self._operand(other, "div_"))  # type: ignore[attr-defined]
        return self

    def add_(self, other: Any, *, alpha: float = 1) -> DTensor:
        """Adds alpha times a number, or the elements of a DTensor of the same shape."""
        self._local_tensor.add_(self._operand(other, "add_"), alpha=alpha)  # type: ignore[attr-defined]
        return self

    def _operand(self, other: Any, name: str) -> Any:
        return self._beside(other, name) if isinstance(other, Tensor) and other.ndim else other

    def _beside(self, other: Tensor, name: str) -> Tensor:
        """The part of another DTensor that has the elements at the same places as this one's."""
        if not isinstance(other, DTensor):
            raise RuntimeError(f"aten.{name} got mixed torch.Tensor and DTensor, need to convert all torch.Tensor to DTensor before calling "
                               "distributed operators! (distribute_tensor(tensor, mesh, placements) does)")
        if other.shape != self.shape or other.device_mesh != self.device_mesh:
            raise RuntimeError(f"aten.{name}: DTensors of shapes {list(self.shape)} and {list(other.shape)} on {self.device_mesh} and "
                               f"{other.device_mesh} are not cut alike")
        return other.to_local()

    def _geometry(self) -> Any:
        raise RuntimeError("there are no views of a DTensor; to_local() gives this process's part, full_tensor() all of it")

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"DTensor(local_tensor={self.to_local()}, device_mesh={self.device_mesh}, placements={self.placements})"


def _conversion(name: str) -> Callable[[DTensor], DTensor]:
    def method(self: DTensor) -> DTensor:
        return self._with(getattr(self.to_local(), name)())
    method.__name__ = name
    method.__doc__ = f"The parts converted by `{name}`."
    return method


for _name in ("float", "double", "half", "bfloat16", "cpu"):
    setattr(DTensor, _name, _conversion(_name))


def _placements(mesh: DeviceMesh) -> tuple[Placement, ...]:
    return (Replicate(),) * (mesh.ndim - 1) + (Shard(0),)


def distribute_tensor(tensor: Tensor, device_mesh: DeviceMesh, placements: Sequence[Placement] | None = None, *,
                      src_data_rank: int | None = 0) -> DTensor:
    """Cuts a tensor into parts along its first dimension, one for each process of a mesh of one dimension, or of each row of a mesh of two.

    placements: [Shard(0)], or [Replicate(), Shard(0)].  src_data_rank: the process, by its number along each of the mesh's dimensions,
    whose elements count (0; the others' tensors need only have the same shape and dtype), or None: everybody takes its part of its own
    tensor. A parameter gives a parameter.
    Errors: ValueError for other placements and meshes; RuntimeError for a tensor without dimensions.
    """
    if device_mesh.ndim > 2 or placements is None or tuple(placements) != _placements(device_mesh):
        raise ValueError("distribute_tensor: placements must be [Shard(0)] on a mesh of one dimension and [Replicate(), Shard(0)] on one of "
                         f"two, but got {device_mesh} and {placements}")
    if tensor.ndim == 0:
        raise RuntimeError("distribute_tensor: a tensor without dimensions cannot be cut")
    whole = tensor.detach()  # type: ignore[attr-defined]
    if src_data_rank is not None and device_mesh.size() > 1:
        whole = whole.clone()
        for group in reversed(device_mesh.get_all_groups()):
            broadcast(whole, group=group, group_src=src_data_rank)
    group = device_mesh._group_of_parts()
    made = DTensor._of(part_of(whole, group.rank(), group.size()), tensor.shape, device_mesh)
    is_parameter = isinstance(tensor, _parameter_class())
    return as_parameter(made, tensor.requires_grad) if is_parameter else made  # type: ignore[attr-defined]


def as_parameter(t: DTensor, requires_grad: bool) -> DTensor:
    """t, counted among the parameters of modules that it is assigned to."""
    t._is_param = True  # type: ignore[attr-defined]
    return t.requires_grad_(requires_grad)


def _parameter_class() -> type:
    from ...nn.parameter import Parameter
    return Parameter
