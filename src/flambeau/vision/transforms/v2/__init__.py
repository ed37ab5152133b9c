"""Transforms of samples: images and videos together with their boxes, masks and keypoints (`tv_tensors`), in any
nesting."""
from ..autoaugment import AutoAugmentPolicy
from ..functional import InterpolationMode
from . import functional
from ._augment import JPEG, CutMix, MixUp, RandomErasing
from ._auto_augment import AugMix, AutoAugment, RandAugment, TrivialAugmentWide
from ._color import (RGB, ColorJitter, Grayscale, RandomAdjustSharpness, RandomAutocontrast, RandomChannelPermutation,
                     RandomEqualize, RandomGrayscale, RandomInvert, RandomPhotometricDistort, RandomPosterize,
                     RandomSolarize)
from ._container import Compose, RandomApply, RandomChoice, RandomOrder
from ._deprecated import ToTensor
from ._geometry import (CenterCrop, ElasticTransform, FiveCrop, Pad, RandomAffine, RandomCrop, RandomHorizontalFlip,
                        RandomIoUCrop,
                        RandomPerspective, RandomResize, RandomResizedCrop, RandomRotation, RandomShortestSize,
                        RandomVerticalFlip, RandomZoomOut, Resize, ScaleJitter, TenCrop)
from ._meta import ClampBoundingBoxes, ClampKeyPoints, ConvertBoundingBoxFormat, SetClampingMode
from ._misc import (ConvertImageDtype, GaussianBlur, GaussianNoise, Identity, Lambda, LinearTransformation, Normalize,
                    SanitizeBoundingBoxes, SanitizeKeyPoints, ToDtype)
from ._temporal import UniformTemporalSubsample
from ._transform import Transform
from ._type_conversion import PILToTensor, ToImage, ToPILImage, ToPureTensor
from ._utils import check_type, get_bounding_boxes, get_keypoints, has_all, has_any, query_chw, query_size

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "CenterCrop", "ClampBoundingBoxes", "ClampKeyPoints",
           "ColorJitter",
           "Compose", "ConvertBoundingBoxFormat", "ConvertImageDtype", "CutMix", "ElasticTransform", "FiveCrop",
           "GaussianBlur",
           "GaussianNoise", "Grayscale", "Identity", "InterpolationMode", "JPEG", "Lambda", "LinearTransformation",
           "MixUp",
           "Normalize", "PILToTensor", "Pad", "RGB", "RandAugment", "RandomAdjustSharpness", "RandomAffine",
           "RandomApply",
           "RandomAutocontrast", "RandomChannelPermutation", "RandomChoice", "RandomCrop", "RandomEqualize",
           "RandomErasing",
           "RandomGrayscale", "RandomHorizontalFlip", "RandomInvert", "RandomIoUCrop", "RandomOrder",
           "RandomPerspective",
           "RandomPhotometricDistort", "RandomPosterize", "RandomResize", "RandomResizedCrop", "RandomRotation",
           "RandomShortestSize", "RandomSolarize", "RandomVerticalFlip", "RandomZoomOut", "Resize",
           "SanitizeBoundingBoxes",
           "SanitizeKeyPoints", "ScaleJitter", "SetClampingMode", "TenCrop", "ToDtype", "ToImage", "ToPILImage",
           "ToPureTensor",
           "ToTensor", "Transform", "TrivialAugmentWide", "UniformTemporalSubsample", "check_type", "functional",
           "get_bounding_boxes", "get_keypoints", "has_all", "has_any", "query_chw", "query_size"]
