"""Modules that programs import a name or two from: the same names stand for the same things."""
import importlib

import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", ["types", "functional", "nn.common_types", "cuda.memory", "cuda.random", "utils.model_zoo"])
def test_names(name):
    theirs, ours = (importlib.import_module(f"{root}.{name}") for root in ("torch", "flambeau"))
    missing = {n for n in getattr(theirs, "__all__", dir(theirs)) if not hasattr(ours, n)}
    assert missing <= {"tqdm", *MISSING.get(name, ())}


# what needs CUDA's own allocator, or counters that XLA does not have
MISSING = {
    "nn.common_types": {"_TypeAlias"},
    "cuda.memory": {
        "caching_allocator_alloc", "caching_allocator_delete", "caching_allocator_disabled", "caching_allocator_enable",
        "get_per_process_memory_fraction", "set_per_process_memory_fraction", "memory_stats_as_nested_dict",
        "reset_accumulated_memory_stats", "host_memory_stats", "host_memory_stats_as_nested_dict", "reset_accumulated_host_memory_stats",
        "reset_peak_host_memory_stats", "memory_snapshot", "list_gpu_processes", "get_allocator_backend", "CUDAPluggableAllocator",
        "change_current_allocator", "MemPool", "use_mem_pool"}}


def test_annotations_are_the_same():
    import flambeau.nn.common_types as ours
    import torch.nn.common_types as theirs
    for name in [n for n in vars(theirs) if n.startswith("_size") or n.startswith("_ratio")]:
        assert getattr(ours, name) == getattr(theirs, name), name
