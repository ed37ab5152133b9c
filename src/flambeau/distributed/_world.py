"""The world of this process: its default group, the other groups, and questions about them."""
from __future__ import annotations

import os
import warnings
from typing import Any, Sequence

from ._group import ProcessGroup
from .store import TCPStore


class GroupMember:
    """What stands for groups: WORLD for all processes, NON_GROUP_MEMBER for a group that this process is not in."""

    WORLD: ProcessGroup | None = None
    NON_GROUP_MEMBER = -100


class _Group(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        return GroupMember.WORLD


class group(metaclass=_Group):
    """`group.WORLD` is the group of all processes."""


class World:
    """store: where everybody finds everybody; None in a world of one process. groups: all that this process is in.
    made: how many groups there have been, so that each has a name of its own."""

    def __init__(self) -> None:
        self.store: TCPStore | None = None
        self.hosted: TCPStore | None = None
        self.groups: dict[str, ProcessGroup] = {}
        self.made = 0


world = World()


def is_initialized() -> bool:
    """Whether `init_process_group` has been called."""
    return GroupMember.WORLD is not None


def the_group(group: Any = None) -> ProcessGroup:
    """`group`, or that of all processes. ValueError before `init_process_group`."""
    if group is None:
        if GroupMember.WORLD is None:
            raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
        return GroupMember.WORLD
    if not isinstance(group, ProcessGroup):
        raise ValueError("Invalid process group specified")
    return group


def is_outside(group: Any, name: str) -> bool:
    """Whether this process is not in `group`: then `name` has nothing to do, and warns."""
    if group is not GroupMember.NON_GROUP_MEMBER:
        return False
    rank = GroupMember.WORLD.rank() if GroupMember.WORLD is not None else -1
    warnings.warn(f"Running {name} on global rank {rank} which does not belong to the given group.", stacklevel=3)
    return True


def get_rank(group: Any = None) -> int:
    """This process's number in the group; -1 if it is not in it."""
    return -1 if group is GroupMember.NON_GROUP_MEMBER else the_group(group).rank()


def get_world_size(group: Any = None) -> int:
    """How many processes there are in the group; -1 if this one is not in it."""
    return -1 if group is GroupMember.NON_GROUP_MEMBER else the_group(group).size()


def get_backend(group: Any = None) -> Any:
    """The name of the group's backend."""
    if group is GroupMember.NON_GROUP_MEMBER:
        raise ValueError("Invalid process group specified")
    return Backend(the_group(group).backend)


def get_group_rank(group: Any, global_rank: int) -> int:
    """The number in `group` of the process that has `global_rank` in the world. ValueError if it is not in it."""
    ranks = the_group(group)._ranks
    if global_rank not in ranks:
        raise ValueError(f"Global rank {global_rank} is not part of group {group}")
    return ranks.index(global_rank)


def get_global_rank(group: Any, group_rank: int) -> int:
    """The number in the world of the process that has `group_rank` in `group`."""
    ranks = the_group(group)._ranks
    if not 0 <= group_rank < len(ranks):
        raise ValueError(f"Group rank {group_rank} is not part of group {group}")
    return ranks[group_rank]


def get_process_group_ranks(group: Any) -> list[int]:
    """The numbers in the world of the group's processes."""
    return list(the_group(group)._ranks)


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """This process's number on its machine, from LOCAL_RANK in the environment."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is not None:
        return int(fallback_rank)
    raise RuntimeError("LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow `get_node_local_rank` "
                       "to work, assuming you are not running in a multi-device context and want the code to run locally "
                       "instead.")


def get_pg_count() -> int:
    """How many groups this process is in."""
    return len(world.groups)


def peer_of(group: ProcessGroup, global_rank: int | None, group_rank: int | None, name: str,
            default: int | None = None) -> int:
    """The number in `group` of a process given by its number in the world or in the group. name: of the argument."""
    if global_rank is not None and group_rank is not None:
        raise ValueError(f"Can't specify both group_{name} and global_{name}")
    if group_rank is not None:
        if not 0 <= group_rank < group.size():
            raise ValueError(f"Group rank {group_rank} is not part of group {group}")
        return group_rank
    if global_rank is None:
        if default is None:
            raise ValueError(f"Must specify {name} or group_{name}")
        global_rank = default
    return get_group_rank(group, global_rank)


class Backend(str):
    """The name of a backend, in lower case. All of them run on one engine here, and differ in name only."""

    UNDEFINED, GLOO, NCCL, XLA = "undefined", "gloo", "nccl", "xla"
    backend_list: Sequence[str] = (UNDEFINED, GLOO, NCCL, XLA)

    def __new__(cls, name: str) -> Any:
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be string-ish, got: {type(name)}")
        value = name.lower()
        if value not in cls.backend_list and ":" not in value:
            raise ValueError(f"Invalid backend: '{name}'")
        return super().__new__(cls, value)
