"""Ways in which processes learn together: communication hooks, and inputs of unequal lengths."""
from .join import Join as Join, Joinable as Joinable, JoinHook as JoinHook
