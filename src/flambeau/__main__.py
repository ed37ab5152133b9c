"""`python -m flambeau` is the command `flambeau`."""
import sys

from .cli.main import main

sys.exit(main())
