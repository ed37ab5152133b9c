"""Thousands of damaged files: each loads or fails with a clear error, within bounds, and nothing else happens."""
import io
import os
import pathlib
import pickle
import struct
import sys
import time
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from tar_checkpoints import tar_checkpoint

import flambeau as fb
from flambeau import safetensors
from flambeau.cli.inspect import report
from flambeau import serialization as flambeau_serialization
from flambeau.serialization import load, save
from flambeau.serialization._describe import describe_file

ERRORS = (RuntimeError, pickle.UnpicklingError, EOFError, safetensors.SafetensorError)
MEMORY = 80_000_000  # bytes that loading a damaged file of a few kilobytes may take
SECONDS = 20


def seeds() -> dict[str, bytes]:
    """Small files with as much variety as possible, one of each format."""
    base = fb.arange(24, dtype=fb.float32).reshape(4, 6)
    obj = {
        "state_dict": OrderedDict(
            weight=base, bias=base[0], half=fb.ones(3, dtype=fb.bfloat16), wide=fb.arange(4, dtype=fb.uint16)
        ),
        "view": base.t(),
        "optimizer": {"state": {0: {"step": fb.tensor(3.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]},
        "numpy": [np.arange(4), np.float64(2.5), np.array(["a", None], object)],
        "set": {1, "x"},
        "big": 1 << 70,
        "size": base.shape,
    }
    files = {}
    for name, options in {
        "zip": {},
        "zip4": {"pickle_protocol": 4},
        "legacy": {"_use_new_zipfile_serialization": False},
    }.items():
        stream = io.BytesIO()
        save(obj, stream, **options)
        files[name] = stream.getvalue()
    deflated = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(files["zip"])) as z, zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as w:
        for info in z.infolist():
            w.writestr(info.filename, z.read(info))
    files["deflated"] = deflated.getvalue()
    files["tar"] = tar_checkpoint(
        {10: ("float32", "cpu", range(6)), 11: ("int64", "cpu", [7, -8])}, [(12, 10, 2, 3)],
        {1: (10, 0, (2, 3), (3, 1)), 2: (12, 1, (2,), (1,)), 3: (11, 0, (2,), (1,))}, ["1", "2", "3"]).rstrip(b"\0")
    files["safetensors"] = safetensors.save({"a": fb.ones(3, 2), "b": fb.arange(5)}, {"format": "pt"})
    return files


SEEDS = seeds()
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62, (1 << 64) - 1)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four of: flipped bit, random byte, extreme number, cut, removed, doubled or moved piece."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if not out:
            break
        at = int(rng.integers(len(out)))
        length = int(rng.integers(1, 40))
        kind = rng.integers(8)
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind in (1, 2):
            out[at] = int(rng.integers(256))
        elif kind == 3:
            raw = struct.pack("<Q", NUMBERS[rng.integers(len(NUMBERS))])[:int(rng.choice([1, 2, 4, 8]))]
            out[at:at + len(raw)] = raw
        elif kind == 4:
            del out[at:(None if rng.integers(2) else at + length)]
        elif kind == 5:
            out[at:at] = out[at:at + length]
        elif kind == 6:
            other = int(rng.integers(len(out)))
            out[at:at + length] = out[other:other + length]
        else:
            out[at:at] = bytes(int(b) for b in rng.integers(0, 256, length))
    return bytes(out)


