"""Fourier transforms against NumPy's, and their gradients against finite differences."""
import numpy as np
import pytest

import flambeau as torch

pytestmark = pytest.mark.filterwarnings("ignore:A window was not provided")  # it is said once in a process

ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]
NORMS = [None, "backward", "ortho", "forward"]


def array(seed, shape, dtype):
    r = np.random.default_rng(seed)
    x = r.standard_normal(shape)
    return (x + 1j * r.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ONE)
def test_one_dimension(name, norm):
    dtype = np.float64 if name in ("rfft", "ihfft") else np.complex128
    for size, n in ((6, None), (5, None), (5, 8), (6, 3)):
        x = array(size, (2, size), dtype)
        want = getattr(np.fft, name)(x, n, norm=norm)
        np.testing.assert_allclose(getattr(torch.fft, name)(torch.from_numpy(x), n, norm=norm).numpy(), want,
                                   atol=1e-12)
        want = getattr(np.fft, name)(x.T, n, axis=0, norm=norm)
        np.testing.assert_allclose(getattr(torch.fft, name)(torch.from_numpy(x).T, n, 0, norm).numpy(), want,
                                   atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", SEVERAL)
def test_several_dimensions(name, norm):
    x = array(1, (3, 4, 5), np.float64 if name.startswith("rfft") else np.complex128)
    cases = [(None, (0, 2)), ((4, 3), (2, 1)), ((3, 6), (-2, -1))]
    for s, axes in cases:
        want = getattr(np.fft, name)(x, s, axes, norm)
        got = getattr(torch.fft, name)(torch.from_numpy(x), s, axes, norm)
        np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


def test_hermitian_in_several_dimensions_are_inverses():
    x = torch.from_numpy(array(2, (3, 4, 6), np.float64))
    half = torch.fft.ihfftn(x, norm="ortho")
    assert half.shape == (3, 4, 4)
    np.testing.assert_allclose(torch.fft.hfftn(half, norm="ortho").numpy(), x.numpy(), atol=1e-12)
    np.testing.assert_allclose(torch.fft.hfft2(torch.fft.ihfft2(x), (4, 6)).numpy(), x.numpy(), atol=1e-12)


@pytest.mark.parametrize("dtype, result", [(torch.float32, torch.complex64), (torch.float64, torch.complex128),
                                           (torch.int64, torch.complex64)])
def test_precision_of_the_result(dtype, result):
    x = torch.arange(6).to(dtype)
    assert torch.fft.fft(x).dtype is torch.fft.rfft(x).dtype is result
    assert torch.fft.irfft(x).dtype is torch.fft.hfft(x).dtype is result.to_real()


@pytest.mark.parametrize("name", ONE + SEVERAL + ["hfft2", "ihfft2", "hfftn", "ihfftn"])
@pytest.mark.parametrize("n", [3, 4, 6, 7])
def test_gradients(name, n, check_gradient):
    """First and second derivatives; the size of the transform is even and odd, cut and filled."""
    real = name in ("rfft", "ihfft", "rfft2", "rfftn", "ihfft2", "ihfftn")
    function, size = getattr(torch.fft, name), {"n": n} if name in ONE else {"s": (2, n)}

    def call(a, b):
        y = function(a + b if real else torch.complex(a, b), **size, norm="ortho")
        return torch.view_as_real(y) if y.is_complex() else y

    def slope(a, b):
        leaves = [x if x.requires_grad else x.requires_grad_() for x in (a, b)]
        return torch.stack(torch.autograd.grad(call(*leaves).square().sum(), leaves, create_graph=True,
                                               materialize_grads=True))
    x, y = array(3, (2, 5), np.float64), array(4, (2, 5), np.float64)
    check_gradient(call, x, y)
    check_gradient(slope, x[:, :4], y[:, :4])


def test_frequencies_and_their_order():
    for n in (1, 4, 5):
        np.testing.assert_allclose(torch.fft.fftfreq(n, 0.5, dtype=torch.float64).numpy(), np.fft.fftfreq(n, 0.5))
        np.testing.assert_allclose(torch.fft.rfftfreq(n, 0.5, dtype=torch.float64).numpy(), np.fft.rfftfreq(n, 0.5))
    x = torch.arange(20).reshape(4, 5)
    for dim in (None, 1, (0, 1), -2):
        np.testing.assert_array_equal(torch.fft.fftshift(x, dim).numpy(), np.fft.fftshift(x.numpy(), dim))
        np.testing.assert_array_equal(torch.fft.ifftshift(x, dim).numpy(), np.fft.ifftshift(x.numpy(), dim))


@pytest.mark.parametrize("call, message", [
    (lambda: torch.fft.fft(torch.ones(3), norm="x"), "Invalid normalization mode"),
    (lambda: torch.fft.fft(torch.ones(3), 0), "Invalid number of data points"),
    (lambda: torch.fft.irfft(torch.ones(1)), "Invalid number of data points"),
    (lambda: torch.fft.fft(torch.ones(3).half()), "Unsupported dtype Half"),
    (lambda: torch.fft.rfft(torch.ones(3, dtype=torch.complex64)), "real input"),
    (lambda: torch.fft.fftn(torch.ones(3, 3), dim=(0, 0)), "unique"),
    (lambda: torch.fft.fftn(torch.ones(3, 3), s=(1, 2, 3)), "only has 2 dimensions"),
    (lambda: torch.fft.fftn(torch.ones(3, 3), s=(1,), dim=(0, 1)), "same length"),
    (lambda: torch.fft.rfftn(torch.tensor(1.0)), "at least one axis"),
])
def test_errors(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()


def test_short_time_transform_by_its_definition():
    r = np.random.default_rng(4)
    x, window = r.standard_normal(20), r.random(6)
    padded = np.pad(x, 4, mode="reflect")
    weights = np.r_[0, window, 0]
    want = np.stack([np.fft.rfft(padded[at:at + 8] * weights) for at in range(0, 21, 2)], -1)
    got = torch.stft(torch.from_numpy(x), 8, win_length=6, window=torch.from_numpy(window), return_complex=True)
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"normalized": True}, {"onesided": False}, {"hop_length": 3}, {"length": 30},
                                     {"center": False}])
