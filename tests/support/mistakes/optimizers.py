"""Optimizers and schedulers, used wrongly: (name, PyTorch's exception, words of its message, program)."""

CASES = [
    ("opt-empty", "ValueError", "optimizer got an empty parameter list", "torch.optim.SGD([], lr=0.1)"),
    ("opt-tensor", "TypeError", "Tensors or dicts, but got torch.FloatTensor",
     "torch.optim.SGD(torch.ones(3), lr=0.1)"),
    ("opt-strs", "TypeError", "optimizer can only optimize Tensors, but", "torch.optim.SGD(['a'], lr=0.1)"),
    ("opt-nonleaf", "ValueError", "can't optimize a non-leaf Tensor",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([p * 2], lr=0.1)"),
    ("opt-model", "TypeError", "'Linear' object is not iterable", "torch.optim.SGD(nn.Linear(2, 3), lr=0.1)"),
    ("opt-nolr", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.RMSprop([p], lr=-1)"),
    ("opt-dup", "ValueError", "some parameters appear in more than",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([{'params': [p]}, {'params': [p]}], lr=0.1)"),
    ("opt-group", "KeyError", "'params'",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([{'par': [p]}], lr=0.1)"),
    ("opt-groupset", "TypeError", "optimizer parameters need to be organized",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([{'params': {p}}], lr=0.1)"),
    ("opt-SGD-lr=-1", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([p], lr=-1)"),
    ("opt-SGD-lr=0.1, momentum=-1", "ValueError", "Invalid momentum value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([p], lr=0.1, momentum=-1)"),
    ("opt-SGD-lr=0.1, nesterov=True", "ValueError", "Nesterov momentum requires a momentum and",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([p], lr=0.1, nesterov=True)"),
    ("opt-SGD-lr=0.1, weight_decay=-1", "ValueError", "Invalid weight_decay value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([p], lr=0.1, weight_decay=-1)"),
    ("opt-SGD-lr=torch.rand(2)", "ValueError", "Tensor lr must be 1-element",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.SGD([p], lr=torch.rand(2))"),
    ("opt-Adam-lr=-1", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], lr=-1)"),
    ("opt-Adam-betas=(1, 0.9)", "ValueError", "Invalid beta parameter at index 0:",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], betas=(1, 0.9))"),
    ("opt-Adam-betas=(0.9, 1.0)", "ValueError", "Invalid beta parameter at index 1:",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], betas=(0.9, 1.0))"),
    ("opt-Adam-eps=-1", "ValueError", "Invalid epsilon value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], eps=-1)"),
    ("opt-Adam-weight_decay=-1", "ValueError", "Invalid weight_decay value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], weight_decay=-1)"),
    ("opt-Adam-lr='0.1'", "TypeError", "not supported between instances of",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], lr='0.1')"),
    ("opt-AdamW-lr=-1", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.AdamW([p], lr=-1)"),
    ("opt-Adagrad-lr=-1", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adagrad([p], lr=-1)"),
    ("opt-Adagrad-lr_decay=-1", "ValueError", "Invalid lr_decay value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adagrad([p], lr_decay=-1)"),
    ("opt-Adadelta-rho=2", "ValueError", "Invalid rho value: 2",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adadelta([p], rho=2)"),
    ("opt-Adamax-lr=-1", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adamax([p], lr=-1)"),
    ("opt-NAdam-momentum_decay=-1", "ValueError", "Invalid momentum_decay value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.NAdam([p], momentum_decay=-1)"),
    ("opt-RAdam-lr=-1", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.RAdam([p], lr=-1)"),
    ("opt-Rprop-etas=(2, 1)", "ValueError", "Invalid eta values: 2, 1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Rprop([p], etas=(2, 1))"),
    ("opt-ASGD-weight_decay=-1", "ValueError", "Invalid weight_decay value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.ASGD([p], weight_decay=-1)"),
    ("opt-RMSprop-alpha=-1", "ValueError", "Invalid alpha value: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.RMSprop([p], alpha=-1)"),
    ("opt-Adafactor-lr=-1", "ValueError", "Learning rate should be >= 0",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adafactor([p], lr=-1)"),
    ("opt-LBFGS-lr=-1", "ValueError", "Invalid learning rate: -1",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.LBFGS([p], lr=-1)"),
    ("opt-Adam-foo=1", "TypeError", "Adam.__init__() got an unexpected keyword argument",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], foo=1)"),
    ("opt-Adam-foreach=True, fused=True", "RuntimeError", "and `foreach` cannot be `True` together.",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Adam([p], foreach=True, fused=True)"),
    ("opt-Muon", "ValueError", "found a parameter with size: torch.Size([3])",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.Muon([p], lr=0.1)"),
    ("opt-LBFGS-groups", "ValueError", "doesn't support per-parameter options (parameter groups)",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.LBFGS([{'params': [p]}, {'params': [nn.Parameter(torch.ones(2))]}])"),
    ("opt-LBFGS-noclosure", "TypeError", "LBFGS.step() missing 1 required positional argument:",
     "p = nn.Parameter(torch.ones(3))\n"
     "o = torch.optim.LBFGS([p])\n"
     "o.step()"),
    ("opt-load-groups", "ValueError", "a different number of parameter groups",
     "p = nn.Parameter(torch.ones(3))\n"
     "q = nn.Parameter(torch.ones(3))\n"
     "o = torch.optim.SGD([p], lr=0.1)\n"
     "o.load_state_dict(torch.optim.SGD([{'params': [p]}, {'params': [q]}], lr=0.1).state_dict())"),
    ("opt-load-n", "ValueError", "contains a parameter group that doesn't",
     "p = nn.Parameter(torch.ones(3))\n"
     "q = nn.Parameter(torch.ones(3))\n"
     "o = torch.optim.SGD([p], lr=0.1)\n"
     "o.load_state_dict(torch.optim.SGD([p, q], lr=0.1).state_dict())"),
    ("opt-add", "TypeError", "param_group must be a dict, but",
     "p = nn.Parameter(torch.ones(3))\n"
     "o = torch.optim.SGD([p], lr=0.1)\n"
     "o.add_param_group([p])"),
    ("sched-opt", "TypeError", "Linear is not an Optimizer", "torch.optim.lr_scheduler.StepLR(nn.Linear(2,2), 3)"),
    ("sched-last", "KeyError", "param_groups[0] when resuming scheduler with last_epoch",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.lr_scheduler.StepLR(torch.optim.SGD([p], lr=.1), 3, last_epoch=5)"),
    ("sched-lambda", "ValueError", "Expected 1 lr_lambdas, but got 2",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.lr_scheduler.LambdaLR(torch.optim.SGD([p], lr=.1), [lambda e: 1, lambda e: 1])"),
    ("sched-onecycle", "ValueError", "either total_steps OR (epochs AND steps_per_epoch)",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.lr_scheduler.OneCycleLR(torch.optim.SGD([p], lr=.1), .1)"),
    ("sched-onecycle-end", "ValueError", "times. The specified number of total",
     "p = nn.Parameter(torch.ones(3))\n"
     "s = torch.optim.lr_scheduler.OneCycleLR(torch.optim.SGD([p], lr=.1, momentum=.9), .1, 2)\n"
     "for _ in range(4): s.optimizer.step(); s.step()"),
    ("sched-cyclic", "ValueError", "support momentum or beta1 with `cycle_momentum`",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.lr_scheduler.CyclicLR(torch.optim.Adagrad([p]), .1, .2)"),
    ("sched-warm", "ValueError", "Expected positive integer T_0, but got",
     "p = nn.Parameter(torch.ones(3))\n"
     "torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(torch.optim.SGD([p], lr=.1), 0)"),
]
