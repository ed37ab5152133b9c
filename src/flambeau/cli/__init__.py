"""The command `flambeau`: `main.py` reads the command line, `run.py` runs programs, `demo.py` is the demonstration."""
