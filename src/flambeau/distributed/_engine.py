"""The engine of collectives: XLA with Gloo, through jax. The only file here that knows jax.

Each group has an XLA client of its own, on one CPU device per process, apart from the devices that jax shows to others.
XLA's coordination service is needed only while Gloo's processes find each other, and is closed then: it would end every
process in which it notices that another one is gone, without a word in Python.
"""
from __future__ import annotations

import os
import socket
from datetime import timedelta
from functools import lru_cache
from types import ModuleType
from typing import Any, Callable

import numpy as np

from .errors import DistBackendError
from .store import Store

EXTRA = "collectives between processes run on XLA through jax: pip install 'flambeau[xla]'"
_FOREVER = 10 ** 6  # seconds without a heartbeat: who is gone is told by the store
_EXACT = 1 << 18  # bytes from which a buffer keeps its length
_LEAST = 64  # elements of the shortest buffer


def require_jax() -> ModuleType:
    """jax. ImportError naming the extra where it is missing."""
    try:
        import jax
    except ImportError as error:
        raise ImportError(f"torch.distributed: {EXTRA} ({error})") from error
    return jax


class Engine:
    """Collectives on 1-D NumPy arrays among the `size` processes that make one with the same `store`. All processes of
    a group must call the same methods in the same order, `in_thread`, with arrays of the same dtype and length; the engine does not
    look, and XLA aborts the process where they do not (`ProcessGroup` looks before).

    Errors: DistBackendError, if another process is gone.
    """

    def __init__(self, store: Store, rank: int, size: int, host: str, timeout: timedelta) -> None:
        jax = require_jax()
        from jax._src.lib import _jax, xla_client
        self.rank, self.size = rank, size
        seconds = max(1, round(timeout.total_seconds()))
        service = None
        if rank == 0:
            service, port = _start_service(_jax, host, size, seconds)
            store.set("coordinator", f"{host}:{port}")
        coordination = _jax.get_distributed_runtime_client(
            store.get("coordinator").decode(), rank, init_timeout=seconds, shutdown_timeout=seconds,
            heartbeat_timeout=_FOREVER, shutdown_on_destruction=False)
        try:
            coordination.connect()
            where = {"interface": name} if (name := os.environ.get("GLOO_SOCKET_IFNAME")) else {"hostname": host}
            gloo = _jax.make_gloo_tcp_collectives(distributed_client=coordination, **where)
            self._client = xla_client.make_cpu_client(distributed_client=coordination, node_id=rank, num_nodes=size,
                                                      collectives=gloo, num_devices=1)
            mesh = jax.sharding.Mesh(np.array(self._client.devices()), ("rank",))
            self._spec = jax.sharding.PartitionSpec("rank")
            self._sharding = jax.sharding.NamedSharding(mesh, self._spec)
            self._device = self._client.local_devices()[0]
            self._program = lru_cache(maxsize=None)(self._make_program)
            with self.in_thread():
                self.all_gather(np.zeros(1, np.int64))  # connects everybody with everybody
        except jax.errors.JaxRuntimeError as error:
            raise DistBackendError(f"rank {rank} could not connect with the group's other processes: {error}") from error
        coordination.shutdown()
        if service is not None:
            service.shutdown()

    def all_reduce(self, array: np.ndarray, op: str) -> np.ndarray:
        """The sum, product… of all processes' arrays; op: a name in `REDUCTIONS`."""
        if op in _NATIVE:
            return self._run(op, array)
        # XLA has no such reduction between processes: everybody fetches everything
        return REDUCTIONS[op](self.all_gather(array))

    def all_gather(self, array: np.ndarray) -> np.ndarray:
        """(size, length): everybody's array."""
        return self._run("all_gather", array)

    def all_to_all(self, rows: np.ndarray) -> np.ndarray:
        """rows (size, length): one for each process. (size, length): the one from each process."""
        return self._run("all_to_all", np.ascontiguousarray(rows))

    def reduce_scatter(self, rows: np.ndarray, op: str) -> np.ndarray:
        """rows (size, length). The reduction of all processes' rows number `rank`."""
        # not by XLA's reduce-scatter, after which Gloo waits forever in the next large collective of four processes
        if op in _NATIVE:
            return self._run(f"scattered {op}", np.ascontiguousarray(rows))
        return REDUCTIONS[op](self.all_to_all(rows))

    def in_thread(self) -> Any:
        """The context for the thread that calls the collectives: 64-bit dtypes, in this thread only. To enter it costs as much as a
        collective of few bytes."""
        return require_jax().enable_x64(True)

    def _run(self, kind: str, array: np.ndarray) -> np.ndarray:
        import jax
        length = array.shape[-1]
        try:
            mine = jax.device_put(_padded(array)[None], self._device)
            whole = jax.make_array_from_single_device_arrays((self.size, *mine.shape[1:]), self._sharding, [mine])
            result = np.asarray(jax.block_until_ready(self._program(kind)(whole)).addressable_data(0))
        except (jax.errors.JaxRuntimeError, ValueError) as error:  # ValueError: what waiting for an array raises
            raise DistBackendError(str(error)) from error
        return result[..., :length]

    def _make_program(self, kind: str) -> Callable[[Any], Any]:
        """The collective as a compiled function on global arrays, of which each process holds the row of its rank."""
        import jax
        if kind == "all_gather":  # what everybody has then is the array as it is: no process copies its rows
            return jax.jit(lambda x: x, out_shardings=jax.sharding.NamedSharding(self._sharding.mesh, jax.sharding.PartitionSpec()))

        def exchanged(x: Any) -> Any:
            return jax.lax.all_to_all(x[0], "rank", split_axis=0, concat_axis=0, tiled=True)
        body = {
            "sum": lambda x: jax.lax.psum(x[0], "rank"),
            "max": lambda x: jax.lax.pmax(x[0], "rank"),
            "min": lambda x: jax.lax.pmin(x[0], "rank"),
            "all_to_all": exchanged,
            "scattered sum": lambda x: exchanged(x).sum(0, dtype=x.dtype),
            "scattered max": lambda x: exchanged(x).max(0),
            "scattered min": lambda x: exchanged(x).min(0),
        }[kind]
        return jax.jit(jax.shard_map(body, mesh=self._sharding.mesh, in_specs=self._spec, out_specs=self._spec))


