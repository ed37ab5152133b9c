"""The object cache: hits, damage, limits, many processes, and disks that refuse."""
import ctypes
import os
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import pytest

from flambeau.compiler import cache
from flambeau.compiler.cache import ObjectCache, cache_key
from flambeau.compiler.llvm import jit
from flambeau.compiler.llvm.target import host_target, make_target

CODE = bytes(range(256)) * 20


def files(directory):
    return sorted(p.name for p in Path(directory).iterdir())


def test_what_is_put_comes_back(tmp_path):
    store = ObjectCache(tmp_path / "deep" / "cache")
    assert store.get("k") is None
    store.put("k", CODE)
    assert store.get("k") == CODE and ObjectCache(tmp_path / "deep" / "cache").get("k") == CODE
    assert files(tmp_path / "deep" / "cache") == ["k.o"]
    store.put("k", b"new")
    assert store.get("k") == b"new"


def test_get_or_make_makes_once(tmp_path):
    made = []
    store = ObjectCache(tmp_path)
    for _ in range(3):
        assert store.get_or_make("k", lambda: made.append(1) or CODE) == CODE
    assert made == [1]


@pytest.mark.parametrize("damage", [
    lambda d: d[:-1], lambda d: d[:10], lambda d: b"", lambda d: d[:-1] + bytes([d[-1] ^ 1]), lambda d: b"#!/bin/sh\n" + d,
    lambda d: d.replace(b"object 1", b"object 0"), lambda d: d + b"x"], ids=["cut", "head", "empty", "bit", "foreign", "format", "longer"])
def test_damaged_entries_are_absent_and_replaced(tmp_path, damage):
    store = ObjectCache(tmp_path)
    store.put("k", CODE)
    path = tmp_path / "k.o"
    path.write_bytes(damage(path.read_bytes()))
    assert store.get("k") is None
    assert store.get_or_make("k", lambda: CODE) == CODE and store.get("k") == CODE


def test_an_entry_under_another_name_is_absent(tmp_path):
    store = ObjectCache(tmp_path)
    store.put("k", CODE)
    os.rename(tmp_path / "k.o", tmp_path / "other.o")
    assert store.get("other") is None


def test_key_depends_on_all_that_matters(monkeypatch):
    host, baseline = host_target(), make_target("baseline")
    keys = {cache_key("a", host), cache_key("b", host), cache_key("a", baseline), cache_key(b"ab", host)}
    monkeypatch.setattr(cache, "_versions", lambda: "another")
    keys.add(cache_key("a", host))
    assert len(keys) == 5
    assert cache_key("a", host) == cache_key(b"a", host)


def test_least_recently_used_go_first(tmp_path):
    store = ObjectCache(tmp_path, limit=10 * len(CODE), keep=5 * len(CODE) + 1000)
    for i in range(8):
        store.put(f"k{i}", CODE)
        os.utime(tmp_path / f"k{i}.o", (1000 + i, 1000 + i))
    assert store.get("k1") == CODE  # used now
    for i in range(8, 12):
        store.put(f"k{i}", CODE)
    store.clean()
    left = {i for i in range(12) if store.get(f"k{i}")}
    assert left == {1, 8, 9, 10, 11}


def test_abandoned_temporaries_are_removed(tmp_path):
    store = ObjectCache(tmp_path)
    store.put("k", CODE)
    (tmp_path / "new-dead").write_bytes(b"half")
    os.utime(tmp_path / "new-dead", (time.time() - 7200,) * 2)
    (tmp_path / "new-alive").write_bytes(b"half")
    store.clean()
    assert files(tmp_path) == ["k.o", "new-alive"]


def warnings_of(run):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [str(w.message) for w in caught]


def use(store):
    for i in range(5):
        assert store.get_or_make(f"k{i}", lambda: CODE) == CODE


def test_full_disk_warns_once(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "replace", full)
    store = ObjectCache(tmp_path)
    messages = warnings_of(lambda: use(store))
    assert len(messages) == 1 and "No space left on device" in messages[0] and "FLAMBEAU_CACHE_DIR" in messages[0]
    assert files(tmp_path) == []


def test_a_file_where_the_directory_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    messages = warnings_of(lambda: use(ObjectCache(tmp_path / "file" / "cache")))
    assert len(messages) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_directory(tmp_path):
    ObjectCache(tmp_path).put("k0", CODE)
    tmp_path.chmod(0o500)
    try:
        assert len(warnings_of(lambda: use(ObjectCache(tmp_path)))) == 1
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_directory_that_others_can_write_is_not_used(tmp_path):
    ObjectCache(tmp_path).put("k0", CODE)
    tmp_path.chmod(0o777)
    store = ObjectCache(tmp_path)
    messages = warnings_of(lambda: use(store))
    assert len(messages) == 1 and "other users" in messages[0]
    assert store.get("k0") is None


def test_directory_by_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    assert cache.default_directory() == tmp_path
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", "")
    assert cache.default_directory() is None
    assert warnings_of(lambda: use(ObjectCache(cache.default_directory()))) == []
    monkeypatch.delenv("FLAMBEAU_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform.startswith("linux"):
        assert cache.default_directory() == tmp_path / "flambeau"


def test_modules_are_compiled_once(monkeypatch, tmp_path):
    store = ObjectCache(tmp_path)
    monkeypatch.setattr(cache, "object_cache", lambda: store)
    text = f'target triple = "{host_target().triple}"\ndefine i64 @f() {{ ret i64 7 }}\n'
    code = cache.compile_cached(text, host_target())
    monkeypatch.setattr(cache, "compile_module", None)
    assert cache.compile_cached(text, host_target()) == code
    assert jit.load(code, ["f"]).function("f", ctypes.c_int64)() == 7


WRITER = """
    import sys
    from flambeau.compiler.cache import ObjectCache
    store = ObjectCache(sys.argv[1], limit=200_000)
    for i in range(400):
        key = f"k{i % 37}"
        code = key.encode() * 500
        found = store.get(key)
        assert found in (None, code), key
        store.put(key, code)
    print("fine")
    """


def test_many_processes(tmp_path):
    run = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)], stdout=subprocess.PIPE) for _ in range(3)]
    killed = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER).replace("range(400)", "range(10**9)"), str(tmp_path)])
    time.sleep(1.0)
    killed.kill()
    killed.wait()
    for p in run:
        assert p.communicate(timeout=60)[0].split() == [b"fine"] and p.returncode == 0
    store = ObjectCache(tmp_path)
    assert any(store.get(f"k{i}") for i in range(37))
