"""flambeau: PyTorch's public API on a compiler written in Python. `import flambeau as torch`.

This file is the table of contents of `torch.*`: every public name, from the room that defines it.
"""
# ruff: noqa: F401
import gc as _gc

# What is imported is there to stay: looking through it for garbage takes a tenth of the import, of each full collection of the program,
# and of its exit. If the program has just begun, that is nearly all there is.
_collects, _begins = _gc.isenabled(), _gc.get_stats()[2]["collections"] == 0
_gc.disable()

from . import dtypes as _dtypes
from .dtypes import (bfloat16, can_cast, complex32, complex64, complex128, dtype, finfo, float8_e4m3fn, float8_e4m3fnuz, float8_e5m2,
                     float8_e5m2fnuz, float16, float32, float64, get_default_dtype, iinfo, int8, int16, int32, int64, set_default_dtype, uint8, uint16, uint32, uint64)
from .dtypes import bool_ as bool
from .dtypes import float16 as half, float32 as float, float64 as double, int16 as short, int32 as int, int64 as long
from .dtypes import complex32 as chalf, complex64 as cfloat, complex128 as cdouble
from .dtypes import promote as promote_types
from .tensor.device import device
from .tensor.size import Size
from .tensor.tensor import Tensor
from .runtime.tiers import default_executor as _default_executor
from .runtime.program import set_executor as _set_executor

_set_executor(_default_executor())

# elementwise operations, creation and conversion
from .ops.arithmetic import (add, addcdiv, addcmul, arctan2, atan2, copysign, div, divide, float_power, floor_divide, fmax, fmin, fmod,
                             gcd, heaviside, hypot, lcm, ldexp, lerp, logaddexp, logaddexp2, maximum, minimum, mul, multiply, nextafter,
                             pow, remainder, rsub, sub, subtract, true_divide)
from .ops.bits import imag, real, view_as_complex, view_as_real
from .ops.bitwise import (bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, logical_and,
                          logical_not, logical_or, logical_xor)
from .ops.comparison import (allclose, eq, equal, ge, greater, greater_equal, gt, is_nonzero, isclose, isfinite, isinf, isnan, isneginf,
                             isposinf, isreal, le, less, less_equal, lt, ne, not_equal)
from .ops.complex import complex, conj, conj_physical, is_conj, polar, resolve_conj, resolve_neg
from .ops.conversion import fill
from .ops.creation import (arange, empty, empty_like, empty_permuted, empty_strided, eye, full, full_like, linspace, logspace, ones,
                           ones_like, range, scalar_tensor, tril_indices, triu_indices, zeros, zeros_like)
from .ops.from_data import as_tensor, asarray, from_numpy, frombuffer, tensor
from .ops.memory_format import channels_last, channels_last_3d, contiguous_format, memory_format, preserve_format
from .ops.pointwise import (abs, absolute, acos, acosh, angle, arccos, arccosh, arcsin, arcsinh, arctan, arctanh, asin, asinh, atan,
                            atanh, ceil, clamp, clamp_max, clamp_min, clip, cos, cosh, deg2rad, exp, exp2, expm1, fix, floor, frac, log,
                            log1p, log2, log10, nan_to_num, neg, negative, positive, rad2deg, reciprocal, relu, round, rsqrt, sgn,
                            sigmoid, sign, signbit, sin, sinh, sqrt, square, tan, tanh, trunc, where)
from .ops.special import (digamma, erf, erfc, erfinv, frexp, i0, igamma, igammac, lgamma, logit, mvlgamma, polygamma, sinc, xlogy)
from .ops.spectral import istft, stft
from .ops.windows import bartlett_window, blackman_window, hamming_window, hann_window, kaiser_window
from .tensor.attributes import detach
from .tensor.layout import jagged, layout, sparse_bsc, sparse_bsr, sparse_coo, sparse_csc, sparse_csr, strided
from .tensor.legacy import (BFloat16Tensor, BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, HalfTensor, IntTensor, LongTensor,
                            ShortTensor)
from .tensor.printing import set_printoptions
# reductions, joining and splitting, reading and writing at positions, order
from .warning import is_warn_always_enabled, set_warn_always
from .ops.reduction import (all, amax, amin, aminmax, any, argmax, argmin, count_nonzero, hash_tensor, logsumexp, max, mean, min,
                            nanmean, nansum, prod, sum)
