"""Small data sets in their official formats, a mirror to put them in, and a web server that misbehaves on demand."""
import gzip
import http.server
import pickle
import struct
import threading

import numpy as np
import pytest

pytest.importorskip("PIL")


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch):
    """Nothing comes from elsewhere unless a test says so."""
    monkeypatch.delenv("FLAMBEAU_MIRROR", raising=False)


def python2_pickle(entry):
    """A dict of str, list of int and uint8 array as Python 2 pickled it, which is how CIFAR comes."""
    def text(value):
        return b"U" + bytes([len(value)]) + value

    out = [b"\x80\x02}("]
    for key, value in entry.items():
        out.append(text(key.encode()))
        if isinstance(value, np.ndarray):
            content = value.tobytes()
            rows, columns = value.shape
            out += [b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85", text(b"b"), b"\x87R(K\1M",
                    struct.pack("<H", rows), b"M", struct.pack("<H", columns), b"\x86cnumpy\ndtype\n", text(b"u1"),
                    b"K\0K\1\x87R(K\3", text(b"|"), b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbI00\nT",
                    struct.pack("<i", len(content)), content, b"tb"]
        else:
            items = [b"K" + bytes([v]) if isinstance(v, int) else text(v.encode()) for v in value]
            out += [b"]("] + items + [b"e"]
    return b"".join([*out, b"u."])


def cifar_pixels(seed, n):
    return np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)


@pytest.fixture
def cifar10(tmp_path):
    """The folder that holds cifar-10-batches-py, with 4 images in each batch."""
    folder = tmp_path / "root" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for k, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        entry = {"batch_label": ["x"], "labels": [(k + i) % 10 for i in range(4)], "data": cifar_pixels(k, 4)}
        (folder / name).write_bytes(python2_pickle(entry))
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    (folder / "batches.meta").write_bytes(python2_pickle({"label_names": names}))
    return folder.parent


def idx(array, kind=8):
    """The bytes of an IDX file."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def mnist(tmp_path):
    """A folder with MNIST/raw/*-ubyte of 12 training and 5 test images."""
    folder = tmp_path / "root" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for stem, n in (("train", 12), ("t10k", 5)):
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx((np.arange(n) % 10).astype(np.uint8)))
    return folder.parent.parent


def sums(folder):
    """Writes SHA256SUMS of everything in a folder."""
    import hashlib

    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
             for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "SHA256SUMS"]
    (folder / "SHA256SUMS").write_text("".join(lines))


@pytest.fixture
def as_mirror(monkeypatch):
    """as_mirror(folder): FLAMBEAU_MIRROR is this folder, which states its hashes."""
    def use(folder, hashes=True):
        if hashes:
            sums(folder)
        monkeypatch.setenv("FLAMBEAU_MIRROR", str(folder))
    return use


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `files`, honouring Range. `cut`: bytes after which connections break off, one for each request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        server.asked.append((self.path, start))
        body = server.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        if not server.ranges:
            start = 0
        if start >= len(body) > 0 and "Range" in self.headers:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = start + server.cut.pop(0) if server.cut else len(body)
        self.wfile.write(body[start:end])
        self.wfile.flush()
        if end < len(body):
            self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def web():
    """A server on this machine: web.files, web.cut, web.ranges, web.asked, web.url."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.files, server.cut, server.asked, server.ranges = {}, [], [], True
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.handle_error = lambda *args: None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def packed_mnist(mnist):
    """The four .gz files of `mnist`, by name."""
    return {path.name + ".gz": gzip.compress(path.read_bytes()) for path in (mnist / "MNIST" / "raw").iterdir()}


@pytest.fixture
def write_pickle():
    """write_pickle(path, object): an ordinary pickle."""
    return lambda path, value: path.write_bytes(pickle.dumps(value))
