"""torch.utils.tensorboard: logs that TensorBoard shows.

`SummaryWriter` writes event files by the `tensorboard` package's own writer and messages: pip install
flambeau[tensorboard]. `summary.py` makes the messages, `writer.py` the files; `_graph.py` draws models, `_embedding.py`
writes the projector's files.
"""
try:
    import tensorboard as _tensorboard  # noqa: F401
except ImportError:
    raise ModuleNotFoundError("torch.utils.tensorboard writes files with the tensorboard package: "
                              "pip install flambeau[tensorboard]", name="tensorboard") from None

from tensorboard.summary.writer.record_writer import RecordWriter

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "RecordWriter", "SummaryWriter"]
