"""The import hook: `torch` and `torchvision`, and what is under them, are flambeau's modules for every later import.

`flambeau run` and `flambeau.install()` put a finder in front of `sys.meta_path`; nobody's source is edited. Read
`names.py` for which module stands for which, `finder.py` for how they are found and presented, `missing.py` for what a
name that flambeau lacks says, `distributions.py` for `importlib.metadata`, and `processes.py` for worker processes.
"""
from .finder import install
