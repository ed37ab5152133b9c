"""What programs see when `torch` and `torchvision` are flambeau. Each test runs a program in a process of its own."""
import pytest


def test_imports_are_the_same_modules(run_program):
    run_program("""
        import sys
        assert "torch" not in sys.modules, "libraries take that for an import by the program"
        import torch
        from torch import nn
        import torch.nn.functional as F
        from torch.utils.data import DataLoader
        import torchvision
        import torchvision.transforms as transforms
        from torchvision.transforms import ToTensor
        import flambeau, flambeau.vision

        assert torch is flambeau and torchvision is flambeau.vision
        assert nn is flambeau.nn and F is nn.functional and DataLoader is flambeau.utils.data.DataLoader
        assert transforms.ToTensor is ToTensor
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in ("torch", "torchvision"):
                assert module.__name__.startswith("flambeau") and module.__spec__.name == module.__name__, name
                assert sys.modules[module.__name__] is module, name
        files = [m.__file__ for n, m in sys.modules.items() if n.startswith("flambeau") and hasattr(m, "__file__")]
        assert len(files) == len(set(files)), "a file was run twice"
    """)


def test_class_paths(run_program):
    run_program("""
        import inspect, sys, torch, torchvision
        from torch import nn

        def path(c):
            return c.__module__ + "." + c.__qualname__

        assert path(torch.Tensor) == "torch.Tensor" and repr(type(torch.zeros(2))) == "<class 'torch.Tensor'>"
        assert [path(torch.dtype), path(torch.device), path(torch.Size)] == [
            "torch.dtype", "torch.device", "torch.Size"]
        assert path(nn.Conv2d) == "torch.nn.modules.conv.Conv2d"
        assert path(nn.functional.cross_entropy) == "torch.nn.functional.cross_entropy"
        assert path(nn.Parameter) == "torch.nn.parameter.Parameter"
        assert path(torch.optim.Adam) == "torch.optim.adam.Adam"
        assert path(torch.utils.data.DataLoader) == "torch.utils.data.dataloader.DataLoader"
        assert path(torchvision.transforms.Normalize) == "torchvision.transforms.transforms.Normalize"
        assert path(torchvision.datasets.MNIST) == "torchvision.datasets.mnist.MNIST"
        assert inspect.getsource(nn.Linear).startswith("class Linear(")
        assert inspect.getmodule(nn.Conv2d) is sys.modules["torch.nn.modules.conv"]
        assert inspect.getmodule(nn.Conv2d) is sys.modules["flambeau.nn.modules.conv"]
    """)


def test_pickles(run_program):
    run_program("""
        import pickle, pickletools, torch
        from torch import nn

        F = nn.functional
        for obj in (nn.Conv2d, F.relu, F.cross_entropy, torch.Tensor, torch.Size([2]), nn.ReLU(), torch.device("cpu")):
            data = pickle.dumps(obj)
            strings = [arg for op, arg, _ in pickletools.genops(data) if isinstance(arg, str)]
            assert not any("flambeau" in s for s in strings), strings
            assert type(pickle.loads(data)) is type(obj)
        assert pickle.loads(b"ctorch.nn.modules.conv\\nConv2d\\n.") is nn.Conv2d
        assert pickle.loads(b"ctorch.nn.functional\\nrelu\\n.") is nn.functional.relu
    """)


def test_modules_loaded_later(run_program):
    """A module that flambeau has not loaded by itself is presented when the program imports it, under either name."""
    run_program("""
        import importlib, pkgutil, sys
        import torch, torchvision

        names = ["torch." + m.name for m in pkgutil.walk_packages(torch.utils.__path__, "utils.")]
        later = [name for name in names if name not in sys.modules]
        for name in later:
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                assert "pip install flambeau[tensorboard]" in str(error)  # an optional package
                names = [n for n in names if not n.startswith(name)]
        for name in names:
            module = sys.modules[name]
            assert module is sys.modules[name.replace("torch", "flambeau", 1)]
            assert type(module.__loader__).__name__ == "SourceFileLoader"
            assert module.__loader__ is module.__spec__.loader
            for obj in vars(module).values():
                if isinstance(obj, type):
                    assert not obj.__module__.startswith("flambeau.utils"), obj
    """)


def test_find_spec_and_metadata(run_program):
    lines = run_program("""
        import importlib.metadata as metadata, importlib.util, sys

        spec = importlib.util.find_spec("torch")
        assert spec.name == "torch" and spec.origin.endswith("__init__.py") and "torch" not in sys.modules
        assert importlib.util.find_spec("torchvision.transforms") and importlib.util.find_spec("torch.nn.functional")
        assert importlib.util.find_spec("torch.no_such_module") is None
        print(metadata.version("torch"), metadata.version("TorchVision"))
        distribution = metadata.distribution("torch")
        print(distribution.metadata["Name"], distribution.read_text("top_level.txt").strip(), distribution.files)
        print(next(d.version for d in metadata.distributions() if d.metadata["Name"] == "torchvision"))
        print(metadata.version("numpy") == __import__("numpy").__version__)
        try:
            metadata.version("torch-scatter")
        except metadata.PackageNotFoundError:
            print("not found")
        import torch, torchvision
        assert importlib.util.find_spec("torch") is not None
        print(torch.__version__, torchvision.__version__, torch.__version__ >= "2.6")
    """)
    assert lines == ["2.13.0+cpu 0.28.0+cpu", "torch torch None", "0.28.0+cpu", "True", "not found",
                     "2.13.0+cpu 0.28.0+cpu True"]


