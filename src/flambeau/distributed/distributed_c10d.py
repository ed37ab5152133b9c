"""What PyTorch's module of this name holds, for programs that import from it."""
# ruff: noqa: F401
from ._buckets import GradBucket
from ._collectives import (all_gather, all_gather_coalesced, all_gather_into_tensor, all_reduce, all_reduce_coalesced, all_to_all,
                           all_to_all_single, barrier, broadcast, gather, monitored_barrier, reduce, reduce_scatter,
                           reduce_scatter_tensor, scatter)
from ._group import ProcessGroup, Work
from ._groups import (destroy_process_group, get_backend_config, get_default_backend_for_device, init_process_group,
                      is_backend_available, is_gloo_available, is_mpi_available, is_nccl_available, is_torchelastic_launched,
                      is_ucc_available, is_xccl_available, new_group, new_subgroups, new_subgroups_by_enumeration)
from ._objects import (all_gather_object, broadcast_object_list, gather_object, recv_object_list, scatter_object_list,
                       send_object_list)
from ._points import P2POp, batch_isend_irecv, irecv, isend, recv, send
from ._reduce_op import ReduceOp, supports_complex
from ._world import (Backend, GroupMember, get_backend, get_global_rank, get_group_rank, get_node_local_rank, get_pg_count,
                     get_process_group_ranks, get_rank, get_world_size, group, is_initialized)
from .constants import default_pg_timeout
from .errors import DistBackendError, DistError, DistNetworkError, DistStoreError
from .rendezvous import register_rendezvous_handler, rendezvous
from .store import FileStore, HashStore, PrefixStore, Store, TCPStore

all_gather_single, reduce_scatter_single = all_gather_into_tensor, reduce_scatter_tensor  # their names from 2.13 on
