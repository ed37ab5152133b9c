"""The versions: PyTorch's, whose API flambeau follows and which programs compare, and flambeau's own."""
flambeau = "0.1.0"

__version__ = "2.13.0+cpu"
torchvision = "0.28.0+cpu"
torchaudio = "2.11.0+cpu"
torchtext = "0.18.0+cpu"
debug = False
cuda = None
hip = None
xpu = None
git_version = "Unknown"
