"""Coverage-guided fuzzing of the file reader with Atheris (libFuzzer): see CONTRIBUTING.md.

    pip install atheris
    python tests/fuzz/fuzz_reader.py CORPUS -max_total_time=600 -rss_limit_mb=2048 -timeout=20

Every input is loaded and described, in an empty folder that must stay empty. Anything but the reader's own errors, an input
that takes longer than the timeout, or more memory than the limit ends the run and leaves the input in a file crash-….
An empty CORPUS folder is filled with the small files of tests/serialization/test_fuzz.py.
"""
import importlib.util
import io
import os
import pathlib
import sys
import tempfile
import zipfile

import atheris

with atheris.instrument_imports(include=["flambeau.serialization", "flambeau.safetensors"]):
    from flambeau import safetensors, serialization  # noqa: F401
    from flambeau.serialization import _archive, _legacy, _machine  # noqa: F401

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support")]
_spec = importlib.util.spec_from_file_location("test_fuzz", HERE.parent / "serialization" / "test_fuzz.py")
test_fuzz = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(test_fuzz)


def with_checksums(data):
    """A zip file whose entries' checksums are right, so that damage reaches what is inside; None if it is no zip file."""
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as z, zipfile.ZipFile(out, "w") as w:
            for info in z.infolist()[:50]:
                if info.file_size > 1 << 20 or info.header_offset + info.compress_size > len(data):
                    return None
                entry = data[info.header_offset:]
                start = 30 + int.from_bytes(entry[26:28], "little") + int.from_bytes(entry[28:30], "little")
                w.writestr(info.filename, entry[start:start + info.compress_size])
    except Exception:  # whatever zipfile says of a damaged file
        return None
    return out.getvalue()


def test_one_input(data):
    kind = "safetensors" if data[8:9] == b"{" else "zip"
    test_fuzz.attempt(data, kind)
    whole = with_checksums(data) if data[:2] == b"PK" else None
    if whole is not None:
        test_fuzz.attempt(whole, "zip")
    if os.listdir("."):
        raise RuntimeError(f"the reader left {os.listdir('.')}")


def main():
    corpus = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
    if corpus is not None:
        corpus.mkdir(parents=True, exist_ok=True)
        if not any(corpus.iterdir()):
            for name, data in test_fuzz.SEEDS.items():
                (corpus / name).write_bytes(data)
        sys.argv[1] = str(corpus)
    artifacts = f"-artifact_prefix={pathlib.Path.cwd()}{os.sep}"
    os.chdir(tempfile.mkdtemp())
    atheris.Setup([*sys.argv, artifacts], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