def mutate_pickle(data: bytes, rng: np.random.Generator) -> bytes:
    """A zip file whose pickle is damaged and whose checksums are right, so that the damage reaches the machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as z, zipfile.ZipFile(out, "w") as w:
        for info in z.infolist():
            content = z.read(info)
            w.writestr(info.filename, mutate(content, rng) if info.filename.endswith("data.pkl") else content)
    return out.getvalue()


def attempt(data: bytes, name: str) -> bool:
    """Loads and describes a file. True if it loaded; anything but the documented errors fails the test."""
    loaded = False
    try:
        if name == "safetensors":
            safetensors.load(data)
        else:
            load(io.BytesIO(data))
        loaded = True
    except ERRORS:
        pass
    try:
        description = describe_file(io.BytesIO(data))
        for _, line in zip(range(2000), report("x", description)):
            assert line.isprintable()
    except ERRORS:
        pass
    return loaded


def fuzz(count: int, seed: int, folder) -> dict[str, int]:
    """Runs `count` damaged files; how many of each format still loaded."""
    rng = np.random.default_rng(seed)
    names = list(SEEDS)
    outcome = dict.fromkeys(names, 0)
    for i in range(count):
        name = names[i % len(names)]
        damage = mutate_pickle if name.startswith("zip") and rng.integers(3) else mutate
        data = damage(SEEDS[name], rng)
        began = time.perf_counter()
        try:
            outcome[name] += attempt(data, name)
        except BaseException:
            (folder / "failing").write_bytes(data)
            print(f"{name} #{i} of seed {seed}")
            raise
        assert time.perf_counter() - began < SECONDS, (name, i, seed)
    return outcome


def run_in(tmp_path, monkeypatch, count, seed):
    """Fuzzes in an empty folder that must stay empty."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    tracemalloc.start()
    try:
        outcome = fuzz(count, seed, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert os.listdir(work) == []
    return outcome


def test_the_undamaged_files_load():
    for name, data in SEEDS.items():
        assert attempt(data, name)


@pytest.mark.filterwarnings("ignore")
def test_damaged_files(tmp_path, monkeypatch):
    outcome = run_in(tmp_path, monkeypatch, 500, 1)
    assert 0 < sum(outcome.values()) < 400  # some damage is harmless, most is not


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(10, 20))
def test_many_damaged_files(tmp_path, monkeypatch, seed):
    run_in(tmp_path, monkeypatch, 2000, seed)


class Coverage:
    """Pairs of successive lines that ran in the reader: a cheap picture of the paths that an input takes."""

    def __init__(self):
        self.folder = str(pathlib.Path(flambeau_serialization.__file__).parent)
        self.seen: set[tuple] = set()

    def trace(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(self.folder):
            return None
        code, last = frame.f_code, [0]

        def line(frame, event, arg):
            if event == "line":
                self.now.add((code, last[0], frame.f_lineno))
                last[0] = frame.f_lineno
            return line
        return line

    def run(self, function, *args) -> bool:
        """Whether the call took a path that none before it took."""
        self.now: set[tuple] = set()
        before = sys.gettrace()
        sys.settrace(self.trace)
        try:
            function(*args)
        finally:
            sys.settrace(before)
        new = not self.now <= self.seen
        self.seen |= self.now
        return new


def guided(seconds: float, seed: int, folder: pathlib.Path) -> tuple[int, int, int]:
    """Damages inputs that reached new paths further and further. (inputs tried, inputs kept, paths seen)."""
    rng = np.random.default_rng(seed)
    coverage = Coverage()
    corpus = [(name, data) for name, data in SEEDS.items()]
    for name, data in corpus:
        coverage.run(attempt, data, name)
    tried = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        name, data = corpus[int(rng.integers(len(corpus)))]
        try:
            data = mutate_pickle(data, rng) if name.startswith("zip") and rng.integers(3) else mutate(data, rng)
        except Exception:  # an input so damaged that zipfile cannot take it apart: mutate it as it is
            data = mutate(data, rng)
        began = time.perf_counter()
        tried += 1
        try:
            new = coverage.run(attempt, data, name)
        except BaseException:
            (folder / "failing").write_bytes(data)
            print(f"{name}, input {tried} of seed {seed}")
            raise
        assert time.perf_counter() - began < SECONDS, (name, tried, seed)
        if new and len(data) < 20_000:
            corpus.append((name, data))
    return tried, len(corpus), len(coverage.seen)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_coverage_guided(tmp_path, monkeypatch):
    """FLAMBEAU_FUZZ_SECONDS makes it longer."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    tried, kept, paths = guided(float(os.environ.get("FLAMBEAU_FUZZ_SECONDS", "60")), 5, tmp_path)
    print(f"{tried} inputs, {kept} kept, {paths} paths")
    assert kept > len(SEEDS)
    assert os.listdir(work) == []