from .ops.indexing import (gather, index_add, index_copy, index_fill, index_put, index_put_, index_reduce, index_select, put, scatter,
                           scatter_add, scatter_reduce, take, take_along_dim)
from .ops.norms import dist, norm, renorm
from .ops.masking import argwhere, masked_fill, masked_scatter, masked_select, nonzero
from .ops.rearrange import (adjoint, as_strided_, atleast_1d, atleast_2d, atleast_3d, broadcast_shapes, broadcast_tensors, broadcast_to,
                            cartesian_prod, combinations, flip, fliplr, flipud, meshgrid, moveaxis, ravel, repeat_interleave, resize_as_, roll,
                            rot90, swapaxes, swapdims, tile)
from .ops.diagonal import (as_strided_scatter, block_diag, diag, diag_embed, diagflat, diagonal_scatter, select_scatter, slice_scatter,
                           trace, tril, triu, vander)
from .ops.histogram import bincount, histc, histogram, histogramdd
from .ops.scan import (cummax, cummin, cumprod, cumsum, cumulative_trapezoid, diff, gradient, logcumsumexp, trapezoid, trapz)
from .ops.sorting import (argsort, bucketize, isin, kthvalue, msort, nonzero_static, searchsorted, sort, topk, unique, unique_consecutive,
                          unravel_index)
from .ops.statistics import corrcoef, cov, median, mode, nanmedian, nanquantile, quantile, std, std_mean, var, var_mean
from .ops.view_copies import (alias_copy, as_strided_copy, detach_copy, diagonal_copy, expand_copy, narrow_copy, permute_copy, select_copy,
                              slice_copy, split_copy, split_with_sizes_copy, squeeze_copy, t_copy, transpose_copy, unbind_copy,
                              unfold_copy, unsafe_chunk, unsafe_split, unsafe_split_with_sizes, unsqueeze_copy, view_as_complex_copy,
                              view_as_real_copy, view_copy)
from .ops.shape import (cat, chunk, column_stack, concat, concatenate, dsplit, dstack, hsplit, hstack, row_stack, split,
                        split_with_sizes, stack, tensor_split, vsplit, vstack)
from .tensor.views import (as_strided, clone, diagonal, flatten, movedim, narrow, permute, reshape, select, squeeze, t, transpose,
                           unbind, unflatten, unsqueeze)
from .ops.linear import addbmm, addmm, addmv, addr, baddbmm, bilinear, bmm, dot, ger, matmul, mm, mv, outer, vdot
from .ops.einsum import cross, einsum, inner, kron, tensordot
from .ops.factorizations import geqrf, lu, lu_unpack, orgqr, ormqr, pca_lowrank, svd_lowrank
from .ops.linalg import (chain_matmul, cholesky, cholesky_inverse, cholesky_solve, det, inverse, logdet, lu_solve, matrix_exp, matrix_power,
                         pinverse, qr, slogdet, svd, triangular_solve)
from .ops.random import (bernoulli, multinomial, normal, poisson, rand, rand_like, randint, randint_like, randn, randn_like,
                         randperm)
from .tensor import methods as _methods
from . import random
from .random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from . import autograd, return_types
from .autograd import (enable_grad, inference_mode, is_anomaly_enabled, is_grad_enabled, is_inference_mode_enabled, no_grad,
                       set_grad_enabled)

from .misc import (are_deterministic_algorithms_enabled, compile, get_default_device, get_deterministic_debug_mode, get_device_module,
                   get_float32_matmul_precision, get_num_interop_threads, get_num_threads, is_complex, is_deterministic_algorithms_warn_only_enabled, is_floating_point,
                   is_inference, is_same_size, is_signed, is_storage, is_tensor, numel, result_type, set_default_device,
                   set_default_tensor_type, set_deterministic_debug_mode, set_float32_matmul_precision, set_flush_denormal,
                   set_num_interop_threads, set_num_threads, typename, use_deterministic_algorithms)

from .tensor.overriding import guard as _guard

_guard(globals())

if _collects:
    if _begins:
        _gc.freeze()
    _gc.enable()

newaxis = None  # x[newaxis] puts a dimension in

