"""`torch.distributed.checkpoint`: `state_dict.py` makes state dicts whole, and cuts them again."""
