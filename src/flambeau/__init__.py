"""flambeau: PyTorch's public API on a compiler written in Python. `import flambeau as torch`.

This file is the table of contents of `torch.*`: every public name, from the room that defines it.
"""
# ruff: noqa: F401
from . import dtypes as _dtypes
from .dtypes import (bfloat16, can_cast, complex64, complex128, dtype, finfo, float16, float32, float64, get_default_dtype, iinfo, int8,
                     int16, int32, int64, set_default_dtype, uint8, uint16, uint32, uint64)
from .dtypes import bool_ as bool
from .dtypes import float16 as half, float32 as float, float64 as double, int16 as short, int32 as int, int64 as long
from .dtypes import complex64 as cfloat, complex128 as cdouble
from .dtypes import promote as promote_types
from .tensor.device import device
from .tensor.size import Size
from .tensor.tensor import Tensor
from .interpret import Interpreter as _Interpreter
from .runtime.program import set_executor as _set_executor

_set_executor(_Interpreter())

from .ops.creation import *
from .ops.pointwise import *
from .ops.reduction import *
from .tensor.views import (as_strided, clone, diagonal, flatten, movedim, narrow, permute, reshape, select, squeeze, t, transpose,
                           unbind, unflatten, unsqueeze)
from .ops.linear import addbmm, addmm, addmv, addr, baddbmm, bilinear, bmm, dot, ger, matmul, mm, mv, outer, vdot
from .ops.random import bernoulli, normal, rand, rand_like, randint, randint_like, randn, randn_like, randperm
from .tensor import methods as _methods
from . import random
from .random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from . import autograd

