"""Data sets, samplers and loaders, used wrongly: (name, PyTorch's exception, words of its message, program)."""

CASES = [
    ("dl-batch0", "ValueError", "positive integer value, but got batch_size=0",
     "torch.utils.data.DataLoader([1, 2], batch_size=0)"),
    ("dl-batchneg", "ValueError", "positive integer value, but got batch_size=-1",
     "torch.utils.data.DataLoader([1, 2], batch_size=-1)"),
    ("dl-shuffle-sampler", "ValueError", "sampler option is mutually exclusive with",
     "torch.utils.data.DataLoader([1, 2], shuffle=True, sampler=[0])"),
    ("dl-batch-sampler", "ValueError", "mutually exclusive with batch_size, shuffle, sampler,",
     "torch.utils.data.DataLoader([1, 2], batch_size=2, batch_sampler=[[0]])"),
    ("dl-none-drop", "ValueError", "batch_size=None option disables auto-batching and is",
     "torch.utils.data.DataLoader([1, 2], batch_size=None, drop_last=True)"),
    ("dl-workers", "ValueError", "non-negative; use num_workers=0 to disable multiprocessing.",
     "torch.utils.data.DataLoader([1, 2], num_workers=-1)"),
    ("dl-timeout", "ValueError", "timeout option should be non-negative",
     "torch.utils.data.DataLoader([1, 2], timeout=-1)"),
    ("dl-prefetch", "ValueError", "to enable multiprocessing, otherwise set prefetch_factor",
     "torch.utils.data.DataLoader([1, 2], prefetch_factor=2)"),
    ("dl-persistent", "ValueError", "persistent_workers option needs num_workers > 0",
     "torch.utils.data.DataLoader([1, 2], persistent_workers=True)"),
    ("dl-set", "ValueError", "batch_size attribute should not be set",
     "d = torch.utils.data.DataLoader([1, 2])\n"
     "d.batch_size = 3"),
    ("dl-empty-shuffle", "ValueError", "positive integer value, but got num_samples=0",
     "torch.utils.data.DataLoader([], shuffle=True)"),
    ("dl-nolen", "TypeError", "object of type 'A' has no",
     "class A(torch.utils.data.Dataset):\n"
     "    def __getitem__(self, i): return i\n"
     "list(torch.utils.data.DataLoader(A()))"),
    ("dl-noget", "NotImplementedError", "Subclasses of Dataset should implement __getitem__.",
     "class A(torch.utils.data.Dataset):\n"
     "    def __len__(self): return 2\n"
     "list(torch.utils.data.DataLoader(A()))"),
    ("dl-iter-shuffle", "ValueError", "DataLoader with IterableDataset: expected unspecified shuffle",
     "class A(torch.utils.data.IterableDataset):\n"
     "    def __iter__(self): return iter([1])\n"
     "torch.utils.data.DataLoader(A(), shuffle=True)"),
    ("dl-iter-sampler", "ValueError", "DataLoader with IterableDataset: expected unspecified sampler",
     "class A(torch.utils.data.IterableDataset):\n"
     "    def __iter__(self): return iter([1])\n"
     "torch.utils.data.DataLoader(A(), sampler=[0])"),
    ("dl-itererr", "KeyError", "'x'",
     "class A(torch.utils.data.Dataset):\n"
     "    def __len__(self): return 2\n"
     "    def __getitem__(self, i): raise KeyError('x')\n"
     "list(torch.utils.data.DataLoader(A()))"),
    ("dl-workererr", "KeyError", "Caught KeyError in DataLoader worker process",
     "class A(torch.utils.data.Dataset):\n"
     "    def __len__(self): return 2\n"
     "    def __getitem__(self, i): raise KeyError('x')\n"
     "list(torch.utils.data.DataLoader(A(), num_workers=1))"),
    ("td-len", "AssertionError", "Size mismatch between tensors",
     "torch.utils.data.TensorDataset(torch.ones(2), torch.ones(3))"),
    ("rs-sum", "ValueError", "lengths does not equal the length",
     "torch.utils.data.random_split([1, 2, 3], [1, 1])"),
    ("rs-frac", "ValueError", "lengths does not equal the length",
     "torch.utils.data.random_split([1, 2, 3], [0.5, 0.7])"),
    ("rs-frac2", "ValueError", "Fraction at index 0 is not",
     "torch.utils.data.random_split([1, 2, 3], [-0.5, 1.5])"),
    ("concat-empty", "AssertionError", "datasets should not be an empty", "torch.utils.data.ConcatDataset([])"),
    ("subset-oob", "IndexError", "list index out of range", "torch.utils.data.Subset([1, 2], [5])[0]"),
    ("rsampler", "ValueError", "positive integer value, but got num_samples=0",
     "torch.utils.data.RandomSampler([1], num_samples=0)"),
    ("rsampler2", "TypeError", "replacement should be a boolean value,",
     "torch.utils.data.RandomSampler([1], replacement=3)"),
    ("rsampler3", "ValueError", "positive integer value, but got num_samples=0",
     "torch.utils.data.RandomSampler([])"),
    ("wsampler", "ValueError", "positive integer value, but got num_samples=0",
     "torch.utils.data.WeightedRandomSampler([1, 2], 0)"),
    ("wsampler2", "RuntimeError", "n_sample > prob_dist.size(-1) samples without replacement",
     "list(torch.utils.data.WeightedRandomSampler([1, 2], 3, replacement=False))"),
    ("bsampler", "ValueError", "positive integer value, but got batch_size=0",
     "torch.utils.data.BatchSampler([1], 0, False)"),
    ("bsampler2", "ValueError", "drop_last should be a boolean value,",
     "torch.utils.data.BatchSampler([1], 2, 'a')"),
]
