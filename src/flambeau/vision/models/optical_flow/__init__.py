"""Networks that estimate optical flow."""
from .raft import *