MISSING = {
    "torch.zeroz": "AttributeError: module 'torch' has no attribute 'zeroz': flambeau does not have it yet. "
                   "Nearest names: zeros",
    "torch.nn.Conv9d": "AttributeError: module 'torch.nn' has no attribute 'Conv9d': flambeau does not have it yet. "
                       "Nearest names: Conv",
    "torch.__secret__": "AttributeError: module 'torch' has no attribute '__secret__'",
    "from torch import zeroz": "ImportError: cannot import name 'zeroz' from 'torch': flambeau does not have it yet. "
                               "Nearest names: zeros",
    "from torch import zeros, zeroz as z": "ImportError: cannot import name 'zeroz' from 'torch': flambeau does not",
    "from torch.nn.functional import reluu": "ImportError: cannot import name 'reluu' from 'torch.nn.functional': f",
    "from torch.random import manual_sed": "ImportError: cannot import name 'manual_sed' from 'torch.random': flambeau",
    "from torchvision import transfroms": "ImportError: cannot import name 'transfroms' from 'torchvision': flambeau",
    "import torch.optimum": "ModuleNotFoundError: No module named 'torch.optimum': flambeau does not have it yet. "
                            "Nearest names: optim",
    "from torchvision.transfroms import ToTensor": "ModuleNotFoundError: No module named 'torchvision.transfroms': fl",
    "import torch.ir": "ModuleNotFoundError: No module named 'torch.ir'",
    "import torch.tensor": "ModuleNotFoundError: No module named 'torch.tensor'",
    "import torch.nn.functional.loss": "ModuleNotFoundError: No module named 'torch.nn.functional.loss'",
}


def test_missing_names(run_program):
    lines = run_program(f"""
        import torch, torchvision
        for statement in {list(MISSING)}:
            try:
                exec(statement)
                print("no error")
            except Exception as error:
                print(type(error).__name__, error, sep=": ")
    """)
    assert len(lines) == len(MISSING)
    for line, start in zip(lines, MISSING.values()):
        assert line[:len(start)] == start


def test_asking_for_missing_names(run_program):
    run_program("""
        import torch
        assert not hasattr(torch, "zeroz") and getattr(torch, "zeroz", 5) == 5 and hasattr(torch, "zeros")
        assert "zeroz" not in dir(torch)
        try:
            from torch import nothing_like_it
        except ImportError:
            pass
        from torch.nn import *
        Linear
    """)


WORKERS = """
    import multiprocessing, sys
    import torch

    def double(x):
        import torch.nn.functional as F
        import torchvision
        return torch.Tensor.__module__, F.relu(torch.tensor(2.0 * x)).item(), "torch.nn.functional" in sys.modules

    if __name__ == "__main__":
        context = multiprocessing.get_context({method!r})
        with context.Pool(1) as pool:
            print(pool.map(double, [1, 2]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.skipif("sys.platform == 'win32'", reason="spawn only")
def test_workers(method, run_program):
    """Children import `torch`, the program's own module included."""
    assert run_program(WORKERS.format(method=method)) == ["[('torch', 2.0, True), ('torch', 4.0, True)]"]


def test_loader_workers_by_spawn(run_program):
    lines = run_program("""
        import torch
        from torch.utils.data import DataLoader, Dataset

        class Squares(Dataset):
            def __len__(self):
                return 4
            def __getitem__(self, i):
                import torchvision
                return torch.tensor(i * i)

        if __name__ == "__main__":
            for batch in DataLoader(Squares(), batch_size=2, num_workers=1, multiprocessing_context="spawn"):
                print(batch.tolist())
    """)
    assert lines == ["[0, 1]", "[4, 9]"]


def test_install(run_program):
    run_program("""
        import flambeau
        before = flambeau.Tensor
        flambeau.install()
        flambeau.install()
        import sys, torch
        assert torch.Tensor is before and torch is flambeau and before.__module__ == "torch"
        assert sum(type(finder).__name__ == "TorchFinder" for finder in sys.meta_path) == 1
    """, plain=True)


def test_install_after_pytorch(run_program):
    lines = run_program("""
        import sys, types
        sys.modules["torch"] = types.ModuleType("torch")
        import flambeau
        try:
            flambeau.install()
        except ImportError as error:
            print(error)
        print(len([f for f in sys.meta_path if type(f).__name__ == "TorchFinder"]))
    """, plain=True)
    assert lines == ["'torch' is already imported, from an unknown place: call flambeau.install() before", "0"]


def test_without_the_hook(run_program):
    """`import flambeau as torch`: paths are flambeau's own."""
    run_program("""
        import flambeau as torch
        assert torch.nn.Conv2d.__module__ == "flambeau.nn.modules.conv"
        try:
            torch.zeroz
        except AttributeError as error:
            assert str(error).startswith("module 'flambeau' has no attribute 'zeroz'"), error
    """, plain=True)