# packages that load when they are first used, so that `import flambeau` stays quick
_LAZY = frozenset(("_C", "accelerator", "amp", "backends", "compiler", "cpu", "cuda", "distributed", "distributions",
                   "export", "fft", "func", "functional", "futures", "hub", "jit", "linalg", "masked", "mps", "multiprocessing",
                   "nn", "onnx", "optim", "overrides", "profiler", "serialization", "signal", "sparse", "special",
                   "storage", "testing", "types", "utils", "version", "vision", "xpu"))
# names whose modules load when they are first used
_LAZY_NAMES = {
    "__version__": ".torch_version", "lobpcg": ".ops.lobpcg",
    **dict.fromkeys(("_dirichlet_grad", "_sample_dirichlet", "_standard_gamma", "_standard_gamma_grad", "binomial"), ".ops.draws"),
    "install": ".hook", "explain": ".runtime.explain",
    "Stream": ".tensor.streams", "Event": ".tensor.streams", "GradScaler": ".amp", **dict.fromkeys(("save", "load"), ".serialization"),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), ".ops.recurrent"),
    **dict.fromkeys(("celu", "celu_", "hardshrink", "prelu", "relu_", "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_"),
                    ".nn.functional.activation"),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d", "max_pool2d", "max_pool3d",
                     "max_pool1d_with_indices"), ".nn.functional.pooling"),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), ".nn.functional.conv"),
    **dict.fromkeys(("alpha_dropout", "alpha_dropout_", "batch_norm", "conv_tbc", "cosine_embedding_loss", "ctc_loss", "dropout",
                     "dropout_", "embedding", "feature_alpha_dropout", "feature_alpha_dropout_", "feature_dropout", "feature_dropout_",
                     "group_norm", "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "log_softmax",
                     "margin_ranking_loss", "native_channel_shuffle", "poisson_nll_loss", "softmax", "triplet_margin_loss",
                     "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "native_batch_norm", "native_group_norm",
                     "native_layer_norm", "zero_"),
                    ".ops.neural"),
    **dict.fromkeys(("cond", "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sum", "while_loop"),
                    ".control_flow"),
    "TypedStorage": ".storage", "UntypedStorage": ".storage", "AcceleratorError": ".accelerator", "OutOfMemoryError": ".accelerator", "rms_norm": ".nn.functional.normalization",
    **dict.fromkeys(("cdist", "cosine_similarity", "pairwise_distance", "pdist"), ".nn.functional.distance"),
    "constant_pad_nd": ".nn.functional.padding", "from_file": ".ops.from_data", "vmap": ".func.vmap", "autocast": ".amp.autocast_mode",
    **dict.fromkeys(("is_autocast_enabled", "set_autocast_enabled", "get_autocast_dtype", "set_autocast_dtype", "is_autocast_cache_enabled",
                     "set_autocast_cache_enabled", "autocast_increment_nesting", "autocast_decrement_nesting", "clear_autocast_cache",
                     "is_autocast_cpu_enabled", "set_autocast_cpu_enabled", "get_autocast_cpu_dtype", "set_autocast_cpu_dtype",
                     "get_autocast_gpu_dtype", "set_autocast_gpu_dtype"), ".tensor.autocast"),
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"), ".nn.functional.vision"),
    **dict.fromkeys(("smm", "hspmm", "sspaddmm"), ".sparse.products"), "thread_safe_generator": ".random",
    "from_dlpack": ".tensor.dlpack", "to_dlpack": ".tensor.dlpack", "sparse_coo_tensor": ".sparse.coo", "sparse_csr_tensor": ".sparse.csr",
    **dict.fromkeys(("sparse_bsc_tensor", "sparse_bsr_tensor", "sparse_compressed_tensor", "sparse_csc_tensor"), ".sparse.compressed"),
    "inf": "math", "nan": "math", "pi": "math", "e": "math",
}


def __getattr__(name):
    from importlib import import_module
    home = _LAZY_NAMES.get(name)
    if home is not None:
        globals()[name] = getattr(import_module(home, __name__), name)
        _guard(globals(), (name,))
        return globals()[name]
    if name in _LAZY:
        try:
            return import_module("." + name, __name__)
        except ModuleNotFoundError as error:
            if error.name != __name__ + "." + name:
                raise
    from .hook.missing import missing_name
    raise missing_name(__name__, name)


def __dir__():
    return sorted({*globals(), *_LAZY_NAMES})
