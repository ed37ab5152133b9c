"""Results take over the memory of inputs that nobody needs any more, and of no others."""
import flambeau


def test_a_clone_survives_an_update_of_its_source():
    x = flambeau.tensor([1.0, 2.0, 3.0])
    d = flambeau.ones(3)
    for _ in range(12):  # the compiled program takes over from the interpreter after a few runs
        kept = x.clone()
        x.add_(d * 2.0)
        (x * x).sum().item()
        assert kept.tolist() == [1.0, 2.0, 3.0]
        x.copy_(kept)
        assert x.tolist() == [1.0, 2.0, 3.0]
