"""torch.utils: the helpers around training."""

from flambeau.utils import data as data
