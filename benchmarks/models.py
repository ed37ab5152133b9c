"""The training steps that `steps.py` times: written once, run by any library that has PyTorch's API.

`WORKLOADS[name](torch)` returns (step, infer): `step()` does one training step and returns the loss; `infer(batch)` returns a
function that computes the outputs of a batch of that size.
"""
from __future__ import annotations

from typing import Any, Callable


def trainer(torch, model, loss_fn, optimizer, x, y):
    def step():
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss
    return step


def inference(torch, model, make_input):
    def of(batch):
        model.eval()  # as ONNX Runtime has it: nothing is dropped
        x = make_input(batch)

        def run():
            with torch.no_grad():
                return model(x)
        run.model, run.input = model, x
        return run
    return of


def pima(torch):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    x, y = torch.randn(10, 8), torch.rand(10, 1).round()
    return trainer(torch, model, nn.BCELoss(), optimizer, x, y), inference(torch, model, lambda n: torch.randn(n, 8))


def lenet(torch):
    """The network of the CIFAR-10 tutorials."""
    nn, F = torch.nn, torch.nn.functional

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.pool, self.conv2 = nn.Conv2d(3, 6, 5), nn.MaxPool2d(2, 2), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = torch.flatten(x, 1)
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
    return LeNet()


def lenet_of(batch: int) -> Callable[[Any], Any]:
    def make(torch):
        nn, model = torch.nn, lenet(torch)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
        x, y = torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))
        return trainer(torch, model, nn.CrossEntropyLoss(), optimizer, x, y), inference(torch, model, lambda n: torch.randn(n, 3, 32, 32))
    return make


def cnn(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(64 * 64, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.randn(24, 3, 32, 32), torch.randint(0, 10, (24,))
    return trainer(torch, model, nn.CrossEntropyLoss(), optimizer, x, y), inference(torch, model, lambda n: torch.randn(n, 3, 32, 32))


def mlp(torch):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(64, 784), torch.randint(0, 10, (64,))
    return trainer(torch, model, nn.CrossEntropyLoss(), optimizer, x, y), inference(torch, model, lambda n: torch.randn(n, 784))


def resnet18(torch):
    """ResNet-18 for 32×32 images (He et al. 2016): a 3×3 stem, and no pooling before the blocks."""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, before, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.shortcut = nn.Sequential()
            if stride != 1 or before != width:
                self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

        def forward(self, x):
            out = F.relu(self.bn1(self.conv1(x)))
            return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))

    layers, before = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        layers.append(Block(before, width, stride))
        before = width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
    return trainer(torch, model, nn.CrossEntropyLoss(), optimizer, x, y), inference(torch, model, lambda n: torch.randn(n, 3, 32, 32))


def transformer(torch):
    nn = torch.nn
    layer = nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.1, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), nn.Linear(256, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    x, y = torch.randn(8, 128, 256), torch.randn(8, 128, 10)
    return trainer(torch, model, nn.MSELoss(), optimizer, x, y), inference(torch, model, lambda n: torch.randn(n, 128, 256))


def _bilstm(torch):
    nn = torch.nn

    class BiLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10000, 64)
            self.lstm = nn.LSTM(64, 128, batch_first=True, bidirectional=True)
            self.out = nn.Linear(256, 2)

        def forward(self, tokens):
            _, (h, _) = self.lstm(self.embedding(tokens))
            return self.out(torch.cat([h[0], h[1]], 1))
    model = BiLSTM()
    return model, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=1e-3)


def bilstm(torch):
    model, loss_fn, optimizer = _bilstm(torch)
    x, y = torch.randint(0, 10000, (100, 25)), torch.randint(0, 2, (100,))
    return (trainer(torch, model, loss_fn, optimizer, x, y),
            inference(torch, model, lambda n: torch.randint(0, 10000, (n, 25))))


