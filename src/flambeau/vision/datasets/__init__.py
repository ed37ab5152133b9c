"""Image data sets in their official file formats; see `utils` for downloads and mirrors."""
from .caltech import Caltech101, Caltech256
from .celeba import CelebA
from .cifar import CIFAR10, CIFAR100
from .coco import CocoCaptions, CocoDetection
from .dtd import DTD
from .eurosat import EuroSAT
from .fakedata import FakeData
from .flowers102 import Flowers102
from .folder import DatasetFolder, ImageFolder
from .food101 import Food101
from .gtsrb import GTSRB
from .imagenet import ImageNet
from .lfw import LFWPairs, LFWPeople
from .mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from .omniglot import Omniglot
from .oxford_iiit_pet import OxfordIIITPet
from .places365 import Places365
from .stl10 import STL10
from .svhn import SVHN
from .usps import USPS
from .vision import VisionDataset
from .voc import VOCDetection, VOCSegmentation

__all__ = ["CIFAR10", "CIFAR100", "Caltech101", "Caltech256", "CelebA", "CocoCaptions", "CocoDetection", "DTD",
           "DatasetFolder", "EMNIST", "EuroSAT", "FakeData", "FashionMNIST", "Flowers102", "Food101", "GTSRB",
           "ImageFolder", "ImageNet", "KMNIST", "LFWPairs", "LFWPeople", "MNIST", "Omniglot", "OxfordIIITPet",
           "Places365", "QMNIST", "STL10", "SVHN", "USPS", "VOCDetection", "VOCSegmentation", "VisionDataset"]
