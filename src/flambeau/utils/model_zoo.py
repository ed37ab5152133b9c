"""`torch.utils.model_zoo`: `torch.hub.load_state_dict_from_url` by its old name."""
from ..hub import load_state_dict_from_url as load_url

__all__ = ["load_url"]
