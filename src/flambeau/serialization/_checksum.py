"""CRC-32, about as fast as memory where the CPU multiplies without carries (x86's PCLMULQDQ); zlib's elsewhere.

The CRC is a remainder modulo a polynomial P, so a message may be replaced by any other with the same remainder. `fold`
makes one of a single block: it multiplies a block of n bits by x^n mod P, which moves it on by its length, and adds it
to the next (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009). zlib does the
rest.
"""
from __future__ import annotations

import ctypes
import zlib
from functools import lru_cache
from typing import Any, Callable

import numpy as np

PIECE = 1 << 24  # bytes to read or write at a time: a CPU's last cache still has them when their CRC is taken
_POLYNOMIAL = 0x104C11DB7
_VECTORS = 4  # folded at a time, so that none waits for another
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
    function, block = fold
    whole = len(data) // block * block
    rest = np.zeros(block, np.uint8)
    rest[:4].view("<u4")[0] = value ^ 0xFFFFFFFF  # zlib keeps checksums with all bits turned
    function(np.frombuffer(data, np.uint8).ctypes.data, whole // block, rest.ctypes.data)
    return zlib.crc32(data[whole:], zlib.crc32(rest, 0xFFFFFFFF))  # type: ignore[arg-type]


def _power(n: int) -> int:
    """x^n mod P as PCLMULQDQ takes it: bits in reverse, the highest power (of 33) in bit 0 as in the data."""
    power = 1
    for _ in range(n):
        power <<= 1
        if power >> 32:
            power ^= _POLYNOMIAL
    return int(f"{power:032b}"[::-1], 2) << 1


def _each(text: str) -> str:
    """The text for each of the vectors, which are folded side by side."""
    return "".join(text.replace("#", str(i)) for i in range(_VECTORS))


# void fold(data, n, rest): n >= 1 blocks of vectors; rest: what to add to the first block, then what is left of all.
_IR = ("""
declare VECTOR @INTRINSIC(VECTOR, VECTOR, i8)
define void @fold(ptr noalias %data, i64 %n, ptr noalias %rest) {
entry:""" + _each("""
  %rest# = getelementptr VECTOR, ptr %rest, i64 #
  %old# = load VECTOR, ptr %rest#, align 1
  %begin# = getelementptr VECTOR, ptr %data, i64 #
  %head# = load VECTOR, ptr %begin#, align 1
  %first# = xor VECTOR %old#, %head#""") + """
  %one = icmp eq i64 %n, 1
  br i1 %one, label %done, label %loop
loop:
  %k = phi i64 [1, %entry], [%next_k, %loop]""" + _each("""
  %lane# = phi VECTOR [%first#, %entry], [%next#, %loop]""") + """
  %offset = mul i64 %k, BLOCK
  %block = getelementptr i8, ptr %data, i64 %offset""" + _each("""
  %low# = call VECTOR @INTRINSIC(VECTOR %lane#, VECTOR FACTORS, i8 0)
  %high# = call VECTOR @INTRINSIC(VECTOR %lane#, VECTOR FACTORS, i8 17)
  %at# = getelementptr VECTOR, ptr %block, i64 #
  %data# = load VECTOR, ptr %at#, align 1
  %moved# = xor VECTOR %low#, %high#
  %next# = xor VECTOR %moved#, %data#""") + """
  %next_k = add i64 %k, 1
  %more = icmp ult i64 %next_k, %n
  br i1 %more, label %loop, label %done
done:""" + _each("""
  %last# = phi VECTOR [%first#, %entry], [%next#, %loop]""") + _each("""
  store VECTOR %last#, ptr %rest#, align 1""") + """
  ret void
}
""")


def _code(nbytes: int) -> tuple[str, int]:
    """(the code for vectors of 16 or 32 bytes, bytes of a block)."""
    block, words = _VECTORS * nbytes, nbytes // 8
    factors = [_power(8 * block + 32), _power(8 * block - 32)] * (words // 2)
    code = (_IR.replace("VECTOR", f"<{words} x i64>").replace("BLOCK", str(block))
            .replace("INTRINSIC", "llvm.x86.pclmulqdq" + (".256" if nbytes == 32 else ""))
            .replace("FACTORS", f"<{', '.join(f'i64 {factor}' for factor in factors)}>"))
    return code, block


@lru_cache(None)
def _fold() -> tuple[Callable[[int, int, int], None], int] | None:
    """(the compiled function, which releases the GIL, bytes of a block); None where the CPU lacks the instruction."""
    from ..compiler.cache import compile_cached
    from ..compiler.llvm import jit
    from ..compiler.llvm.target import host_target

    target = host_target()
    features = target.features.split(",")
    if "+pclmul" not in features:
        return None
    code, block = _code(32 if "+vpclmulqdq" in features else 16)
    library = jit.load(compile_cached(code, target), ["fold"])
    return library.function("fold", None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p), block