def lengths(torch):
    """The BiLSTM on sentences whose length differs from step to step."""
    import random
    model, loss_fn, optimizer = _bilstm(torch)
    draw = random.Random(0)
    y = torch.randint(0, 2, (100,))

    def step():
        x = torch.randint(0, 10000, (100, draw.randint(10, 25)))
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss
    return step, None


# ------------------------------------------------------------------ for accelerators: on the default device, in bfloat16 where autocast says so

def in_half(torch, model, device):
    def forward(x):
        with torch.autocast(device.type, torch.bfloat16):
            return model(x)
    return forward


def resnet50_of(batch: int, side: int) -> Callable[[Any], Any]:
    """He et al. 2016, channels last."""
    def make(torch):
        from importlib import import_module
        models = import_module("torchvision.models" if torch.__name__ == "torch" else f"{torch.__name__}.vision.models")
        model = models.resnet50().to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        x = torch.randn(batch, 3, side, side).to(memory_format=torch.channels_last)
        y = torch.randint(0, 1000, (batch,))
        return trainer(torch, in_half(torch, model, x.device), torch.nn.CrossEntropyLoss(), optimizer, x, y), None
    return make


def gpt_of(layers: int, heads: int, width: int, length: int, words: int, batch: int) -> Callable[[Any], Any]:
    """Radford et al. 2019, without dropout. 12 layers of 768 and 50,257 words are 124 million parameters."""
    def make(torch):
        nn, F = torch.nn, torch.nn.functional

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
                self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
                self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

            def forward(self, x):
                n, t, _ = x.shape
                q, k, v = (a.view(n, t, heads, width // heads).transpose(1, 2) for a in self.qkv(self.norm1(x)).chunk(3, -1))
                attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = x + self.out(attended.transpose(1, 2).reshape(n, t, width))
                return x + self.mlp(self.norm2(x))

        class GPT(nn.Module):
            def __init__(self):
                super().__init__()
                self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
                self.blocks, self.norm = nn.Sequential(*[Block() for _ in range(layers)]), nn.LayerNorm(width)

            def forward(self, tokens):
                x = self.blocks(self.words(tokens) + self.places(torch.arange(tokens.shape[1])))
                return F.linear(self.norm(x), self.words.weight).flatten(0, 1)  # the words' own vectors tell the next one
        model = GPT()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        tokens = torch.randint(0, words, (batch, length + 1))
        x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1)
        return trainer(torch, in_half(torch, model, x.device), nn.CrossEntropyLoss(), optimizer, x, y), None
    return make


WORKLOADS: dict[str, Callable[[Any], Any]] = {
    "pima": pima, "lenet-4": lenet_of(4), "lenet-16": lenet_of(16), "cnn": cnn, "mlp": mlp, "resnet18": resnet18,
    "transformer": transformer, "bilstm": bilstm, "lengths": lengths}
GOALS = {"pima": (4, 12), "lenet-4": (4, 6), "lenet-16": (4, 6), "cnn": (2.5, 2.5), "mlp": (2, 2), "resnet18": (1.2, 1.2),
         "transformer": (2.5, 2.5), "bilstm": (1.7, 1.7), "lengths": (1, None)}
DEVICE_WORKLOADS: dict[str, Callable[[Any], Any]] = {
    "pima": pima, "lenet-4": lenet_of(4), "mlp": mlp, "cnn": cnn, "resnet50": resnet50_of(256, 224),
    "gpt": gpt_of(12, 12, 768, 1024, 50257, 8)}
TINY = {**DEVICE_WORKLOADS, "resnet50": resnet50_of(2, 32), "gpt": gpt_of(2, 2, 16, 12, 50, 2)}  # to see whether they run


def workloads(device: str, tiny: bool) -> dict[str, Callable[[Any], Any]]:
    """Those that are timed on a device ("": the CPU), or in sizes that take no time."""
    return TINY if tiny else DEVICE_WORKLOADS if device else WORKLOADS
