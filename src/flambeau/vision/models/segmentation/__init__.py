"""Networks that give each pixel a class."""
from .deeplabv3 import *
from .fcn import *
from .lraspp import *