def _start_service(_jax: Any, host: str, size: int, seconds: int) -> tuple[Any, int]:
    """XLA's coordination service, on a free port."""
    for attempt in range(5):  # another process may take the port in between
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        try:
            service = _jax.get_distributed_runtime_service(f"{host}:{port}", size, heartbeat_timeout=_FOREVER,
                                                           shutdown_timeout=seconds, cluster_register_timeout=seconds)
        except Exception as error:
            failure = error
        else:
            return service, port
    raise DistBackendError(f"could not start XLA's coordination service: {failure}")


def _padded(array: np.ndarray) -> np.ndarray:
    """The array, made longer where it is short: a program is compiled for each length, which takes longer than moving
    some zeros. There are eight lengths between a power of two and the next."""
    length = array.shape[-1]
    if array.nbytes >= _EXACT:
        return array
    step = max(_LEAST, 1 << max(0, length.bit_length() - 4))
    padded = np.zeros((*array.shape[:-1], -(-length // step) * step or step), array.dtype)
    padded[..., :length] = array
    return padded


def _of_rows(ufunc: np.ufunc) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: ufunc.reduce(rows, axis=0, dtype=rows.dtype)


# What each reduction makes of the rows (size, length).
REDUCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sum": _of_rows(np.add), "product": _of_rows(np.multiply), "min": _of_rows(np.minimum), "max": _of_rows(np.maximum),
    "band": _of_rows(np.bitwise_and), "bor": _of_rows(np.bitwise_or), "bxor": _of_rows(np.bitwise_xor),
}
_NATIVE = ("sum", "min", "max")
