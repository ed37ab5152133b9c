"""What importing the package does to the process: nothing but for the garbage collector's share of the time."""
import subprocess
import sys

import pytest

FROZEN = "import flambeau; print(gc.get_freeze_count() > 0, gc.isenabled())"


@pytest.mark.parametrize("before,printed", [
    ("", "True True"),  # at a program's begin: what is imported is not looked through again
    ("gc.collect()", "False True"),  # a program of some age: what it has is garbage one day
    ("gc.disable()", "False False"),
])
def test_what_is_imported_at_the_begin_is_not_looked_through_for_garbage(before, printed):
    run = subprocess.run([sys.executable, "-c", f"import gc\n{before}\n{FROZEN}"], capture_output=True, text=True)
    assert run.stdout.strip() == printed, run.stderr


def test_garbage_made_after_the_import_is_collected():
    program = """
import gc, weakref, flambeau as torch
class Model(torch.nn.Module): pass
model = Model()
model.itself = [model]
seen = weakref.ref(model)
del model
gc.collect()
print(seen())
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == "None", run.stderr
