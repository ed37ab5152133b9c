"""Networks for images, with published weights: `resnet50(weights="DEFAULT")`, `get_model("vit_b_16")`,
`list_models()`. One file a family; `_weights.py` and `_meta.py` hold what is known about weights."""
from .alexnet import *
from .densenet import *
from .resnet import *
from .squeezenet import *
from .vgg import *

from ._api import (Weights, WeightsEnum, get_model, get_model_builder, get_model_weights, get_weight, list_models)
