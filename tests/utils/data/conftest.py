"""Sets that worker processes started by "spawn" can import live in loader_sets.py beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
