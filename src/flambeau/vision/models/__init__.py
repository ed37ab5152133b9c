"""Networks for images, with published weights: `resnet50(weights="DEFAULT")`, `get_model("vit_b_16")`,
`list_models()`. One file a family; `_weights.py` and `_meta.py` hold what is known about weights."""
from .alexnet import *
from .convnext import *
from .densenet import *
from .efficientnet import *
from .googlenet import *
from .inception import *
from .maxvit import *
from .mnasnet import *
from .mobilenetv2 import *
from .mobilenetv3 import *
from .regnet import *
from .resnet import *
from .shufflenetv2 import *
from .squeezenet import *
from .swin_transformer import *
from .vgg import *
from .vision_transformer import *

from . import detection, optical_flow, segmentation, video
from ._api import (Weights, WeightsEnum, get_model, get_model_builder, get_model_weights, get_weight, list_models)
