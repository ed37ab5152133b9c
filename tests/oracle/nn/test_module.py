"""Module against PyTorch's: registration, the tree, state dicts, hooks, conversions and every message."""
NET = """
    from collections import OrderedDict

    class Block(nn.Module):
        def __init__(self, n=3):
            super().__init__()
            self.linear = nn.Linear(n, n)
            self.scale = nn.Parameter(torch.ones(n))
            self.register_buffer("steps", torch.zeros(1))
            self.register_buffer("hidden", torch.zeros(2), persistent=False)
            self.nothing = None
            self.register_parameter("absent", None)
        def forward(self, x, factor=1):
            return self.linear(x) * self.scale * factor

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Block()
            self.rest = nn.Sequential(Block(), nn.ReLU(), Block())
            self.shared = self.first
            self.register_module("empty", None)
        def forward(self, x, factor=1):
            return self.rest(self.first(x, factor))

    net = Net()
"""


def test_tree(agree):
    agree(NET + """
    print(net)
    print([n for n, p in net.named_parameters()],
          [n for n, p in net.named_parameters(remove_duplicate=False, prefix="x")])
    print([n for n, p in net.named_parameters(recurse=False)],
          [n for n, p in net.first.named_parameters(recurse=False)])
    print([n for n, b in net.named_buffers()], len(list(net.buffers())), len(list(net.buffers(recurse=False))))
    print([n for n, m in net.named_modules()], [n for n, m in net.named_modules(prefix="p", remove_duplicate=False)])
    print([n for n, m in net.named_children()], len(list(net.children())), len(list(net.modules())),
          len(list(net.parameters())))
    print([type(m).__name__ for m in net.modules()], net.training, net.eval() is net, net.rest[0].training,
          net.train().first.training)
    print(sorted(set(dir(net)) & {"first", "rest", "training", "forward", "0"}), "0" in dir(net.rest))
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    print(seen)
    print(sorted(vars(nn.Module())))
    print(net.requires_grad_(False) is net, [p.requires_grad for p in net.parameters()])
    """)


def test_registration_errors(agree):
    agree(NET + """
    m = nn.Module()
    for make in (m.register_parameter, m.register_buffer, m.add_module):
        for name in (3, "a.b", "", "training"):
            tried(lambda: make(name, None))
    tried(lambda: m.register_parameter("w", torch.ones(2)))
    tried(lambda: m.register_parameter("w", nn.Linear(2, 2)))
    p = nn.Parameter(torch.ones(2))
    tried(lambda: m.register_buffer("b", 3))
    tried(lambda: m.add_module("c", p))
    tried(lambda: m.add_module("c", "text"))
    m.w, m.child = p, nn.ReLU()
    m.register_buffer("b", torch.ones(1))
    tried(lambda: setattr(m, "w", torch.ones(2)))
    tried(lambda: setattr(m, "w", "text"))
    tried(lambda: setattr(m, "child", torch.ones(2)))
    tried(lambda: setattr(m, "b", "text"))
    tried(lambda: m.missing)
    tried(lambda: delattr(m, "missing"))
    tried(lambda: m.register_buffer("w", torch.ones(1)))
    tried(lambda: m())
    tried(lambda: m.train("yes"))
    tried(lambda: nn.Module(3))
    tried(lambda: nn.Module(key=3))
    class Early(nn.Module):
        def __init__(self, what):
            setattr(self, "x", what)
            super().__init__()
    for what in (nn.Parameter(torch.ones(1)), nn.ReLU(), nn.Buffer(torch.ones(1))):
        tried(lambda: Early(what))
    class NoInit(nn.Module):
        def __init__(self):
            pass
    tried(lambda: NoInit().register_buffer("b", None))
    tried(lambda: NoInit().register_parameter("b", None))
    tried(lambda: NoInit().anything)
    """)


