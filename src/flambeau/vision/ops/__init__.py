"""Operations and layers for detection and image networks: boxes, regions of interest, building blocks, losses."""
from .misc import (Conv2dNormActivation, Conv3dNormActivation, FrozenBatchNorm2d, MLP, Permute, SqueezeExcitation)
from .stochastic_depth import StochasticDepth, stochastic_depth
