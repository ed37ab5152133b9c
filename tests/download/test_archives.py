"""Unpacking: nothing outside the target, no bombs, all or nothing."""
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import pytest

from flambeau.download import archives
from flambeau.vision.datasets.utils import extract_archive


def make_tar(path, members, mode="w:gz"):
    """members: (name, contents or a TarInfo to complete)."""
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                for key, value in content.items():
                    setattr(info, key, value)
                tar.addfile(info)
    return path


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize("name, mode", [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.xz", "w:xz"),
                                        ("a.tar.bz2", "w:bz2")])
def test_tar(tmp_path, name, mode):
    make_tar(tmp_path / name, [("set/one.txt", b"1"), ("set/deep/two.txt", b"2")], mode)
    assert extract_archive(tmp_path / name, tmp_path / "out") == tmp_path / "out"
    assert tree(tmp_path / "out") == ["set", "set/deep", "set/deep/two.txt", "set/one.txt"]


def test_zip_beside_itself_and_removed(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zip:
        zip.writestr("set/one.txt", "1")
        zip.writestr("empty/", "")
    assert extract_archive(str(tmp_path / "a.zip"), remove_finished=True) == str(tmp_path)
    assert tree(tmp_path) == ["empty", "set", "set/one.txt"]


@pytest.mark.parametrize("suffix, pack", [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_single_compressed_file(tmp_path, suffix, pack):
    (tmp_path / f"labels.idx{suffix}").write_bytes(pack(b"content"))
    extract_archive(str(tmp_path / f"labels.idx{suffix}"), str(tmp_path / "out"))
    assert (tmp_path / "out" / "labels.idx").read_bytes() == b"content"


def test_an_existing_folder_is_merged(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("kept")
    make_tar(tmp_path / "a.tar.gz", [("set/one.txt", b"1")])
    extract_archive(tmp_path / "a.tar.gz")
    assert tree(tmp_path) == ["a.tar.gz", "set", "set/mine.txt", "set/one.txt"]


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "..\\evil.txt"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_members_outside_are_refused(tmp_path, name, kind):
    target = tmp_path / "out"
    if kind == "tar":
        archive = make_tar(tmp_path / "a.tar.gz", [("fine.txt", b"1"), (name, b"2")])
    else:
        archive = tmp_path / "a.zip"
        with zipfile.ZipFile(archive, "w") as zip:
            zip.writestr("fine.txt", "1")
            zip.writestr(name, "2")
    with pytest.raises(archives.UnsafeArchiveError):
        extract_archive(archive, target)
    assert tree(target) == [] and not (tmp_path / "evil.txt").exists()


def test_links_out_are_refused(tmp_path):
    for k, target in enumerate(["../../etc", "/etc/passwd", "a/../../.."]):
        archive = make_tar(tmp_path / f"a{k}.tar.gz", [("link", {"type": tarfile.SYMTYPE, "linkname": target})])
        with pytest.raises(archives.UnsafeArchiveError, match="link"):
            extract_archive(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == []


def test_writing_through_a_link_that_the_archive_made(tmp_path):
    """A link inside is fine; it cannot be turned into a way out by a second member."""
    members = [("a/b/file.txt", b"1"), ("inner", {"type": tarfile.SYMTYPE, "linkname": "a/b"}), ("inner/two.txt", b"2"),
               ("inner/../../../evil.txt", b"3")]
    with pytest.raises(archives.UnsafeArchiveError):
        extract_archive(make_tar(tmp_path / "a.tar.gz", members), tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists()
    extract_archive(make_tar(tmp_path / "b.tar.gz", members[:3]), tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b" / "two.txt").read_text() == "2"


def test_devices_are_refused(tmp_path):
    archive = make_tar(tmp_path / "a.tar.gz", [("pipe", {"type": tarfile.FIFOTYPE})])
    with pytest.raises(archives.UnsafeArchiveError, match="device or pipe"):
        extract_archive(archive, tmp_path / "out")


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 10_000)
    archive = make_tar(tmp_path / "a.tar.gz", [("zeros", bytes(3_000_000))])
    with pytest.raises(archives.UnsafeArchiveError, match="bomb"):
        extract_archive(archive, tmp_path / "out")
    (tmp_path / "b.gz").write_bytes(gzip.compress(bytes(3_000_000)))
    with pytest.raises(archives.UnsafeArchiveError, match="bomb"):
        extract_archive(tmp_path / "b.gz", tmp_path / "out")
    assert tree(tmp_path / "out") == []


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_truncated_archives_leave_nothing(tmp_path, keep):
    archive = make_tar(tmp_path / "a.tar.gz", [(f"set/{k}.bin", os.urandom(3000)) for k in range(10)])
    archive.write_bytes(archive.read_bytes()[:int(archive.stat().st_size * keep)])
    with pytest.raises(RuntimeError, match="damaged"):
        extract_archive(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == []


def test_a_damaged_compressed_file_leaves_nothing(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(os.urandom(5000))[:3000])
    with pytest.raises(RuntimeError, match="damaged"):
        extract_archive(tmp_path / "a.gz", tmp_path / "out")
    assert tree(tmp_path / "out") == []


def test_unknown_types():
    with pytest.raises(RuntimeError, match="no suffixes"):
        extract_archive("archive")
    with pytest.raises(RuntimeError, match="Unknown compression or archive type: '.rar'"):
        extract_archive("archive.rar")


@pytest.mark.parametrize("damage", [lambda b: b[:1200], lambda b: b[:1024], lambda b: b[:1030] + b"\xff" + b[1031:]])
def test_a_tar_that_ends_early(tmp_path, damage):
    """Cut in a header, cut between members, or with a damaged header: `tarfile` would call each of these the end."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("one", "two", "three"):
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RuntimeError, match="a.tar is damaged"):
        extract_archive(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip", "a.txt.gz"])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, name):
    import errno

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/y", b"abc")
    elif name.endswith(".tar.gz"):
        make_tar(path, [("x/y", b"abc")])
    else:
        path.write_bytes(gzip.compress(b"abc"))
    monkeypatch.setattr(archives, "open", lambda path, mode: Full(), raising=False)
    with pytest.raises(OSError, match="No space left"):
        extract_archive(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
