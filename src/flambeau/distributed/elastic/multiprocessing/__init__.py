"""What programs under `flambeau launch` may tell the launcher: how they failed."""
