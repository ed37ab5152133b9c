"""SPMD execution: all threads run one native program, chunk by chunk. `native` is the machine code, `team` its door."""
from .team import Program as Program
from .team import get_num_threads as get_num_threads
from .team import join as join
from .team import set_num_threads as set_num_threads
