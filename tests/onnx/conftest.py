"""Exports a model and runs the file in ONNX Runtime beside the model."""
import io

import numpy as np
import pytest

import flambeau as fb
from flambeau.utils._pytree import tree_leaves


@pytest.fixture
def exported():
    """Skips where onnx or onnxruntime is not installed. exported(model, args, *other_args, **options): the ModelProto. ONNX Runtime gives the model's results for args and for
    each of the other arguments, within `tolerance` of the largest."""
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")

    def check(model, args, *others, tolerance=1e-4, **options):
        if isinstance(model, fb.nn.Module):
            model.eval()
        stream = io.BytesIO()
        assert fb.onnx.export(model, args, stream, dynamo=False, **options) is None
        proto = onnx.load_from_string(stream.getvalue())
        onnx.checker.check_model(proto, full_check=True)
        session = onnxruntime.InferenceSession(stream.getvalue(), providers=["CPUExecutionProvider"])
        for given in (args, *others):
            given = given if isinstance(given, tuple) else (given,)
            with fb.no_grad():
                wanted = [t.numpy() for t in tree_leaves(model(*given)) if isinstance(t, fb.Tensor)]
            fed = [t.numpy() for t in tree_leaves(given) if isinstance(t, fb.Tensor)]
            got = session.run(None, {i.name: x for i, x in zip(session.get_inputs(), fed)})
            assert len(got) == len(wanted)
            for a, b in zip(wanted, got):
                assert a.shape == b.shape and a.dtype == b.dtype
                scale = max(float(np.abs(a).astype(np.float64).max(initial=0)), 1e-9)
                assert np.abs(a.astype(np.float64) - b).max(initial=0) <= tolerance * scale
        return proto
    return check
