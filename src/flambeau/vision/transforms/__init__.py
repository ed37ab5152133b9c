"""Image transforms: objects to compose (`Compose`, `RandomCrop`, …), and `functional` ones. `v2` also moves boxes,
masks and keypoints along with their image."""
from .autoaugment import AugMix, AutoAugment, AutoAugmentPolicy, RandAugment, TrivialAugmentWide
from .transforms import (CenterCrop, ColorJitter, Compose, ConvertImageDtype, ElasticTransform, FiveCrop, GaussianBlur,
                         Grayscale, InterpolationMode, Lambda, LinearTransformation, Normalize, Pad, PILToTensor,
                         RandomAdjustSharpness, RandomAffine, RandomApply, RandomAutocontrast, RandomChoice, RandomCrop,
                         RandomEqualize, RandomErasing, RandomGrayscale, RandomHorizontalFlip, RandomInvert,
                         RandomOrder,
                         RandomPerspective, RandomPosterize, RandomResizedCrop, RandomRotation, RandomSolarize,
                         RandomVerticalFlip, Resize, TenCrop, ToPILImage, ToTensor)

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "CenterCrop", "ColorJitter", "Compose", "ConvertImageDtype",
           "ElasticTransform", "FiveCrop", "GaussianBlur", "Grayscale", "InterpolationMode", "Lambda",
           "LinearTransformation",
           "Normalize", "PILToTensor", "Pad", "RandAugment", "RandomAdjustSharpness", "RandomAffine", "RandomApply",
           "RandomAutocontrast", "RandomChoice", "RandomCrop", "RandomEqualize", "RandomErasing", "RandomGrayscale",
           "RandomHorizontalFlip", "RandomInvert", "RandomOrder", "RandomPerspective", "RandomPosterize",
           "RandomResizedCrop",
           "RandomRotation", "RandomSolarize", "RandomVerticalFlip", "Resize", "TenCrop", "ToPILImage", "ToTensor",
           "TrivialAugmentWide"]
