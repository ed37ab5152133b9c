"""`torch.backends`: what PyTorch computes with. Here its switches exist, and the libraries do not."""
from . import cpu as cpu
from . import cuda as cuda
from . import cudnn as cudnn
from . import mkl as mkl
from . import mkldnn as mkldnn
from . import mps as mps
from . import openmp as openmp
