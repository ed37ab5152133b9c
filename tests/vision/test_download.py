"""Downloads: resumed, verified, atomic, and never a partial file in place."""
import errno
import hashlib
import os
import urllib.error

import pytest

from flambeau.download import fetch
from flambeau.vision.datasets import utils

BODY = bytes(range(256)) * 4000  # one megabyte
MD5 = hashlib.md5(BODY).hexdigest()


def leftovers(folder):
    return sorted(os.listdir(folder))


def test_a_file_arrives_whole(web, tmp_path, capsys):
    web.files["a.bin"] = BODY
    utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert leftovers(tmp_path) == ["a.bin"]


def test_a_file_in_place_is_not_asked_for_again(web, tmp_path):
    (tmp_path / "a.bin").write_bytes(BODY)
    utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert web.asked == []


def test_a_cut_connection_is_taken_up_where_it_broke(web, tmp_path):
    web.files["a.bin"], web.cut = BODY, [300_000, 200_000]
    utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    starts = [start for _, start in web.asked]
    assert len(starts) == 3 and starts[0] == 0 < starts[1] < starts[2] <= 500_000


def test_a_server_without_ranges_sends_it_all_again(web, tmp_path):
    web.files["a.bin"], web.cut, web.ranges = BODY, [300_000], False
    utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_dead_server_leaves_no_file_but_what_came_for_later(web, tmp_path):
    web.files["a.bin"], web.cut = BODY, [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(OSError):
        utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert leftovers(tmp_path) == ["a.bin.part"]
    web.cut = []
    utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert web.asked[-1][1] > 0 and (tmp_path / "a.bin").read_bytes() == BODY
    assert leftovers(tmp_path) == ["a.bin"]


def test_the_beginning_of_another_file_is_not_kept(web, tmp_path):
    web.files["a.bin"] = BODY
    (tmp_path / "a.bin.part").write_bytes(b"old" * 1000)
    utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_part_that_is_complete_already(web, tmp_path):
    web.files["a.bin"] = BODY
    (tmp_path / "a.bin.part").write_bytes(BODY)
    utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert leftovers(tmp_path) == ["a.bin"]


def test_wrong_bytes_are_refused_and_removed(web, tmp_path):
    web.files["a.bin"] = b"not it"
    with pytest.raises(RuntimeError, match="File not found or corrupted"):
        utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert leftovers(tmp_path) == []


def test_a_missing_file_says_where_to_put_it(web, tmp_path):
    with pytest.raises(urllib.error.URLError, match="Put the file at .*a.bin") as info:
        utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert info.value.code == 404
    info.value.close()
    assert leftovers(tmp_path) == []


def test_a_full_disk_leaves_nothing(web, tmp_path, monkeypatch):
    web.files["a.bin"] = BODY
    receive = fetch._receive

    def full(*args):
        receive(*args)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch, "_receive", full)
    with pytest.raises(OSError, match="No space left") as info:
        utils.download_url(web.url + "/a.bin", tmp_path, md5=MD5)
    assert info.value.errno == errno.ENOSPC
    assert leftovers(tmp_path) == []


def test_google_drive_links_become_downloads():
    url = "https://drive.google.com/file/d/abc_123/view"
    assert utils._google_drive_url(utils._google_drive_file_id(url)).count("abc_123") == 1
    assert utils._google_drive_file_id("https://example.com/file/d/abc/view") is None


def test_progress_without_tqdm(capsys):
    with fetch._PlainProgress(100, 0, "a.bin") as bar:
        bar.update(60)
    assert bar.n == 60
    assert capsys.readouterr().err == ""  # standard error is no terminal here
