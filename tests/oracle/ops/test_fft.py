"""Fourier transforms against PyTorch: values, dtypes, gradients, names of nodes."""
import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:A window was not provided")  # it is said once in a process

KINDS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
NAMES = KINDS + [k + s for k in KINDS for s in ("2", "n")]


def outcome(module, name, is_complex, dtype, **options):
    r = np.random.default_rng(7)
    x = r.standard_normal((3, 4, 5)) + (1j * r.standard_normal((3, 4, 5)) if is_complex else 0)
    x = module.tensor(x.astype(dtype), requires_grad=True)
    try:
        y = getattr(module.fft, name)(x, **options)
    except (RuntimeError, IndexError) as error:
        return type(error).__name__, str(error).split("mode")[0]
    (y * (0.1 + 0.05j)).abs().square().sum().backward()
    return y.detach().resolve_conj().numpy(), x.grad.resolve_conj().numpy(), y.grad_fn.name()


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_agrees(name, dtype):
    cases = [{}, {"norm": "ortho"}, {"norm": "forward"}, {"norm": "nonsense"}]
    cases += [{"n": 4}, {"n": 7, "dim": 1}, {"dim": 5}] if name in KINDS else \
        [{"s": (4, 6)}, {"s": (-1, 3), "dim": (2, 0)}, {"dim": (0, 1), "norm": "forward"}, {"dim": (1, 1)}]
    tolerance = 1e-4 if dtype in ("complex64", "float32") else 1e-10
    for options in cases:
        is_complex = dtype.startswith("c")
        want, got = (outcome(m, name, is_complex, dtype, **options) for m in (torch, flambeau))
        if isinstance(want[0], str):
            assert got[0] == want[0], options
            continue
        assert not isinstance(got[0], str), (options, got)
        assert (got[0].dtype, got[0].shape, got[2]) == (want[0].dtype, want[0].shape, want[2])
        np.testing.assert_allclose(got[0], want[0], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(got[1], want[1], rtol=20 * tolerance, atol=20 * tolerance)


@pytest.mark.filterwarnings("ignore:A window was not provided")
@pytest.mark.parametrize("options", [
    {}, {"hop_length": 3, "win_length": 5}, {"center": False, "onesided": False},
    {"normalized": True, "pad_mode": "constant"}, {"center": False, "align_to_window": True, "win_length": 4},
    {"win_length": 9}, {"hop_length": 0}, {"n_fft": 60, "center": False}])
@pytest.mark.parametrize("is_complex", [False, True])
def test_short_time_transform_agrees(options, is_complex):
    r = np.random.default_rng(8)
    array = r.standard_normal((2, 20)) + (1j * r.standard_normal((2, 20)) if is_complex else 0)
    results = []
    for module in (torch, flambeau):
        x = module.tensor(array, requires_grad=True)
        try:
            y = module.stft(x, **{"n_fft": 6, "return_complex": True, **options})
            y.abs().square().cos().sum().backward()
            results.append((y.detach().numpy(), x.grad.resolve_conj().numpy()))
        except RuntimeError as error:
            results.append(str(error).split(' : ')[-1])
    if isinstance(results[0], str):
        assert results[1] == results[0]
    else:
        for want, got in zip(*results):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
