"""`torch.cuda.FloatTensor` and the others: the legacy types of tensors on GPUs. Making one raises a TypeError without a GPU."""
from __future__ import annotations

from .. import dtypes
from ..tensor.legacy import legacy_type

FloatTensor = legacy_type(dtypes.float32, True)
DoubleTensor = legacy_type(dtypes.float64, True)
HalfTensor = legacy_type(dtypes.float16, True)
BFloat16Tensor = legacy_type(dtypes.bfloat16, True)
ByteTensor = legacy_type(dtypes.uint8, True)
CharTensor = legacy_type(dtypes.int8, True)
ShortTensor = legacy_type(dtypes.int16, True)
IntTensor = legacy_type(dtypes.int32, True)
LongTensor = legacy_type(dtypes.int64, True)
BoolTensor = legacy_type(dtypes.bool_, True)
