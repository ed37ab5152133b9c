"""The old names of autocast and GradScaler for the CPU."""
from .autocast_mode import autocast
from .grad_scaler import GradScaler
