"""torch.hub: local folders, trust, archives, mirrors, weights with hashes; `flambeau hub check`."""
import hashlib
import io
import os
import subprocess
import sys
import zipfile

import pytest

import flambeau
from flambeau import hub
from flambeau.download import archives

CONF = '''"""A repository."""
import sys
dependencies = ["torch"]
from helper import SIZE
sys.ran = True


def model(pretrained=False, **kwargs):
    """A model of SIZE."""
    return SIZE, pretrained, kwargs


def _hidden():
    pass
'''


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty hub directory, no mirror, no hook left behind, nothing run."""
    monkeypatch.delenv("FLAMBEAU_MIRROR", raising=False)
    monkeypatch.setattr(hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr("flambeau.hook.install", lambda: None)
    monkeypatch.setattr(sys, "ran", False, raising=False)
    (tmp_path / "hub").mkdir()
    yield tmp_path / "hub"
    sys.modules.pop("helper", None)


def repository(folder, conf=CONF):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hubconf.py").write_text(conf)
    (folder / "helper.py").write_text("SIZE = 7\n")
    return folder


def answer(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def archive(folder, comment=b""):
    """A zip as GitHub makes it: one folder, the commit in the comment."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for path in folder.rglob("*.py"):
            file.write(path, f"owner-name-0123abc/{path.name}")
        file.comment = comment
    return data.getvalue()


def test_local(tmp_path):
    folder = str(repository(tmp_path / "repo"))
    before = list(sys.path)
    assert hub.load(folder, "model", True, source="local", size=3) == (7, True, {"size": 3})
    assert sys.path == before and "hubconf" not in sys.modules


@pytest.mark.parametrize("call, error, words", [
    (lambda d: hub.load(d, "nope", source="local"), RuntimeError, "Cannot find callable nope"),
    (lambda d: hub.load(d, "dependencies", source="local"), RuntimeError, "Cannot find callable"),
    (lambda d: hub.load(d, 3, source="local"), ValueError, "function name"),
    (lambda d: hub.load(d, "model", source="elsewhere"), ValueError, "Unknown source"),
    (lambda d: hub.load(d + "x", "model", source="local"), FileNotFoundError, "hubconf"),
    (lambda d: hub.load("owner", "model"), ValueError, "unpack"),
])
def test_errors(tmp_path, call, error, words):
    with pytest.raises(error, match=words):
        call(str(repository(tmp_path / "repo")))


def test_missing_dependencies(tmp_path):
    repository(tmp_path / "repo", 'dependencies = ["surely_absent"]\ndef f(): pass\n')
    with pytest.raises(RuntimeError, match="Missing dependencies: surely_absent"):
        hub.load(str(tmp_path / "repo"), "f", source="local")


def test_nothing_runs_or_arrives_before_trust(tmp_path, monkeypatch, home):
    repository(tmp_path / "mirror" / "owner_name_main")
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(tmp_path / "mirror"))
    for text, error in (("n\n", Exception), ("\n", Exception), ("perhaps\n", ValueError)):
        answer(monkeypatch, text)
        with pytest.raises(error, match="Untrusted|Unrecognized"):
            hub.load("owner/name:main", "model")
    assert not sys.ran and sorted(p.name for p in home.iterdir()) == ["trusted_list"]
    answer(monkeypatch, "y\n")
    assert hub.load("owner/name:main", "model")[0] == 7
    assert (home / "trusted_list").read_text() == "owner_name\n"
    answer(monkeypatch, "")  # nobody is asked again
    assert hub.list("owner/name:main") == ["model"]
    assert hub.help("owner/name:main", "model") == "A model of SIZE."


def test_trust_without_asking(tmp_path, monkeypatch, home):
    repository(tmp_path / "mirror" / "owner_name_main")
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(tmp_path / "mirror"))
    with pytest.warns(UserWarning, match="untrusted repository"):
        hub.load("owner/name", "model", trust_repo=None)
    assert (home / "trusted_list").read_text() == ""
    hub.load("owner/name", "model", trust_repo=True, force_reload=True)


def test_archives_of_a_mirror_and_reloading(tmp_path, monkeypatch, home, capsys):
    source = repository(tmp_path / "source")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "owner_name_v1.zip").write_bytes(archive(source))
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(mirror))
    assert hub.load("owner/name:v1", "model", trust_repo=True)[0] == 7
    (source / "helper.py").write_text("SIZE = 88\n")
    (mirror / "owner_name_v1.zip").write_bytes(archive(source))
    sys.modules.pop("helper")
    assert hub.load("owner/name:v1", "model")[0] == 7
    assert "Using cache found in" in capsys.readouterr().err
    sys.modules.pop("helper")
    assert hub.load("owner/name:v1", "model", force_reload=True, verbose=False)[0] == 88
    assert sorted(p.name for p in home.iterdir()) == ["owner_name_v1", "trusted_list"]
    with pytest.raises(RuntimeError, match="has no owner_name_v2.zip"):
        hub.load("owner/name:v2", "model")


def test_pinned_commits_are_checked(tmp_path, monkeypatch, home):
    data = archive(repository(tmp_path / "source"), b"0123abc" + b"0" * 33)
    asked = []

    def fetch(url, path, is_right, show_progress):
        asked.append(url)
        with open(path, "wb") as file:
            file.write(data)

    monkeypatch.setattr(hub, "fetch", fetch)
    assert hub.load("owner/name:0123abc", "model", trust_repo=True, skip_validation=True)[0] == 7
    assert asked == ["https://github.com/owner/name/zipball/0123abc"]
    with pytest.raises(RuntimeError, match="commit fedcba9 holds commit 0123abc"):
        hub.load("owner/name:fedcba9", "model", skip_validation=True)
    assert not (home / "owner_name_fedcba9").exists()


