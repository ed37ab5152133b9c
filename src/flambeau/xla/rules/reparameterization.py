"""Draws that carry gradients. The host computes how a draw moves with its parameters."""
from . import plain

RULES = {"gamma_draw": plain(lambda alpha, x: x), "dirichlet_draw": plain(lambda alpha, x: x)}
HOST = ("gamma_gradient", "dirichlet_gradient")
