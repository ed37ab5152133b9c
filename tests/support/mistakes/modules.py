"""Modules, used wrongly: (name, PyTorch's exception, words of its message, program)."""

CASES = [
    ("sdpa-shape", "RuntimeError", "Expected size for",
     "F.scaled_dot_product_attention(torch.rand(2, 3, 8), torch.rand(2, 4, 7), torch.rand(2, 4, 8))"),
    ("sdpa-dtype", "RuntimeError", "the same dtype, but got query.dtype:",
     "F.scaled_dot_product_attention(torch.rand(2, 3, 8), torch.rand(2, 4, 8).double(), torch.rand(2, 4, 8))"),
    ("sdpa-mask", "RuntimeError", "tensor b (5) at non-singleton dimension",
     "F.scaled_dot_product_attention(torch.rand(2, 3, 8), torch.rand(2, 4, 8), torch.rand(2, 4, 8), attn_mask=torch.zeros(3, 5))"),
    ("sdpa-both", "RuntimeError", "_scaled_dot_product_attention: Explicit attn_mask should not be",
     "F.scaled_dot_product_attention(torch.rand(2, 3, 8), torch.rand(2, 4, 8), torch.rand(2, 4, 8), attn_mask=torch.zeros(3, 4), is_causal=True)"),
    ("sdpa-1d", "RuntimeError", "at least 2 dimensional, but got",
     "F.scaled_dot_product_attention(torch.rand(8), torch.rand(8), torch.rand(8))"),
    ("lin-args", "TypeError", "Linear.__init__() missing 1 required positional argument:", "nn.Linear(3)"),
    ("lin-kw", "TypeError", "Linear.__init__() got an unexpected keyword argument", "nn.Linear(3, 4, baz=1)"),
    ("lin-neg", "RuntimeError", "create tensor with negative dimension -3:", "nn.Linear(-3, 4)"),
    ("lin-str", "TypeError", "empty(): argument 'size'", "nn.Linear('3', 4)"),
    ("mod-super", "AttributeError", "cannot assign module before Module.__init__() call",
     "class M(nn.Module):\n"
     "    def __init__(self):\n"
     "        self.l = nn.Linear(2, 3)\n"
     "M()"),
    ("mod-superp", "AttributeError", "cannot assign parameters before Module.__init__() call",
     "class M(nn.Module):\n"
     "    def __init__(self):\n"
     "        self.l = nn.Parameter(torch.ones(3))\n"
     "M()"),
    ("mod-noforward", "NotImplementedError", "is missing the required \"forward\" function",
     "class M(nn.Module): pass\n"
     "M()(torch.ones(3))"),
    ("mod-attr", "AttributeError", "'Linear' object has no attribute 'weights'", "nn.Linear(2, 3).weights"),
    ("mod-assign", "TypeError", "assign 'torch.FloatTensor' as parameter 'weight' (torch.nn.Parameter",
     "m = nn.Linear(2, 3)\n"
     "m.weight = torch.ones(3, 2)"),
    ("mod-assignmod", "TypeError", "module 'a' (torch.nn.Module or None expected)",
     "m = nn.Sequential(nn.Linear(2, 3))\n"
     "m.a = nn.ReLU()\n"
     "m.a = 5"),
    ("mod-seq", "TypeError", "is not a Module subclass", "nn.Sequential(nn.Linear(2, 3), torch.relu)"),
    ("mod-seqidx", "IndexError", "index 3 is out of range", "nn.Sequential(nn.Linear(2, 3))[3]"),
    ("mod-list", "NotImplementedError", "[ModuleList] is missing the required \"forward\"",
     "nn.ModuleList([nn.Linear(2, 3)])(torch.ones(2))"),
    ("mod-list2", "TypeError", "int is not a Module subclass", "nn.ModuleList([1, 2])"),
    ("mod-dict", "TypeError", "int is not a Module subclass", "nn.ModuleDict({'a': 1})"),
    ("mod-dict2", "KeyError", "'module name can\\'t contain \".\", got:", "nn.ModuleDict({'a.b': nn.ReLU()})"),
    ("mod-dict3", "KeyError", "'b'", "nn.ModuleDict({'a': nn.ReLU()})['b']"),
    ("mod-buf", "KeyError", "\"attribute 'weight' already exists\"",
     "nn.Linear(2, 3).register_buffer('weight', torch.ones(3))"),
    ("mod-buf2", "TypeError", "cannot assign 'int' object to buffer", "nn.Linear(2, 3).register_buffer('w', 3)"),
    ("mod-param", "TypeError", "'torch.FloatTensor' object to parameter 'w' (torch.nn.Parameter",
     "nn.Linear(2, 3).register_parameter('w', torch.ones(3))"),
    ("mod-getsub", "AttributeError", "Linear has no attribute `a`", "nn.Linear(2, 3).get_submodule('a')"),
    ("mod-path", "RuntimeError", "mat2 shapes cannot be multiplied (2x4704",
     "class Net(nn.Module):\n"
     "    def __init__(self):\n"
     "        super().__init__()\n"
     "        self.conv = nn.Conv2d(3, 6, 5)\n"
     "        self.fc1 = nn.Linear(400, 10)\n"
     "    def forward(self, x):\n"
     "        x = torch.relu(self.conv(x))\n"
     "        x = torch.flatten(x, 1)\n"
     "        return self.fc1(x)\n"
     "Net()(torch.rand(2, 3, 32, 32))"),
    ("mod-seqpath", "RuntimeError", "mat2 shapes cannot be multiplied (2x4",
     "m = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(5, 2)))\n"
     "m(torch.rand(2, 3))"),
    ("sd-missing", "RuntimeError", "Error(s) in loading state_dict for Linear:",
     "nn.Linear(2, 3).load_state_dict({'weight': torch.ones(3, 2)})"),
    ("sd-unexpected", "RuntimeError", "Error(s) in loading state_dict for Linear:",
     "nn.Linear(2, 3).load_state_dict({'weight': torch.ones(3, 2), 'bias': torch.ones(3), 'extra': torch.ones(1)})"),
    ("sd-shape", "RuntimeError", "Error(s) in loading state_dict for Linear:",
     "nn.Linear(2, 3).load_state_dict({'weight': torch.ones(2, 2), 'bias': torch.ones(3)})"),
    ("sd-type", "TypeError", "Expected state_dict to be dict-like, got", "nn.Linear(2, 3).load_state_dict([1])"),
    ("sd-value", "RuntimeError", "Error(s) in loading state_dict for Linear:",
     "nn.Linear(2, 3).load_state_dict({'weight': 3, 'bias': torch.ones(3)})"),
    ("sd-net", "RuntimeError", "Error(s) in loading state_dict for Sequential:",
     "nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2)).load_state_dict(nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2)).state_dict())"),
    ("clip-nan", "RuntimeError", "the non-finite norm anyway, set `error_if_nonfinite=False`",
     "p = nn.Parameter(torch.ones(3))\n"
     "p.grad = torch.tensor([float('nan')] * 3)\n"
     "nn.utils.clip_grad_norm_([p], 1., error_if_nonfinite=True)"),
    ("init-fan", "ValueError", "computed for tensor with fewer than", "nn.init.xavier_uniform_(torch.ones(3))"),
    ("init-gain", "ValueError", "Unsupported nonlinearity swish", "nn.init.calculate_gain('swish')"),
    ("init-dirac", "ValueError", "4, or 5 dimensions are supported", "nn.init.dirac_(torch.ones(3, 3))"),
    ("init-eye", "ValueError", "tensors with 2 dimensions are supported", "nn.init.eye_(torch.ones(3))"),
    ("init-mode", "ValueError", "supported, please use one of ['fan_in',",
     "nn.init.kaiming_normal_(torch.ones(3, 3), mode='fan')"),
    ("init-orth", "ValueError", "2 or more dimensions are supported", "nn.init.orthogonal_(torch.ones(3))"),
    ("init-sparse", "ValueError", "tensors with 2 dimensions are supported", "nn.init.sparse_(torch.ones(3), 0.5)"),
    ("par-vec", "TypeError", "expected torch.Tensor, but got: list", "nn.utils.vector_to_parameters([1], [])"),
]