def test_attributes_change_kind(agree):
    agree("""
    m = nn.Module()
    m.x = 3
    m.x = nn.Parameter(torch.ones(2))
    print("x" in m.__dict__, list(m._parameters))
    m.x = None
    print(m.x, list(m._parameters))
    m.y = nn.ReLU()
    m.y = nn.Parameter(torch.ones(1))
    print(list(m._modules), list(m._parameters))
    m.register_buffer("b", torch.zeros(2), persistent=False)
    m.b = torch.ones(2)
    print(m.b, m._non_persistent_buffers_set)
    m.b = nn.Parameter(torch.ones(2))
    print(list(m._buffers), list(m._parameters), m._non_persistent_buffers_set)
    m.c = nn.Buffer(torch.ones(2))
    m.d = nn.Buffer(torch.ones(2), persistent=False)
    print(list(m.state_dict()), isinstance(m.c, nn.Buffer), isinstance(torch.ones(1), nn.Buffer), type(m.c).__name__)
    del m.c, m.b
    print(list(m.state_dict()), list(m._buffers))
    m.t = torch.ones(1)
    print(list(m._buffers), "t" in m.__dict__)
    """)


def test_by_path(agree):
    agree(NET + """
    print(net.get_submodule("rest.2") is net.rest[2], net.get_submodule("") is net)
    print(net.get_parameter("rest.2.scale") is net.rest[2].scale, net.get_buffer("first.steps"))
    for path in ("rest.9", "first.scale", "none"):
        tried(lambda: net.get_submodule(path))
    for path in ("first", "first.steps", "first.none", "none.scale"):
        tried(lambda: net.get_parameter(path))
    for path in ("first.scale", "first.none"):
        tried(lambda: net.get_buffer(path))
    net.set_submodule("rest.1", nn.Tanh())
    net.set_submodule("extra", nn.Tanh())
    print(net.rest[1], net.extra)
    tried(lambda: net.set_submodule("", nn.Tanh()))
    tried(lambda: net.set_submodule("first.scale", nn.Tanh()))
    tried(lambda: net.set_submodule("more", nn.Tanh(), strict=True))
    tried(lambda: net.set_submodule("more", 3))
    """)


def test_state_dict(agree):
    agree(NET + """
    state = net.state_dict()
    print(list(state), type(state).__name__, dict(state._metadata))
    print(list(net.state_dict(prefix="p.")), list(net.first.state_dict(destination=OrderedDict(a=1), prefix="q.")))
    print(state["first.scale"].requires_grad, net.state_dict(keep_vars=True)["first.scale"] is net.first.scale)
    other = Net()
    print(other.load_state_dict(state))
    print([bool((a == b).all()) for a, b in zip(net.parameters(), other.parameters())])
    state["first.scale"].zero_()
    print(net.first.scale, other.first.scale)
    partial = {k: v for k, v in state.items() if "rest" not in k}
    print(other.load_state_dict(partial, strict=False))
    partial["more.weight"] = torch.ones(1)
    partial["rest.7.x"] = torch.ones(1)
    partial["first.scale"] = torch.ones(4)
    partial["first.steps"] = 3
    tried(lambda: other.load_state_dict(partial))
    tried(lambda: other.load_state_dict({**state, "first.scale": torch.ones(4)}, strict=False))
    tried(lambda: other.load_state_dict([1]))
    tried(lambda: nn.BatchNorm1d(2).load_state_dict({"weight": torch.ones(2)}))
    before = other.first.scale
    other.load_state_dict({k: v.double() for k, v in state.items()}, assign=True)
    print(other.first.scale.dtype, other.first.scale is before, type(other.first.scale).__name__,
          other.first.scale.requires_grad)
    m = nn.Module()
    m.register_buffer("scalar", torch.tensor(1.0))
    m.load_state_dict({"scalar": torch.tensor([3.0])})
    print(m.scalar)
    net.state_dict(OrderedDict(), "p.")
    """)


