"""Processes in rows and columns: which of them share something."""
from __future__ import annotations

from itertools import product
from typing import Any, Sequence

import numpy as np

from ..ops.creation import from_array
from ..tensor.device import check_device
from ..tensor.tensor import Tensor
from ..dtypes import int64
from ._groups import init_process_group, new_group
from ._world import get_process_group_ranks, get_rank, get_world_size, is_initialized, the_group

__all__ = ["DeviceMesh", "init_device_mesh"]


class DeviceMesh:
    """An array of processes. Those that differ along one dimension only are a group.

    device_type: where their tensors are.  mesh: the processes' numbers in the world, an array of any number of dimensions.
    mesh_dim_names: names of the dimensions; `mesh[name]` is the part along one of them that this process is in.
    All processes of the world make the same meshes in the same order. Without a process group, `init_process_group()` is called.
    """

    def __init__(self, device_type: str, mesh: Any, *, mesh_dim_names: Sequence[str] | None = None) -> None:
        ranks = np.asarray(mesh.tolist() if isinstance(mesh, Tensor) else mesh, np.int64)  # type: ignore[attr-defined]
        names = None if mesh_dim_names is None else tuple(mesh_dim_names)
        if names is not None and len(names) != ranks.ndim:
            raise RuntimeError(f"mesh_dim_names: {len(names)} names for {ranks.ndim} dimensions")
        if not is_initialized():
            init_process_group()
        if ranks.size > get_world_size():
            raise RuntimeError(f"Mesh should not be bigger than default world size {get_world_size()}, but found {ranks.size} ranks!")
        self._hold(device_type, ranks, names, [_group_along(ranks, dim) for dim in range(ranks.ndim)])

    def _hold(self, device_type: str, ranks: np.ndarray, names: tuple[str, ...] | None, groups: list[Any]) -> None:
        self.device_type, self._ranks, self.mesh_dim_names, self._groups = check_device(device_type).type, ranks, names, groups

    @classmethod
    def _over(cls, group: Any, device_type: str) -> DeviceMesh:
        """The mesh of one dimension of a group's processes."""
        made = cls.__new__(cls)
        made._hold(device_type, np.asarray(get_process_group_ranks(group), np.int64), None, [the_group(group)])
        return made

    @property
    def mesh(self) -> Tensor:
        """The processes' numbers in the world."""
        return from_array(self._ranks.copy(), int64)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._ranks.shape

    @property
    def ndim(self) -> int:
        return self._ranks.ndim

    def size(self, mesh_dim: int | None = None) -> int:
        """The number of processes, in all or along one dimension."""
        return self._ranks.size if mesh_dim is None else self._ranks.shape[mesh_dim]

    def get_rank(self) -> int:
        """This process's number in the world."""
        return get_rank()

    def get_coordinate(self) -> tuple[int, ...] | None:
        """Where this process is in the mesh; None if it is not in it."""
        places = np.argwhere(self._ranks == get_rank())
        return tuple(map(int, places[0])) if len(places) else None

    def get_local_rank(self, mesh_dim: int | str | None = None) -> int:
        """This process's place along a dimension, which may be left out if there is one only."""
        coordinate = self.get_coordinate()
        if coordinate is None:
            raise RuntimeError(f"rank {get_rank()} is not in {self}")
        return coordinate[self._dimension(mesh_dim, "get_local_rank")]

    def get_group(self, mesh_dim: int | str | None = None) -> Any:
        """The group of this process and those beside it along a dimension, which may be left out if there is one only."""
        return self._groups[self._dimension(mesh_dim, "get_group")]

    def get_all_groups(self) -> list[Any]:
        """The groups along all dimensions."""
        return list(self._groups)

    def _group_of_parts(self) -> Any:
        """The processes that have parts of one tensor: those along the last dimension. Along others, processes have the same."""
        return self._groups[-1]

    def _dimension(self, which: int | str | None, method: str) -> int:
        if which is None:
            if self.ndim > 1:
                raise RuntimeError(f"Found the DeviceMesh have {self.ndim} dimensions Optional kwarg `mesh_dim` needs to be specified "
                                   f"when device_mesh.ndim > 1 in {method}.")
            return 0
        return self._named(which) if isinstance(which, str) else which

    def _named(self, name: str) -> int:
        if self.mesh_dim_names is None or name not in self.mesh_dim_names:
            raise KeyError(f"Invalid mesh_dim_name '{name}' specified. Valid mesh_dim_names are {self.mesh_dim_names}.")
        return self.mesh_dim_names.index(name)

    def __getitem__(self, name: str) -> DeviceMesh:
        """The mesh of one dimension of this process and those beside it along the named one."""
        dim = self._named(name)
        made = DeviceMesh.__new__(DeviceMesh)
        ranks = np.asarray(get_process_group_ranks(self._groups[dim]), np.int64)
        made._hold(self.device_type, ranks, (name,), [self._groups[dim]])
        return made

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, DeviceMesh) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        return self.device_type, self._ranks.shape, self._ranks.tobytes(), self.mesh_dim_names

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.shape)) + "," * (self.ndim == 1)
        if self.mesh_dim_names is not None:
            sizes = ", ".join(f"{name}={size}" for name, size in zip(self.mesh_dim_names, self.shape))
        return f"DeviceMesh(({sizes}), '{self.device_type}', stride={self._strides()})"

    def _strides(self) -> tuple[int, ...]:
        """How much numbers rise along each dimension."""
        first = self._ranks.flat[0]
        return tuple(int(self._ranks[(0,) * dim + (1,) + (0,) * (self.ndim - dim - 1)] - first) if size > 1 else 1
                     for dim, size in enumerate(self.shape))


def _group_along(ranks: np.ndarray, dim: int) -> Any:
    """This process's group along a dimension. All groups along it are made, as every process has to take part in that."""
    if ranks.size == get_world_size() and ranks.ndim == 1 and (ranks == np.arange(ranks.size)).all():
        return the_group()
    mine = None
    for place in product(*(range(1 if d == dim else n) for d, n in enumerate(ranks.shape))):
        line = ranks[tuple(slice(None) if d == dim else i for d, i in enumerate(place))].tolist()
        group = new_group(line, sort_ranks=False)
        mine = group if get_rank() in line else mine
    return mine


def init_device_mesh(device_type: str, mesh_shape: Sequence[int], *, mesh_dim_names: Sequence[str] | None = None) -> DeviceMesh:
    """The mesh of so many processes in each dimension, numbered row by row.

    Errors: RuntimeError if names and dimensions do not fit, a name is there twice, or there are fewer processes.
    """
    if mesh_dim_names is not None and len(set(mesh_dim_names)) != len(mesh_dim_names):
        raise RuntimeError(f"Each mesh_dim_name must be unique. Found repeated mesh_dim_name in mesh_dim_names {tuple(mesh_dim_names)}")
    if mesh_dim_names is not None and len(mesh_shape) != len(mesh_dim_names):
        raise RuntimeError(f"mesh_shape and mesh_dim_names should have same length! Found len(mesh_dim_names): {len(mesh_dim_names)} "
                           f"and len(mesh_shape): {len(mesh_shape)}.")
    size = int(np.prod(mesh_shape))
    return DeviceMesh(device_type, np.arange(size).reshape(tuple(mesh_shape)), mesh_dim_names=mesh_dim_names)
