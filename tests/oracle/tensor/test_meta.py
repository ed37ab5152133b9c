"""Tensors of the meta device: shapes and dtypes are PyTorch's, and so is what happens where data would be needed."""
import warnings

import pytest

import flambeau as fb

torch = pytest.importorskip("torch")
LIBRARIES = (torch, fb)


def linear(t):
    return t.nn.Linear(2, 3, device="meta")


TEXTS = {
    "empty": lambda t: t.empty(2, 3, device="meta"),
    "integers": lambda t: t.ones(3, device="meta", dtype=t.int64),
    "larger than memory": lambda t: t.full((10**6, 10**6), 2.0, device="meta").sum(0),
    "like one": lambda t: t.zeros_like(t.empty(10**6, 10**6, device="meta")),
    "with a number of the host": lambda t: t.empty(2, device="meta") * t.tensor(2.0),
    "views": lambda t: t.empty(4, 6, device="meta")[1:, ::2].t().reshape(-1),
    "a product": lambda t: t.empty(2, 3, device="meta") @ t.empty(3, 4, device="meta"),
    "several results": lambda t: t.empty(2, 3, device="meta").max(1),
    "a draw": lambda t: t.rand(3, device="meta"),
    "a range": lambda t: t.arange(5, device="meta"),
    "from numbers": lambda t: t.tensor([1, 2], device="meta"),
    "from the host": lambda t: t.ones(2, 3).to("meta"),
    "written to": lambda t: t.empty(2, 3, device="meta").copy_(t.ones(3)).add_(1),
    "a parameter": lambda t: linear(t).weight,
    "a parameter on the host again": lambda t: linear(t).to_empty(device="cpu").weight.shape,
    "in a context": lambda t: within(t),
    "its device": lambda t: (t.empty(1, device="meta:0").device.type, t.empty(1, device="meta").is_meta, t.ones(1).is_meta),
    "its memory": lambda t: (t.empty(2, 3, device="meta").data_ptr(), t.empty(2, 3, device="meta").untyped_storage().nbytes()),
}


def within(t):
    with t.device("meta"):
        model = t.nn.Sequential(t.nn.Conv2d(1, 4, 3), t.nn.BatchNorm2d(4), t.nn.ReLU(), t.nn.Flatten(), t.nn.LazyLinear(2))
    model = model[:-1]
    model(t.ones(5, 1, 6, 6, device="meta")).sum().backward()
    optimizer = t.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    optimizer.step()
    return model[0].weight.grad, model[1].running_var, optimizer.state[model[0].weight]["momentum_buffer"]


@pytest.mark.parametrize("case", TEXTS)
def test_it_looks_as_in_pytorch(case):
    theirs, ours = (repr(TEXTS[case](t)) for t in LIBRARIES)
    assert ours == theirs


ERRORS = {
    "item": lambda t: t.empty((), device="meta").item(),
    "bool": lambda t: bool(t.empty((), device="meta")),
    "float": lambda t: float(t.empty((), device="meta")),
    "numpy": lambda t: t.empty(2, device="meta").numpy(),
    "tolist": lambda t: t.empty(2, device="meta").tolist(),
    "cpu": lambda t: t.empty(2, device="meta").cpu(),
    "copied from": lambda t: t.ones(2).copy_(t.empty(2, device="meta")),
    "mixed": lambda t: t.empty(2, device="meta") + t.ones(2),
    "a module's move": lambda t: linear(t).to("cpu"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_where_data_would_be_needed(case):
    with pytest.raises(Exception) as theirs:
        ERRORS[case](torch)
    with pytest.raises(type(theirs.value)) as ours:
        ERRORS[case](fb)
    assert str(ours.value) == str(theirs.value)


def test_loading_a_state_dict():
    for t in LIBRARIES:
        model, state = linear(t), t.nn.Linear(2, 3).state_dict()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.load_state_dict(state)
        assert [str(w.message)[:70] for w in caught] == [
            f"for {name}: copying from a non-meta parameter in the checkpoint to a meta parameter"[:70] for name in ("weight", "bias")]
        assert model.weight.is_meta
        model.load_state_dict(state, assign=True)
        assert not model.weight.is_meta and model.weight.data_ptr() == state["weight"].data_ptr()


def test_map_location(tmp_path):
    for t in LIBRARIES:
        t.save({"a": t.ones(2, 3)}, tmp_path / "a.pt")
        loaded = t.load(tmp_path / "a.pt", map_location="meta")["a"]
        assert loaded.is_meta and tuple(loaded.shape) == (2, 3)


def test_an_affine_grid_where_the_default_device_is_another():
    with fb.device("meta"):
        grid = fb.nn.functional.affine_grid(fb.eye(2, 3, device="cpu")[None], (1, 1, 2, 2), align_corners=False)
    assert not grid.is_meta and grid[0, 0].tolist() == [[-0.5, -0.5], [0.5, -0.5]]


def test_draws_leave_the_hosts_generator_alone():
    fb.manual_seed(0)
    first = fb.rand(3)
    fb.manual_seed(0)
    linear(fb)
    assert fb.equal(fb.rand(3), first)
