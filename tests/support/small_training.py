"""A network, a batch and its training, small enough to be done twice: on one device, and on several beside it."""
import flambeau as torch
from flambeau import nn


def network(device):
    """The same weights each time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2),
                         nn.Linear(36, 64), nn.Tanh(), nn.Linear(64, 5)).to(device)


def batch(device):
    """Eight images and their classes."""
    return torch.randn(8, 3, 8, 8, device=device), torch.randint(0, 5, (8,), device=device)


def train(model, optimizer, x, y, steps=4):
    """The losses of some steps, with clipped gradients, and the same dropout each time."""
    torch.manual_seed(5)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)
