"""Containers against PyTorch's."""


def test_sequential(agree):
    agree("""
    from collections import OrderedDict
    s = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    named = nn.Sequential(OrderedDict(a=nn.Linear(1, 2), b=nn.ReLU()))
    print(s, named, nn.Sequential(), len(s), s[0], s[-1], s[1:], named[1:], [type(m).__name__ for m in s])
    print(s(torch.ones(4, 2)).shape, named.a is named[0])
    tried(lambda: s[3])
    tried(lambda: s[-4])
    tried(lambda: s["0"])
    s[1] = nn.Tanh()
    tried(lambda: s.__setitem__(5, nn.Tanh()))
    print(s.append(nn.Sigmoid()) is s, s.extend([nn.ReLU(), nn.ReLU6()]) is s, s.insert(1, nn.GELU()) is s, s)
    tried(lambda: s.insert(9, nn.ReLU()))
    tried(lambda: s.insert(0, 3))
    tried(lambda: s.append(3))
    print(s.insert(-1, nn.ELU()), s.pop(0), s.pop(-1), s)
    del s[0], s[1:3]
    print(s, list(s._modules))
    print(s + nn.Sequential(nn.ReLU()), s * 2, 2 * s)
    s += nn.Sequential(nn.CELU())
    s *= 2
    print(s, "0" in dir(s))
    tried(lambda: s + [nn.ReLU()])
    tried(lambda: s * 1.5)
    tried(lambda: s * 0)
    del named[0]
    print(named)
    tried(lambda: nn.Sequential(3))
    """)


def test_module_list(agree):
    agree("""
    m = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)] + [nn.ReLU()])
    print(m, nn.ModuleList(), len(m), m[0], m[-1], m[1:3], [type(x).__name__ for x in m])
    print(m.append(nn.Tanh()) is m, m.extend([nn.Tanh(), nn.Sequential(nn.Tanh())]) is m, m)
    m.insert(1, nn.GELU())
    m[0] = nn.ELU()
    print(m.pop(1), m.pop(-1), m)
    del m[0], m[1:3]
    print(m, list(m._modules), m + [nn.SELU()], type(m + m).__name__)
    m += [nn.ReLU6()]
    print(m, [n for n, p in m.named_parameters()])
    tried(lambda: m[9])
    tried(lambda: m.extend(3))
    tried(lambda: m.append(3))
    tried(lambda: m(torch.ones(1)))
    """)


def test_module_dict(agree):
    agree("""
    from collections import OrderedDict
    d = nn.ModuleDict({"b": nn.Linear(2, 2), "a": nn.ReLU()})
    d.update([["c", nn.Tanh()]])
    d.update(OrderedDict(z=nn.ELU()))
    d.update(nn.ModuleDict({"y": nn.ELU()}))
    print(d, list(d), len(d), "a" in d, list(d.keys()), [k for k, v in d.items()], len(list(d.values())), d["a"])
    d["a"] = nn.SELU()
    print(d.pop("b"), d)
    del d["c"]
    tried(lambda: d["none"])
    tried(lambda: d.update(3))
    tried(lambda: d.update([3]))
    tried(lambda: d.update([(1, 2, 3)]))
    tried(lambda: d.update([("a.b", nn.ReLU())]))
    tried(lambda: d.update([("keys", nn.ReLU())]))
    d.clear()
    print(d)
    """)


def test_parameter_list(agree):
    agree("""
    p = nn.ParameterList([nn.Parameter(torch.ones(2, 3)), torch.zeros(4)])
    p.append(torch.ones(1, dtype=torch.float64)).extend([5, "text"])
    print(p, len(p), p[0].shape, p[-1], type(p[1]).__name__, [n for n, q in p.named_parameters()], list(p.state_dict()))
    print(p[1:3], len(p[::2]), "0" in dir(p))
    p[0] = torch.zeros(1)
    p += [torch.ones(2)]
    print(p)
    tried(lambda: p[9])
    tried(lambda: p.extend(3))
    tried(lambda: p.extend(torch.ones(2)))
    tried(lambda: p())
    print(sum(q.sum() for q in p if isinstance(q, torch.Tensor)).item())
    """)


def test_parameter_dict(agree):
    agree("""
    from collections import OrderedDict
    p = nn.ParameterDict({"b": torch.ones(2), "a": nn.Parameter(torch.zeros(1, 3))})
    p["c"] = "text"
    p.update(OrderedDict(z=torch.ones(1), y=torch.ones(1)))
    p.update([("x", 3)])
    print(p, len(p), list(p), "a" in p, list(p.keys()), [k for k, v in p.items()], list(reversed(p)),
          [n for n, q in p.named_parameters()])
    print(p.pop("c"), p.popitem(), p.get("none"), p.get("none", 4), p.setdefault("a").shape,
          p.setdefault("new", torch.ones(1)).shape)
    print(p.copy(), p.fromkeys("pq", 7), len(p | nn.ParameterDict({"k": torch.ones(1)})))
    p |= nn.ParameterDict({"b": torch.zeros(9)})
    del p["a"]
    print(p)
    tried(lambda: p["none"])
    tried(lambda: p[3])
    tried(lambda: p.update(3))
    tried(lambda: p.update([3]))
    tried(lambda: p.update([(1, 2, 3)]))
    tried(lambda: p(1))
    p.clear()
    print(p, len(p))
    """)
