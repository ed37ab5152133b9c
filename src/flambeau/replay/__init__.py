"""`torch.compile`: calls of a user's function, recorded once and from then on replayed without its Python."""
