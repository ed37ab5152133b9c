"""Gradients, used wrongly: (name, PyTorch's exception, words of its message, program)."""

CASES = [
    ("bw-twice", "RuntimeError", "call .backward() or autograd.grad(). Specify retain_graph=True",
     "x = torch.ones(3, requires_grad=True)\n"
     "y = (x * x).sum()\n"
     "y.backward()\n"
     "y.backward()"),
    ("bw-nonscalar", "RuntimeError", "implicitly created only for scalar outputs",
     "x = torch.ones(3, requires_grad=True)\n"
     "(x * 2).backward()"),
    ("bw-noreq", "RuntimeError", "tensors does not require grad and", "torch.ones(()).backward()"),
    ("bw-shape", "RuntimeError", "grad_output[0] has a shape of torch.Size([4])",
     "x = torch.ones(3, requires_grad=True)\n"
     "(x * 2).backward(torch.ones(4))"),
    ("bw-int", "RuntimeError", "and complex dtype can require gradients",
     "x = torch.ones(3, dtype=torch.int64, requires_grad=True)"),
    ("bw-intset", "RuntimeError", "only Tensors of floating point",
     "x = torch.arange(3)\n"
     "x.requires_grad = True"),
    ("bw-leafinplace", "RuntimeError", "Variable that requires grad is being",
     "x = torch.ones(3, requires_grad=True)\n"
     "x += 1"),
    ("bw-leafinplace2", "RuntimeError", "Variable that requires grad is being",
     "x = torch.ones(3, requires_grad=True)\n"
     "x[0] = 1"),
    ("bw-leafinplace3", "RuntimeError", "Variable that requires grad is being",
     "x = torch.ones(3, requires_grad=True)\n"
     "x.zero_()"),
    ("bw-viewleaf", "RuntimeError", "Variable that requires grad is being",
     "x = torch.ones(3, requires_grad=True)\n"
     "x[:2].mul_(2)"),
    ("bw-saved", "RuntimeError", "modified by an inplace operation: [torch.FloatTensor",
     "x = torch.ones(3, requires_grad=True)\n"
     "y = x.exp()\n"
     "y.add_(1)\n"
     "y.sum().backward()"),
    ("bw-saved2", "RuntimeError", "modified by an inplace operation: [torch.FloatTensor",
     "x = torch.ones(3, requires_grad=True)\n"
     "w = torch.ones(3)\n"
     "y = x * w\n"
     "w.add_(1)\n"
     "y.sum().backward()"),
    ("bw-numpy", "RuntimeError", "that requires grad. Use tensor.detach().numpy() instead.",
     "torch.ones(3, requires_grad=True).numpy()"),
    ("bw-unused", "RuntimeError", "used in the graph. Set allow_unused=True",
     "x = torch.ones(3, requires_grad=True)\n"
     "z = torch.ones(3, requires_grad=True)\n"
     "torch.autograd.grad((x * 2).sum(), z)"),
    ("bw-notreq", "RuntimeError", "differentiated Tensors does not require grad",
     "x = torch.ones(3, requires_grad=True)\n"
     "torch.autograd.grad((x * 2).sum(), torch.ones(2))"),
    ("bw-nonleafset", "RuntimeError", "require differentiation use var_no_grad = var.detach().",
     "x = torch.ones(3, requires_grad=True)\n"
     "y = x * 2\n"
     "y.requires_grad = False"),
    ("bw-gradshape", "RuntimeError", "'[3]'. Please ensure that the gradient",
     "x = torch.ones(3, requires_grad=True)\n"
     "x.grad = torch.ones(4)"),
    ("bw-graddtype", "RuntimeError", "assign a gradient with dtype 'double'",
     "x = torch.ones(3, requires_grad=True)\n"
     "x.grad = torch.ones(3).double()"),
    ("bw-deepcopy", "RuntimeError", "of a torch.nn.utils.weight_norm usage, see",
     "import copy\n"
     "x = torch.ones(3, requires_grad=True)\n"
     "copy.deepcopy(x * 2)"),
    ("bw-fn", "RuntimeError", "function ABackward returned an incorrect number",
     "class A(torch.autograd.Function):\n"
     "    @staticmethod\n"
     "    def forward(ctx, x): return x * 2\n"
     "    @staticmethod\n"
     "    def backward(ctx, g): return g, g\n"
     "A.apply(torch.ones(3, requires_grad=True)).sum().backward()"),
    ("bw-fnshape", "RuntimeError", "Function ABackward returned an invalid gradient",
     "class A(torch.autograd.Function):\n"
     "    @staticmethod\n"
     "    def forward(ctx, x): return x * 2\n"
     "    @staticmethod\n"
     "    def backward(ctx, g): return g[:2]\n"
     "A.apply(torch.ones(3, requires_grad=True)).sum().backward()"),
    ("bw-fncall", "RuntimeError", "autograd function",
     "class A(torch.autograd.Function):\n"
     "    @staticmethod\n"
     "    def forward(ctx, x): return x * 2\n"
     "A()(torch.ones(3))"),
    ("hook-noreq", "RuntimeError", "a tensor that doesn't require gradient", "torch.ones(3).register_hook(print)"),
    ("out-grad", "RuntimeError", "out=... arguments don't support automatic differentiation,",
     "torch.add(torch.ones(3, requires_grad=True), 1, out=torch.ones(3))"),
]
