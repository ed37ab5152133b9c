"""The primitives: the only operations that executors must know. Each file defines one family, and each primitive's type
rule, NumPy kernel and VJP stand beside each other. Read `base.py` first."""
from .base import (PRIMITIVES, Primitive, as_vars, broadcast_shapes, broadcast_to, composite, constant, full, iota, no_derivative,
                   sum_to)
from .contraction import conv, conv_input_grad, conv_size, conv_weight_grad, dot, matmul
from .ctc import ctc
from .elementwise import (absolute, acos, acosh, add, asin, asinh, atan, atan2, atanh, bce, bitwise_and, bitwise_not, bitwise_or,
                          bitwise_xor, cast, ceil, conj, copysign, cos, cosh, div, eq, erf, erfc, exp, exp2, expm1, floor,
                          floor_divide, fmod, ge, gt, imag, isnan, le, log, log1p, log2, log10, logical_not, lt,
                          make_complex, maximum, minimum, mul, ne, neg, nextafter, ones_like, power, real, relu, remainder,
                          round_even, rsqrt, select, sgn, shift_left, shift_right, sigmoid, sin, sinh, sqrt, stop_gradient, sub, tan, tanh,
                          trunc, zeros_like)
from .indexing import gather, put, require, scatter, searchsorted, sort, take
from .random import random_binomial, random_bits, random_permutation, random_poisson
from .reduction import (argmax, argmin, cummax, cummin, cumprod, cumsum, index_along, logcumsumexp, log_softmax, reduce_max, reduce_min,
                        reduce_prod, reduce_sum, softmax, spread)
from .scan import scan
from .shape import (bitcast, concat, flip, pad, permute, reshape, slice_, slice_dim, strided_sum, strided_view, strided_view_at, strided_write,
                    strided_write_at)
from .special import (airy_ai, angle, bessel_j0, bessel_j1, bessel_k0, bessel_k0e, bessel_k1, bessel_k1e, bessel_y0, bessel_y1, digamma, entr,
                      erfcx, erfinv, frexp, gammainc, gammaincc, gcd, heaviside, hypot, i0, i0e, i1, i1e, lgamma, log_ndtr, logaddexp, logaddexp2,
                      logit, ndtri, polygamma, polynomial, quotient, sinc, spherical_bessel_j0, xlog1py, xlogy, zeta)
from .window import max_pool, window_spread, window_sum

__all__ = [name for name in dir() if not name.startswith("_")]
