"""`torch.distributed`: several processes, on one machine or many.

`rendezvous.py` is how they find each other, through the stores of `store.py`; `_group.py` what a group of them is;
`_collectives.py`, `_objects.py` and `_points.py` what they tell each other; `_engine.py` what moves the bytes.
"""
# ruff: noqa: F401
from .constants import default_pg_timeout
from .distributed_c10d import (Backend, FileStore, GroupMember, HashStore, P2POp, PrefixStore, ProcessGroup, ReduceOp, Store, TCPStore,
                               Work, all_gather, all_gather_coalesced, all_gather_into_tensor, all_gather_object, all_reduce,
                               all_reduce_coalesced, all_to_all, all_to_all_single, barrier, batch_isend_irecv, broadcast,
                               broadcast_object_list, destroy_process_group, gather, gather_object, get_backend,
                               get_backend_config, get_default_backend_for_device, get_global_rank, get_group_rank,
                               get_node_local_rank, get_pg_count, get_process_group_ranks, get_rank, get_world_size, group,
                               init_process_group, irecv, is_backend_available, is_gloo_available, is_initialized,
                               is_mpi_available, is_nccl_available, is_torchelastic_launched, is_ucc_available,
                               is_xccl_available, isend, monitored_barrier, new_group, new_subgroups,
                               new_subgroups_by_enumeration, recv, recv_object_list, reduce, reduce_scatter,
                               reduce_scatter_tensor, scatter, scatter_object_list, send, send_object_list, supports_complex)
from .errors import DistBackendError, DistError, DistNetworkError, DistStoreError
from .rendezvous import register_rendezvous_handler, rendezvous


def is_available() -> bool:
    """True: groups of one process work everywhere; `init_process_group` of more needs jax, and says so."""
    return True
