"""Programs that are shipped with flambeau, and their data. They are ordinary PyTorch programs and import no flambeau."""
