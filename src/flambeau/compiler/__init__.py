"""Graph → machine code for the CPU. The only room that imports llvmlite."""

from .switches import (allow_in_graph as allow_in_graph, assume_constant_result as assume_constant_result, disable as disable,
                       is_compiling as is_compiling, is_dynamo_compiling as is_dynamo_compiling, is_exporting as is_exporting,
                       reset as reset)