def test_state_dict_hooks_and_extra_state(agree):
    agree(NET + """
    class Extra(nn.Module):
        def get_extra_state(self):
            return {"n": 3}
        def set_extra_state(self, state):
            print("set", state)
    pair = nn.Sequential(Extra(), nn.Linear(1, 1))
    state = pair.state_dict()
    print(list(state), pair.load_state_dict(state))
    del state["0._extra_state"]
    tried(lambda: pair.load_state_dict(state))
    tried(lambda: nn.Linear(1, 1).load_state_dict({"weight": torch.ones(1, 1), "bias": torch.ones(1),
                                                   "_extra_state": 1}))

    m = nn.Linear(2, 2)
    m.register_state_dict_pre_hook(lambda *args: print("pre", len(args), args[1:]))
    h = m.register_state_dict_post_hook(lambda module, state, prefix, meta: print("post", sorted(state), prefix, meta))
    m._register_state_dict_hook(lambda module, state, prefix, meta: OrderedDict(state, more=1))
    print(list(m.state_dict(prefix="p.")))
    h.remove()
    m.register_load_state_dict_pre_hook(lambda module,
                                        *args: print("load pre", type(module).__name__, len(args), args[1:4]))
    m._register_load_state_dict_pre_hook(lambda state, *args: state.pop("more", None))
    m.register_load_state_dict_post_hook(lambda module, keys: (print("load post", keys), keys.missing_keys.clear())[1])
    m.load_state_dict(m.state_dict())
    print(m.load_state_dict({"weight": torch.ones(2, 2)}))
    bad = nn.Linear(1, 1)
    bad.register_state_dict_post_hook(lambda *args: 3)
    tried(lambda: bad.state_dict())
    worse = nn.Linear(1, 1)
    worse.register_load_state_dict_post_hook(lambda *args: 3)
    tried(lambda: worse.load_state_dict(nn.Linear(1, 1).state_dict()))
    """)


def test_forward_hooks(agree):
    agree(NET + """
    def note(*parts):
        print(*(p if isinstance(p, (str, dict)) else tuple(x.shape) if hasattr(x := p, "shape") else len(p)
                for p in parts))
    x = torch.ones(2, 3)
    block = net.first
    handles = [block.register_forward_pre_hook(lambda m, args: note("pre", args)),
               block.register_forward_pre_hook(lambda m, args, kwargs: (args, {"factor": 2}), with_kwargs=True),
               block.register_forward_pre_hook(lambda m, args: args[0] * 0, prepend=True),
               block.register_forward_hook(lambda m, args, out: note("post", args, out)),
               block.register_forward_hook(lambda m, args, kwargs, out: note("with", args, kwargs, out),
                                           with_kwargs=True, prepend=True),
               block.register_forward_hook(lambda m, args, out: out + 1000)]
    print(block(x, factor=5).mean() > 900)
    for h in handles:
        h.remove()
    plain = block(x)
    print(torch.equal(plain, block.forward(x)), len(block._forward_hooks), len(block._forward_hooks_with_kwargs))
    with block.register_forward_hook(lambda m, a, o: print("in context")):
        block(x)
    block(x)
    block.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    tried(lambda: block(x))
    """)


def test_always_called_hooks(agree):
    agree(NET + """
    x = torch.ones(2, 3)
    block = net.first
    block.register_forward_hook(lambda m, args, out: print("always", out is None), always_call=True)
    block.register_forward_hook(lambda m, args, out: print("only on success"))
    block.register_forward_hook(lambda m, args, kwargs, out: print("with", kwargs, out is None), always_call=True,
                                with_kwargs=True)
    def fails(m, args, out):
        raise KeyError("in a hook")
    block.register_forward_hook(fails, always_call=True)
    tried(lambda: block(torch.ones(2, 5), factor=2))
    tried(lambda: block(x))
    """)


