"""What a new user gets wrong, one file an area: programs, and the exceptions that they must raise."""
from . import data, everyday, files, gradients, layers, losses, modules, optimizers, tensors

CASES = [case for area in (layers, losses, optimizers, gradients, tensors, modules, data, files, everyday) for case in area.CASES]


def run(torch, name, code):
    """Runs a program with `torch` (either library); returns what it raised, if it did."""
    torch.manual_seed(0)
    namespace = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "__name__": "program"}
    code = code.replace("import torch\n", "")
    try:
        exec(compile(code, f"<{name}>", "exec"), namespace)
    except Exception as error:
        return error
    return None


def message(error):
    """What it says, with single blanks."""
    return " ".join(str(error).split())
