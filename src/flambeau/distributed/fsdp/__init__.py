"""`torch.distributed.fsdp`: modules whose parameters are shared out among processes, or among the devices of one.

Rajbhandari et al. 2020, "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", arXiv:1910.02054.
Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel", arXiv:2304.11277.
`_fully_shard.py` is what users call; `_param_group.py` how processes share parameters, `_devices.py` how devices do.
"""
# ruff: noqa: F401
from ._fully_shard import CPUOffloadPolicy, FSDPModule, MixedPrecisionPolicy, OffloadPolicy, fully_shard, register_fsdp_forward_method