def test_global_hooks(agree):
    agree(NET + """
    import sys
    hooks = sys.modules[nn.Module.__module__]
    pre, post = hooks.register_module_forward_pre_hook, hooks.register_module_forward_hook
    back, old_back = hooks.register_module_full_backward_hook, hooks.register_module_backward_hook
    back_pre, on_buffer = hooks.register_module_full_backward_pre_hook, hooks.register_module_buffer_registration_hook
    on_module = hooks.register_module_module_registration_hook
    on_parameter = hooks.register_module_parameter_registration_hook
    x = torch.ones(2, 3, requires_grad=True)
    name = lambda m: type(m).__name__
    handles = [pre(lambda m, args: print("pre", name(m))), post(lambda m, args, out: print("post", name(m))),
               back(lambda m, gi, go: print("back", name(m), len(gi), len(go))),
               back_pre(lambda m, go: print("back pre", name(m)))]
    net(x).sum().backward()
    tried(lambda: old_back(lambda *a: None))
    for h in handles:
        h.remove()
    net(x)
    handles = [on_buffer(lambda m, n, b: print("buffer", n)), on_module(lambda m, n, c: print("module", n, name(c))),
               on_parameter(lambda m, n, p: print("parameter", n))]
    net2 = Net()
    for h in handles:
        h.remove()
    print(len(list(Net().parameters())))
    always = post(lambda m, args, out: print("always", name(m), out is None), always_call=True)
    tried(lambda: net(torch.ones(1, 9)))
    always.remove()
    """)


def test_backward_hooks(agree):
    agree(NET + """
    def shapes(grads):
        return [None if g is None else tuple(g.shape) for g in grads]
    x = torch.ones(2, 3, requires_grad=True)
    block = Block()
    h = block.register_full_backward_hook(lambda m, gi, go: print("hook", shapes(gi), shapes(go)))
    p = block.register_full_backward_pre_hook(lambda m, go: print("pre", shapes(go)))
    block(x).sum().backward()
    print(x.grad.shape)
    block(torch.ones(2, 3)).sum().backward()
    tried(lambda: block.register_backward_hook(lambda *a: None))
    h.remove(), p.remove()
    block.register_full_backward_hook(lambda m, gi, go: (gi[0] * 0,))
    block.register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))
    block.register_full_backward_hook(lambda m, gi, go: print("first", float(go[0].sum())), prepend=True)
    x.grad = None
    block(x).sum().backward()
    print(float(x.grad.abs().sum()))
    class Two(nn.Module):
        def forward(self, a, b, c=None):
            return a * b, "text", b
    two = Two()
    two.register_full_backward_hook(lambda m, gi, go: print("two", shapes(gi), shapes(go)))
    y = torch.ones(3)
    a, _, b = two(x[0], y, 5)
    a.sum().backward()
    bad = Two()
    bad.register_full_backward_hook(lambda m, gi, go: (1,))
    tried(lambda: bad(x[0], y)[0].sum().backward())
    bad = Two()
    bad.register_full_backward_pre_hook(lambda m, go: (1,))
    tried(lambda: bad(x[0], y)[0].sum().backward())
    class Texts(nn.Module):
        def forward(self, a):
            return [a]
    texts = Texts()
    texts.register_full_backward_hook(lambda *a: None)
    texts(x)
    """)


def test_zero_grad_and_conversions(agree):
    agree(NET + """
    x = torch.ones(2, 3)
    net(x).sum().backward()
    net.zero_grad(set_to_none=False)
    print(net.first.scale.grad)
    net.zero_grad()
    print(net.first.scale.grad)
    net(x).sum().backward()
    scale, steps = net.first.scale, net.first.steps
    print(net.double() is net, net.first.scale is scale, scale.dtype, scale.grad.dtype, net.first.steps.dtype)
    print(net(x.double()).dtype)
    for convert in (nn.Module.half, nn.Module.bfloat16, nn.Module.float):
        print(convert(net).first.linear.weight.dtype)
    print(net.to(torch.float64).first.scale.dtype, net.to("cpu", torch.float32).first.scale.dtype)
    print(net.to(torch.ones(1, dtype=torch.float64)).first.scale.dtype, net.to(dtype=torch.float32).first.scale.dtype)
    print(net.type(torch.float64).first.scale.dtype, net.cpu().first.scale.device,
          net.to(torch.device("cpu")).first.scale.dtype)
    norm = nn.BatchNorm1d(2).half()
    print(norm.running_mean.dtype, norm.num_batches_tracked.dtype)
    tried(lambda: net.to(torch.int64))
    tried(lambda: net.cuda())
    tried(lambda: net.to("cuda"))
    tried(lambda: net.to("nowhere"))
    print(nn.Linear(2, 2).to_empty(device="cpu").weight.shape)
    """)


