"""Files, used wrongly: (name, PyTorch's exception, words of its message, program)."""

CASES = [
    ("load-missing", "FileNotFoundError", "No such file or directory: '/nonexistent/x.pt'",
     "torch.load('/nonexistent/x.pt')"),
    ("load-empty", "EOFError", "",
     "import io\n"
     "torch.load(io.BytesIO())"),
    ("load-trunc", "RuntimeError", "PytorchStreamReader failed reading zip archive: failed",
     "import io\n"
     "f = io.BytesIO()\n"
     "torch.save({'a': torch.rand(100)}, f)\n"
     "torch.load(io.BytesIO(f.getvalue()[:300]))"),
    ("load-unsafe", "UnpicklingError", "Weights only load",
     "import io\n"
     "class A: pass\n"
     "import __main__\n"
     "__main__.A = A\n"
     "A.__module__ = '__main__'\n"
     "A.__qualname__ = 'A'\n"
     "f = io.BytesIO()\n"
     "torch.save(A(), f)\n"
     "f.seek(0)\n"
     "torch.load(f)"),
    ("save-dir", "RuntimeError", "Parent directory /nonexistent/dir does not exist.",
     "torch.save({}, '/nonexistent/dir/x.pt')"),
    ("save-lambda", "PicklingError", "Can't pickle <function <lambda> at",
     "import io\n"
     "torch.save(lambda: 1, io.BytesIO())"),
    ("load-cuda", "RuntimeError", "machine, please use torch.load with map_location=torch.device('cpu')",
     "import io\n"
     "f = io.BytesIO()\n"
     "torch.save(torch.ones(2), f)\n"
     "f.seek(0)\n"
     "torch.load(f, map_location='cuda')"),
    ("load-kind", "AttributeError", "attribute 'seek'. You can only torch.load", "torch.load(5)"),
]
