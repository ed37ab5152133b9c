"""Spectra, filters, masks and resampling against what torchaudio was recorded to give, and against formulas."""
import json

import numpy as np
import pytest
import sound_cases

import flambeau as torch
import flambeau.audio
from flambeau.audio import functional as F, transforms as T

RECORDED = json.loads(sound_cases.RECORDED.read_text())


@pytest.mark.parametrize("name", sound_cases.CASES)
def test_recorded(name):
    expected = RECORDED[name]
    got = sound_cases.brief(sound_cases.outcome(name, sound_cases.Library(torch, flambeau.audio)))
    for key in expected:
        if key in ("mean", "size", "some"):
            np.testing.assert_allclose(got[key], expected[key], rtol=1e-3, atol=2e-5 * max(1, expected["size"]))
        else:
            assert got[key] == expected[key], key


def test_a_tone_is_in_its_bin():
    tone = torch.sin(2 * np.pi * 1000 * torch.arange(8000) / 8000)
    power = T.Spectrogram(n_fft=400)(tone)
    assert power.shape == (201, 41)
    assert power[:, 5:-5].argmax(0).tolist() == [50] * 31  # 1000 Hz of bins of 20 Hz
    window = torch.hann_window(400)
    assert power[50, 20].item() == pytest.approx(float(window.sum() / 2) ** 2, rel=1e-3)


def test_resampling_keeps_a_tone():
    times = [torch.arange(n) / rate for n, rate in ((4410, 44100), (1600, 16000))]
    tones = [torch.sin(2 * np.pi * 440 * t) for t in times]
    resampled = F.resample(tones[0], 44100, 16000)
    assert resampled.shape == (1600,)
    assert (resampled - tones[1])[100:-100].abs().max() < 1e-3


def test_dct_is_orthonormal():
    dct = F.create_dct(40, 40, "ortho")
    assert torch.allclose(dct.t() @ dct, torch.eye(40), atol=1e-5)


def test_buffers_are_in_the_state():
    assert sorted(T.MFCC(melkwargs={"n_mels": 40}).state_dict()) == [
        "MelSpectrogram.mel_scale.fb", "MelSpectrogram.spectrogram.window", "dct_mat"]
    assert list(T.Resample(3, 2).state_dict()) == ["kernel"] and not T.Resample(3, 3).state_dict()


def test_gradients_flow():
    wave = torch.randn(1, 800, requires_grad=True)
    T.MelSpectrogram(n_mels=20)(wave).sum().backward()
    assert wave.grad.abs().sum() > 0


class TestFiles:
    """Sound files, where soundfile is installed."""

    @pytest.fixture(autouse=True)
    def soundfile(self):
        return pytest.importorskip("soundfile")

    SOUND = torch.linspace(-0.9, 0.9, 200).reshape(2, 100)

    @pytest.mark.parametrize("name, options, bits, encoding, error", [
        ("a.wav", {}, 32, "PCM_F", 0), ("a.wav", {"encoding": "PCM_S"}, 16, "PCM_S", 2 ** -15),
        ("a.wav", {"bits_per_sample": 24}, 24, "PCM_S", 2 ** -23),
        ("a.wav", {"bits_per_sample": 8}, 8, "PCM_U", 2 ** -7),
        ("a.flac", {}, 16, "PCM_S", 2 ** -15), ("a.wav", {"encoding": "ULAW"}, 8, "ULAW", 0.04)])
    def test_there_and_back(self, tmp_path, name, options, bits, encoding, error):
        flambeau.audio.save(tmp_path / name, self.SOUND, 8000, **options)
        facts = flambeau.audio.info(tmp_path / name)
        assert facts == flambeau.audio.AudioMetaData(8000, 100, 2, bits, encoding)
        sound, rate = flambeau.audio.load(tmp_path / name)
        assert rate == 8000 and sound.dtype == torch.float32 and sound.shape == (2, 100)
        assert (sound - self.SOUND).abs().max() <= error

    def test_parts_and_layouts(self, tmp_path):
        flambeau.audio.save(tmp_path / "a.wav", self.SOUND.t(), 8000, channels_first=False)
        part, _ = flambeau.audio.load(tmp_path / "a.wav", frame_offset=10, num_frames=20, channels_first=False)
        assert torch.equal(part, self.SOUND.t()[10:30])
        assert flambeau.audio.load(tmp_path / "a.wav", frame_offset=500)[0].shape == (2, 0)

    @pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8])
    def test_whole_numbers(self, tmp_path, dtype):
        numbers = torch.arange(0, 200, dtype=dtype).reshape(1, 200)
        flambeau.audio.save(tmp_path / "a.wav", numbers, 8000)
        assert torch.equal(flambeau.audio.load(tmp_path / "a.wav", normalize=False)[0], numbers)

    def test_file_objects(self, tmp_path):
        with open(tmp_path / "a.wav", "wb") as file:
            flambeau.audio.save(file, self.SOUND, 8000, format="wav")
        with open(tmp_path / "a.wav", "rb") as file:
            assert torch.equal(flambeau.audio.load(file)[0], self.SOUND)

    def test_errors(self, tmp_path):
        (tmp_path / "text.wav").write_text("not a sound")
        with pytest.raises(RuntimeError, match="text.wav"):
            flambeau.audio.load(tmp_path / "text.wav")
        with pytest.raises(FileNotFoundError):
            flambeau.audio.info(tmp_path / "none.wav")
        with pytest.raises(ValueError, match="Expected 2D Tensor, got 1D"):
            flambeau.audio.save(tmp_path / "b.wav", self.SOUND[0], 8000)
        with pytest.raises(ValueError, match="FLAC does not support encoding PCM_F"):
            flambeau.audio.save(tmp_path / "b.flac", self.SOUND, 8000, encoding="PCM_F")
        assert not (tmp_path / "b.flac").exists()
