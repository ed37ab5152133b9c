"""CRC-32, beside the speed of memory where the CPU multiplies without carries (x86's PCLMULQDQ); zlib's elsewhere.

The CRC is a remainder modulo a polynomial P, so a message may be replaced by any other with the same remainder. `fold`
makes one of 64 bytes: it multiplies 64 bytes by x^512 mod P, which moves them 64 bytes on, and adds them to the next 64
(Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009). zlib does the rest.
"""
from __future__ import annotations

import ctypes
import zlib
from functools import lru_cache
from typing import Any, Callable

import numpy as np

PIECE = 1 << 20  # bytes to read or write at a time: they are in the CPU's cache when their CRC is taken, or was
_POLYNOMIAL = 0x104C11DB7
_BLOCK = 64  # bytes folded at a time, in four vectors
_SHORT = 1 << 16  # bytes of a buffer that zlib is as fast with
_BEFORE = 1 << 26  # bytes that zlib does in the time in which the function is fetched: a process gets it after so many
_so_far = 0


def crc32(data: Any, value: int = 0) -> int:
    """`zlib.crc32`: of the bytes before, whose checksum is `value`, and of data, a flat buffer of bytes."""
    global _so_far
    _so_far += len(data)
    fold = _fold() if _so_far > _BEFORE and len(data) >= _SHORT else None
    if fold is None:
        return zlib.crc32(data, value)
    whole = len(data) // _BLOCK * _BLOCK
    rest = np.zeros(_BLOCK, np.uint8)
    rest[:4].view("<u4")[0] = value ^ 0xFFFFFFFF  # zlib keeps checksums with all bits turned
    fold(np.frombuffer(data, np.uint8).ctypes.data, whole // _BLOCK, rest.ctypes.data)
    return zlib.crc32(data[whole:], zlib.crc32(rest, 0xFFFFFFFF))


def _power(n: int) -> int:
    """x^n mod P as PCLMULQDQ takes it: bits in reverse, the highest power (of 33) in bit 0 as in the data."""
    power = 1
    for _ in range(n):
        power <<= 1
        if power >> 32:
            power ^= _POLYNOMIAL
    return int(f"{power:032b}"[::-1], 2) << 1


def _lane(i: int) -> str:
    """The code that folds vector i of four and adds the next data."""
    return f"""
  %low{i} = call <2 x i64> @llvm.x86.pclmulqdq(<2 x i64> %lane{i}, <2 x i64> <i64 LOW, i64 HIGH>, i8 0)
  %high{i} = call <2 x i64> @llvm.x86.pclmulqdq(<2 x i64> %lane{i}, <2 x i64> <i64 LOW, i64 HIGH>, i8 17)
  %at{i} = getelementptr <2 x i64>, ptr %block, i64 {i}
  %data{i} = load <2 x i64>, ptr %at{i}, align 1
  %moved{i} = xor <2 x i64> %low{i}, %high{i}
  %next{i} = xor <2 x i64> %moved{i}, %data{i}"""


def _each(text: str) -> str:
    return "".join(text.replace("#", str(i)) for i in range(4))


# void fold(data, n, rest): n >= 1 blocks of 64 bytes; rest: what to add to the first block, then what is left of all.
_IR = ("""
declare <2 x i64> @llvm.x86.pclmulqdq(<2 x i64>, <2 x i64>, i8)
define void @fold(ptr noalias %data, i64 %n, ptr noalias %rest) {
entry:""" + _each("""
  %rest# = getelementptr <2 x i64>, ptr %rest, i64 #
  %old# = load <2 x i64>, ptr %rest#, align 1
  %begin# = getelementptr <2 x i64>, ptr %data, i64 #
  %head# = load <2 x i64>, ptr %begin#, align 1
  %first# = xor <2 x i64> %old#, %head#""") + """
  %one = icmp eq i64 %n, 1
  br i1 %one, label %done, label %loop
loop:
  %k = phi i64 [1, %entry], [%next_k, %loop]""" + _each("""
  %lane# = phi <2 x i64> [%first#, %entry], [%next#, %loop]""") + """
  %offset = shl i64 %k, 6
  %block = getelementptr i8, ptr %data, i64 %offset""" + "".join(map(_lane, range(4))) + """
  %next_k = add i64 %k, 1
  %more = icmp ult i64 %next_k, %n
  br i1 %more, label %loop, label %done
done:""" + _each("""
  %last# = phi <2 x i64> [%first#, %entry], [%next#, %loop]""") + _each("""
  store <2 x i64> %last#, ptr %rest#, align 1""") + """
  ret void
}
""").replace("LOW", str(_power(8 * _BLOCK + 32))).replace("HIGH", str(_power(8 * _BLOCK - 32)))


@lru_cache(None)
def _fold() -> Callable[[int, int, int], None] | None:
    """The compiled function, which releases the GIL; None where the CPU lacks the instruction."""
    from ..compiler.cache import compile_cached
    from ..compiler.llvm import jit
    from ..compiler.llvm.target import host_target

    target = host_target()
    if "+pclmul" not in target.features.split(","):
        return None
    library = jit.load(compile_cached(_IR, target), ["fold"])
    return library.function("fold", None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
