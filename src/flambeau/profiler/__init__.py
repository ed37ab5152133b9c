"""`torch.profiler`: where a program's time goes, by op, by range and by kernel. `profile` is where to begin.

From the trace to a table: `_collect` (looks on), `_events` (by op and range), `_kernels` (by kernel), `_chrome` (as a trace).
"""
from ..autograd.profiler import record_function as record_function
from ..autograd.profiler_util import DeviceType as DeviceType
from ..autograd.profiler_util import ProfilerActivity as ProfilerActivity
from .profiler import ProfilerAction as ProfilerAction
from .profiler import _KinetoProfile as _KinetoProfile
from .profiler import profile as profile
from .profiler import schedule as schedule
from .profiler import supported_activities as supported_activities
from .profiler import tensorboard_trace_handler as tensorboard_trace_handler


def kineto_available() -> bool:
    """True, as in PyTorch's packages: profiles and traces can be made."""
    return True