def test_refs_of_forks_are_refused(monkeypatch):
    answers = {"branches": b'[{"name": "main", "commit": {"sha": "aa11"}}]', "tags": b"[]"}

    def open_url(url, headers=None):
        kind = url.rpartition("/")[2].partition("?")[0]
        return io.BytesIO(answers[kind] if url.endswith("page=1") else b"[]")

    monkeypatch.setattr(hub, "open_url", open_url)
    hub._check_not_a_fork("owner", "name", "main")
    hub._check_not_a_fork("owner", "name", "aa1")
    with pytest.raises(ValueError, match="Cannot find dev"):
        hub._check_not_a_fork("owner", "name", "dev")


@pytest.fixture
def weights(tmp_path):
    """A checkpoint named after its hash."""
    data = io.BytesIO()
    flambeau.save({"w": flambeau.arange(3)}, data)
    path = tmp_path / f"net-{hashlib.sha256(data.getvalue()).hexdigest()[:8]}.pth"
    path.write_bytes(data.getvalue())
    return path


def test_weights_with_a_hash(weights, home, capsys):
    for _ in range(2):
        state = hub.load_state_dict_from_url(weights.as_uri(), check_hash=True, progress=False, weights_only=True)
        assert state["w"].tolist() == [0, 1, 2]
    assert capsys.readouterr().out.count("Downloading") == 1
    weights.with_name("net-00000000.pth").write_bytes(weights.read_bytes())
    with pytest.raises(RuntimeError, match=r'invalid hash value \(expected "00000000"'):
        hub.load_state_dict_from_url(weights.with_name("net-00000000.pth").as_uri(), check_hash=True)
    assert [p.name for p in (home / "checkpoints").iterdir()] == [weights.name]


def test_weights_of_a_mirror(weights, home, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(weights.parent))
    url = f"https://example.invalid/models/{weights.name}"
    assert hub.load_state_dict_from_url(url, check_hash=True, progress=False)["w"].tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="does not have other.pth"):
        hub.load_state_dict_from_url("https://example.invalid/other.pth")


def test_old_zips_of_one_file(weights, tmp_path):
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as file:
        file.write(weights, "inner.pth")
    assert hub.load_state_dict_from_url((tmp_path / "old.zip").as_uri())["w"].tolist() == [0, 1, 2]
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.write(weights, "../outside.pth")
    with pytest.raises(RuntimeError, match="outside its folder"):
        hub.load_state_dict_from_url((tmp_path / "evil.zip").as_uri())


def test_an_old_zip_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path, home, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("inner.pth", bytes(1 << 20))
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1000)
    with pytest.raises(RuntimeError, match="decompression bomb"):
        hub.load_state_dict_from_url((tmp_path / "bomb.zip").as_uri())
    assert os.listdir(os.path.join(hub.get_dir(), "checkpoints")) == ["bomb.zip"]


def test_a_download_without_a_hash_starts_afresh(tmp_path):
    (tmp_path / "source").write_bytes(b"12345678")
    (tmp_path / "target.part").write_bytes(b"other")
    hub.download_url_to_file((tmp_path / "source").as_uri(), str(tmp_path / "target"), progress=False)
    assert (tmp_path / "target").read_bytes() == b"12345678"
    assert not (tmp_path / "target.part").exists()


def test_directories(monkeypatch):
    monkeypatch.setattr(hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", "/somewhere")
    assert hub.get_dir() == "/somewhere/hub"
    hub.set_dir("/elsewhere")
    assert hub.get_dir() == "/elsewhere"


CHECKS = {
    CONF: (0, ["ok       entry point model(pretrained=False, **kwargs): A model of SIZE.", "ok       dependencies: torch"]),
    "import numpy\ndef f(): 'Doc.'\n": (0, ["no list `dependencies`", "not among `dependencies`: numpy"]),
    "dependencies = ['surely_absent']\ndef f(): pass\n": (1, ["not installed: surely_absent", "no docstring"]),
    "dependencies = 'torch'\n": (1, ["has to be a list", "no entry points"]),
    "dependencies = []\n1 / 0\n": (1, ["ZeroDivisionError", "line 2"]),
    "def f(:\n": (1, ["SyntaxError"]),
}


@pytest.mark.parametrize("conf", CHECKS)
def test_check(tmp_path, capsys, conf):
    from flambeau.cli.hub import main

    status, words = CHECKS[conf]
    assert main(["check", str(repository(tmp_path / "repo", conf))]) == status
    shown = capsys.readouterr().out
    assert all(word in shown for word in words), shown
    assert main(["check", str(tmp_path)]) == 1 and "no hubconf.py" in capsys.readouterr().out


def test_check_calls_entry_points(tmp_path, capsys):
    from flambeau.cli.hub import main

    folder = repository(tmp_path / "repo", CONF + "\n\ndef broken():\n    'Breaks.'\n    raise OSError('no file')\n")
    assert main(["check", str(folder), "--call", "model", "--call", "broken"]) == 1
    shown = capsys.readouterr().out
    assert "model() gives a tuple" in shown and "broken() fails: OSError: no file" in shown


def test_torch_means_flambeau_in_a_repository(tmp_path):
    """Even for a program that did not ask for the hook."""
    repository(tmp_path / "repo", "import torch\ndef f(): return torch.nn.Linear(2, 3)\n")
    code = ("import flambeau; layer = flambeau.hub.load('repo', 'f', source='local'); "
            "assert isinstance(layer, flambeau.nn.Linear); print(type(layer).__module__)")
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.stdout.strip() == "torch.nn.modules.linear", result.stderr
