"""Random numbers on devices: on XLA's CPU, and so in tests, the stream is the CPU's own."""
import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("jax")


DRAWS = {
    "rand": lambda: torch.rand(5), "randn": lambda: torch.randn(20), "few randn": lambda: torch.randn(7),
    "randint": lambda: torch.randint(0, 9, (6,)), "randperm": lambda: torch.randperm(7),
    "float64": lambda: torch.rand(700, dtype=torch.float64),  # more words than one block of the twister
    "dropout": lambda: nn.functional.dropout(torch.ones(50), 0.3), "layer": lambda: nn.Linear(3, 2).weight.detach(),
    "in place": lambda: torch.empty(3).exponential_(), "bernoulli": lambda: torch.bernoulli(torch.full((9,), 0.4)),
    "multinomial": lambda: torch.multinomial(torch.tensor([0.2, 0.5, 0.3]), 8, replacement=True),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_stream(name):
    drawn = []
    for where in ("cpu", "xla:cpu"):
        torch.manual_seed(3)
        with torch.device(where):
            drawn += [[DRAWS[name]().cpu(), torch.rand(2).cpu()]]  # the second shows that as many words were taken
    for ours, expected in zip(*drawn):
        assert torch.allclose(ours.double(), expected.double(), rtol=1e-5, atol=1e-6), (ours, expected)


def test_nothing_is_drawn_for_no_elements():
    assert torch.randn(0, 3, device="xla:cpu").shape == torch.empty(0, 3, device="xla:cpu").normal_().shape == (0, 3)


def test_devices_have_generators_of_their_own(cuda):
    torch.manual_seed(1)
    host, device = torch.rand(3), torch.rand(3, device="cuda")
    torch.cuda.manual_seed_all(1)
    assert torch.equal(torch.rand(3, device="cuda"), device) and not torch.equal(torch.rand(3), host)
    state = torch.cuda.get_rng_state()
    later = torch.rand(3, device="cuda")
    torch.cuda.set_rng_state(state)
    assert torch.equal(torch.rand(3, device="cuda"), later) and torch.cuda.initial_seed() == 1


def test_generators_of_another_device(cuda):
    generator = torch.Generator(device="cuda").manual_seed(3)
    assert generator.device.type == "cuda" and torch.rand(2, device="cuda", generator=generator).is_cuda
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"):
        torch.rand(2, device="cuda", generator=torch.Generator())


def test_keys_and_counters_of_accelerators():
    """What a GPU draws from, computed here: words that depend on the counter, which moves by one with each draw."""
    import jax
    import numpy as np
    from flambeau.xla.rules.random import _threefry
    draw = jax.jit(lambda state: _threefry(state, 1000))
    words, after = map(np.asarray, draw(np.array([1, 2, 0xFFFFFFFF, 0], np.uint32)))
    others = np.asarray(draw(after)[0])
    assert (words != others).mean() > 0.99
    assert after.tolist() == [1, 2, 0, 1]  # the counter carries
    assert abs(words.astype(float).mean() / 2 ** 32 - 0.5) < 0.05