def test_copies_and_pickles(agree):
    agree(NET + """
    import copy, pickle
    twin = copy.deepcopy(net)
    print(twin.first is twin.shared, twin.first is net.first, torch.equal(twin.first.scale, net.first.scale))
    print(type(twin.first.scale).__name__, twin.first.scale.requires_grad)
    layer = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    back = pickle.loads(pickle.dumps(layer))
    print(back, torch.equal(back[0].weight, layer[0].weight), back.training, type(back[0].weight).__name__)
    x = torch.ones(4, 2)
    print(torch.equal(back(x), layer(x)), [n for n, b in back.named_buffers()])
    shallow = copy.copy(layer)
    print(shallow[0] is layer[0])
    p = copy.deepcopy(nn.Parameter(torch.ones(2), requires_grad=False))
    print(p, p.requires_grad)
    calls = []
    class Hooked(nn.Linear):
        pass
    h = nn.Linear(1, 1)
    h.register_forward_hook(lambda m, a, o: calls.append(1))
    twin = copy.deepcopy(h)
    twin(torch.ones(1, 1))
    print(len(calls))
    """)


def test_call_super_init(agree):
    agree("""
    class Mixin:
        def __init__(self, extra=1):
            self.extra = extra
            super().__init__()
    class Both(nn.Module, Mixin):
        call_super_init = True
        def __init__(self, extra):
            super().__init__(extra=extra)
            self.layer = nn.Linear(1, 1)
    print(Both(7).extra, [n for n, p in Both(7).named_parameters()])
    """)


def test_parameter(agree):
    agree("""
    p = nn.Parameter(torch.arange(3.0))
    print(p, repr(p), p.is_leaf, p.requires_grad, isinstance(p, torch.Tensor), type(p * 2).__name__,
          type(p.data).__name__)
    print(nn.Parameter(), nn.Parameter(torch.ones(2), requires_grad=False),
          nn.Parameter(torch.ones(2, dtype=torch.complex64)))
    tried(lambda: nn.Parameter(torch.arange(3)))
    print(nn.Parameter(torch.arange(3), requires_grad=False))
    base = torch.zeros(2)
    q = nn.Parameter(base)
    base += 1
    print(q, [q, q])
    with torch.no_grad():
        q += 1
    print(base, type(q).__name__)
    print(nn.Buffer(torch.ones(2)), nn.Parameter(p) is p, nn.Parameter(p * 2).is_leaf)
    print(isinstance(p, nn.Parameter), isinstance(torch.ones(1), nn.Parameter))
    with torch.no_grad():
        print(nn.Parameter(torch.ones(1)).requires_grad)
    class Mine(nn.Parameter):
        pass
    print(Mine(torch.ones(1)), type(Mine(torch.ones(1))).__name__)
    """)


def test_lazy(agree):
    agree("""
    lazy = nn.LazyLinear(4)
    print(lazy, lazy.weight, list(lazy.state_dict()), lazy.has_uninitialized_params(), type(lazy.weight).__name__)
    tried(lambda: lazy.weight.shape)
    print(lazy.double().weight.dtype, lazy.float().weight.dtype)
    out = lazy(torch.ones(2, 3))
    print(lazy, type(lazy).__name__, out.shape, type(lazy.weight).__name__)
    other = nn.LazyLinear(4)
    print(other.load_state_dict(lazy.state_dict()), other.weight.shape, type(other).__name__)
    print(torch.equal(other(torch.ones(2, 3)), out), type(other).__name__)
    third = nn.LazyConv2d(3, 2)
    tried(lambda: third(torch.ones(3)))
    tried(lambda: nn.Linear(3, 4).load_state_dict(nn.LazyLinear(4).state_dict()))
    net = nn.Sequential(nn.LazyConv1d(3, 2), nn.LazyBatchNorm1d(), nn.Flatten(), nn.LazyLinear(2))
    print(net(torch.ones(2, 4, 5)).shape, net)
    """)