def test_signal_from_short_time_transform(options):
    x = torch.from_numpy(array(5, (2, 30), np.float64)).requires_grad_()
    window = torch.hamming_window(8, dtype=torch.float64)
    forward = {k: v for k, v in options.items() if k != "length"}
    spectra = torch.stft(x, 8, window=window, return_complex=True, **forward)
    y = torch.istft(spectra, 8, window=window, **options)
    n = y.shape[-1]
    assert n >= 28
    np.testing.assert_allclose(y.detach().numpy(), x.detach().numpy()[:, :n], atol=1e-10)
    y.square().sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[:, 4:n - 4], 2 * x.detach().numpy()[:, 4:n - 4], atol=1e-10)


def test_short_time_errors():
    x = torch.ones(20)
    with pytest.raises(RuntimeError, match="return_complex parameter"):
        torch.stft(x, 8)
    with pytest.raises(RuntimeError, match="expected 0 < win_length <= n_fft"):
        torch.stft(x, 8, win_length=9, return_complex=True)
    with pytest.raises(RuntimeError, match="window overlap add min: 1"):
        torch.istft(torch.ones(5, 4, dtype=torch.complex64), 8, window=torch.hann_window(8), center=False)
    with pytest.raises(RuntimeError, match="complex-valued input"):
        torch.istft(x, 8)


def test_short_time_transform_without_a_window_warns():
    torch.set_warn_always(True)
    try:
        with pytest.warns(UserWarning, match="spectral leakage"):
            assert torch.stft(torch.ones(20), 8, return_complex=True).shape == (5, 11)
    finally:
        torch.set_warn_always(False)
