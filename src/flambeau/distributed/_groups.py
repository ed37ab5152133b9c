"""Making and leaving process groups, and what is available for them."""
from __future__ import annotations

import importlib.util
import os
import secrets
import time
from datetime import timedelta
from typing import Any, Sequence

from ._engine import EXTRA
from ._group import LOST, ProcessGroup
from ._world import Backend, GroupMember, get_backend, get_world_size, is_initialized, the_group, world
from .constants import default_pg_timeout
from .errors import DistError
from .rendezvous import checked_rank, rendezvous
from .store import PrefixStore, Store, TCPStore

_JOIN = timedelta(seconds=10)  # how long a process that leaves waits for the others


def is_gloo_available() -> bool:
    """Whether collectives between processes can run: whether jax is installed."""
    return importlib.util.find_spec("jax") is not None


def is_nccl_available() -> bool:
    """False: tensors of GPUs are moved through the host's memory."""
    return False


def is_mpi_available() -> bool:
    """False."""
    return False


def is_ucc_available() -> bool:
    """False."""
    return False


def is_xccl_available() -> bool:
    """False."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether `flambeau launch` has started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def is_backend_available(backend: str) -> bool:
    """Whether collectives between processes can run under this name."""
    return backend.lower() in (Backend.GLOO, Backend.XLA) and is_gloo_available()


def get_default_backend_for_device(device: Any) -> str:
    """"gloo" for the CPU, "nccl" for GPUs."""
    return "nccl" if str(device).startswith("cuda") else "gloo"


def init_process_group(backend: str | None = None, init_method: str | None = None, timeout: timedelta | None = None,
                       world_size: int = -1, rank: int = -1, store: Store | None = None, group_name: str = "",
                       pg_options: Any = None, device_id: Any = None) -> None:
    """Meets all other processes; returns when everybody is there.

    backend: "gloo", "nccl" or "xla"; all mean XLA's collectives with Gloo. init_method: env:// (default), tcp:// or
    file://, see `rendezvous`; or `store`, with rank and world_size. timeout: for this, and for each collective (default: 30
    minutes). device_id, pg_options, group_name: nothing depends on them.

    Errors: ValueError if it was called before, or something is missing; ImportError naming the extra if jax is missing;
    DistNetworkError if the port is in use or nobody answers; DistStoreError if somebody does not come in time.
    """
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    if store is not None and init_method is not None:
        raise AssertionError("Cannot specify both init_method and store.")
    timeout = _checked_timeout(timeout)
    name = Backend("gloo" if backend is None else backend)
    if store is not None:
        if world_size <= 0:
            raise AssertionError("world_size must be positive if using store")
        if rank < 0:
            raise AssertionError("rank must be non-negative if using store")
        checked_rank(rank, world_size)
    else:
        store, rank, world_size = next(rendezvous(init_method or "env://", rank, world_size, timeout))
    if world_size > 1 and not is_gloo_available():
        raise ImportError(f"torch.distributed: {EXTRA}")
    world.store, world.hosted = _tcp_store(store, rank, world_size, timeout)
    world.store.set_will(LOST, f"{rank} ")
    world.groups["0"] = GroupMember.WORLD = ProcessGroup("0", list(range(world_size)), rank, world.store, timeout, name, "default_pg")
    world.made = 1


def _checked_timeout(timeout: Any, default: timedelta = default_pg_timeout) -> timedelta:
    if timeout is None:
        return default
    if not isinstance(timeout, timedelta):
        raise TypeError(f"Expected timeout argument to be of type datetime.timedelta, got {timeout}")
    return timeout


def _tcp_store(store: Store, rank: int, world_size: int, timeout: timedelta) -> tuple[Any, TCPStore | None]:
    """(where this world's keys are, what is to be shut down with it): the given store if it is a TCP store; else one that
    rank 0 hosts, and whose address the given store tells. Only TCP stores notice who is gone."""
    inner: Any = store
    while isinstance(inner, PrefixStore):
        inner = inner.underlying_store
    if isinstance(inner, TCPStore):
        return store, inner
    import socket
    if rank == 0:
        host = socket.gethostbyname(socket.gethostname()) if world_size > 1 else "127.0.0.1"
        secret = secrets.token_hex().encode()
        hosted = TCPStore(host, 0, is_master=True, timeout=timeout, secret=secret)
        store.set("store", b"%s %s:%d" % (secret, host.encode(), hosted.port))
    else:
        secret, _, place = store.get("store").partition(b" ")
        host, _, port = place.decode().rpartition(":")
        hosted = TCPStore(host, int(port), timeout=timeout, secret=secret)
    return hosted, hosted


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Leaves the group; without one, all groups, after which `init_process_group` may be called again."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    members = the_group(group)
    if members is not GroupMember.WORLD:
        if world.groups.pop(members.group_name, None) is None:
            raise ValueError("Invalid process group specified")
        members.close()
        return
    for each in world.groups.values():
        each.close()
    world.groups.clear()
    GroupMember.WORLD = None
    store, world.store = world.store, None
    hosted, world.hosted = world.hosted, None
    if store is not None and hosted is not None:
        _leave(store, hosted, members)


def _leave(store: Any, hosted: TCPStore, members: ProcessGroup) -> None:
    """Says goodbye to the store. Its host stays until the others have gone, or for a while."""
    members.await_others()
    try:
        store.add("left", 1)
        deadline = time.monotonic() + _JOIN.total_seconds()
        while members.rank() == 0 and members.failure is None and time.monotonic() < deadline:
            if store.add("left", 0) >= members.size():
                break
            time.sleep(0.01)
    except DistError:
        pass
    hosted.shutdown()


def new_group(ranks: Sequence[int] | None = None, timeout: timedelta | None = None, backend: str | None = None,
              pg_options: Any = None, use_local_synchronization: bool = False, group_desc: str | None = None,
              device_id: Any = None, sort_ranks: bool = True) -> Any:
    """A group of some of the world's processes. All processes of the world call this, in the same order, with the same
    `ranks` (default: all; with `use_local_synchronization` only those in it); others get GroupMember.NON_GROUP_MEMBER.

    sort_ranks: number them in the order of their ranks in the world (default), not in the order given.
    Errors: ValueError for ranks that are not in the world, or twice in the list.
    """
    whole = the_group()
    chosen = list(range(whole.size())) if ranks is None else list(ranks)
    if len(chosen) > whole.size():
        raise ValueError("the new group's world size should be less or equal to the world size set by init_process_group")
    if len(set(chosen)) != len(chosen) or not all(0 <= rank < whole.size() for rank in chosen):
        raise ValueError("The new group's rank should be within the world_size set by init_process_group, and be there once")
    if sort_ranks:
        chosen.sort()
    if use_local_synchronization:
        name = "of " + ",".join(map(str, chosen))
        name += f" #{sum(other.split(' #')[0] == name for other in world.groups) + 1}"
    else:
        name = str(world.made)
        world.made += 1
    if whole.rank() not in chosen:
        return GroupMember.NON_GROUP_MEMBER
    made = ProcessGroup(name, chosen, whole.rank(), world.store, _checked_timeout(timeout, whole._timeout),
                        Backend(backend) if backend else whole.backend, group_desc or "undefined")
    world.groups[name] = made
    return made


def new_subgroups(group_size: int | None = None, group: Any = None, timeout: timedelta | None = None, backend: str | None = None,
                  pg_options: Any = None, group_desc: str | None = None) -> tuple[Any, list[Any]]:
    """Groups of `group_size` neighbours each: (this process's one, all of them)."""
    size = get_world_size()
    if group_size is None:
        raise ValueError("new_subgroups: give the group_size, the number of processes of each group")
    if group_size <= 0:
        raise ValueError(f"The arg 'group_size' ({group_size}) must be positive")
    if size < group_size:
        raise ValueError(f"The arg 'group_size' ({group_size}) must not exceed the world size ({size})")
    if size % group_size:
        raise ValueError(f"The world size ({size}) must be divisible by 'group_size={group_size}'")
    return new_subgroups_by_enumeration([list(range(first, first + group_size)) for first in range(0, size, group_size)],
                                        timeout, backend, pg_options, group_desc)


def new_subgroups_by_enumeration(ranks_per_subgroup_list: Sequence[Sequence[int]], timeout: timedelta | None = None,
                                 backend: str | None = None, pg_options: Any = None,
                                 group_desc: str | None = None) -> tuple[Any, list[Any]]:
    """Groups of the given ranks, none of them in two: (this process's one, or None; all of them)."""
    if not ranks_per_subgroup_list:
        raise ValueError("The arg 'ranks_per_subgroup_list' cannot be empty")
    every = [rank for ranks in ranks_per_subgroup_list for rank in ranks]
    if len(set(every)) != len(every):
        raise ValueError("the same rank is in two of the subgroups")
    groups = [new_group(ranks, timeout, backend, pg_options, group_desc=group_desc) for ranks in ranks_per_subgroup_list]
    mine = [made for made in groups if made is not GroupMember.NON_GROUP_MEMBER]
    return (mine[0] if mine else None), groups


def get_backend_config(group: Any = None) -> str:
    """Which backend serves which devices."""
    name = get_backend(group)
    return f"cpu:{name},cuda:{name}"
