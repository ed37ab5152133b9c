"""Programs that are shipped with flambeau, and their data: ordinary PyTorch programs, which do not name flambeau."""
