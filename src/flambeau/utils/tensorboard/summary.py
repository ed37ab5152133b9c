"""Summaries: TensorBoard's messages of one value each. Functions take tensors, arrays or numbers."""
from __future__ import annotations

import io
import wave
from typing import Any, Sequence

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

from ...tensor.attributes import stored_array
from ...tensor.tensor import Tensor
from ._arrays import convert_to_HWC, make_np

Dim = TensorShapeProto.Dim


def _tensor(tag: str, plugin: str, content: bytes, tensor: TensorProto, description: str = "") -> Summary:
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin, content=content),
                               summary_description=description)
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])


def scalar(name: str, tensor: Any, collections: Any = None, new_style: bool = False,
           double_precision: bool = False) -> Summary:
    """One number. new_style: as a tensor, which TensorBoard reads faster; double_precision: of 64 bits."""
    value = make_np(tensor).squeeze()
    if value.ndim != 0:
        raise AssertionError(f"Tensor should contain one element (0 dimensions). Was given size: {value.size} and "
                             f"{value.ndim} dimensions.")
    number = float(value)
    if not new_style:
        return Summary(value=[Summary.Value(tag=name, simple_value=number)])
    made = (TensorProto(double_val=[number], dtype="DT_DOUBLE") if double_precision
            else TensorProto(float_val=[number], dtype="DT_FLOAT"))
    return _tensor(name, "scalars", b"", made)


# TensorBoard's type of a dtype, and the message's field for its numbers; None: their bytes
_NUMBER_TYPES: dict[str, tuple[str, str | None]] = {
    "float16": ("DT_HALF", None), "bfloat16": ("DT_BFLOAT16", None), "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"), "int8": ("DT_INT8", "int_val"), "uint8": ("DT_UINT8", "uint32_val"),
    "int16": ("DT_INT16", "int_val"), "int32": ("DT_INT32", "int_val"), "int64": ("DT_INT64", "int64_val"),
    "bool": ("DT_BOOL", "bool_val"),
    "complex64": ("DT_COMPLEX64", "scomplex_val"), "complex128": ("DT_COMPLEX128", "dcomplex_val")}


def tensor_proto(tag: str, tensor: Tensor) -> Summary:
    """A whole tensor."""
    if tensor.dtype.name not in _NUMBER_TYPES:
        raise ValueError(f"{tag} has unsupported tensor dtype {tensor.dtype}")
    kind, field = _NUMBER_TYPES[tensor.dtype.name]
    shape = TensorShapeProto(dim=[Dim(size=n) for n in tensor.shape])
    array = stored_array(tensor.detach())  # type: ignore[attr-defined]
    if field is None:
        made = TensorProto(dtype=kind, tensor_shape=shape, tensor_content=array.tobytes())
    else:
        numbers = array.reshape(-1)
        if tensor.dtype.kind == "c":
            numbers = numbers.view(numbers.real.dtype)
        made = TensorProto(dtype=kind, tensor_shape=shape, **{field: numbers.tolist()})
    return _tensor(tag, "tensor", b"", made)


# ------------------------------------------------------------------ histograms

def default_bins() -> list[float]:
    """Bounds that grow by a tenth from 1e-12 to 1e20, on both sides of 0."""
    positive, v = [], 1e-12
    while v < 1e20:
        positive.append(v)
        v *= 1.1
    return [-v for v in reversed(positive)] + [0.0] + positive


def histogram(name: str, values: Any, bins: Any, max_bins: int | None = None) -> Summary:
    """Counts of values between bounds. bins: bounds, or what numpy.histogram takes; max_bins: neighbours are joined
    down to about as many."""
    flat = make_np(values).astype(float).reshape(-1)
    if not flat.size:
        raise ValueError("The input has no element.")
    counts, limits = np.histogram(flat, bins=bins)
    if max_bins is not None and len(counts) > max_bins:
        counts, limits = _joined(counts, limits, max_bins)
    used = np.flatnonzero(counts > 0)
    if not used.size:
        raise ValueError("The histogram is empty, please file a bug report.")
    first, last = used[0], used[-1]
    # what is not empty, and one empty bucket below
    kept = np.concatenate([[0], counts[:last + 1]]) if first == 0 else counts[first - 1:last + 1]
    return histogram_raw(name, flat.min(), flat.max(), len(flat), flat.sum(), flat.dot(flat),
                         limits[first:last + 2].tolist(), kept.tolist())


def _joined(counts: np.ndarray, limits: np.ndarray, max_bins: int) -> tuple[np.ndarray, np.ndarray]:
    step = len(counts) // max_bins
    rest = len(counts) % step
    if rest:
        counts = np.pad(counts, (0, step - rest))
    bounds = limits[:-1][::step] if not rest else limits[:len(counts) - (step - rest)][::step]
    return counts.reshape(-1, step).sum(-1), np.append(bounds, limits[-1])


def histogram_raw(name: str, min: Any, max: Any, num: Any, sum: Any, sum_squares: Any, bucket_limits: Sequence[float],
                  bucket_counts: Sequence[float]) -> Summary:
    """A histogram that was counted elsewhere; bucket_limits are upper bounds."""
    made = HistogramProto(min=min, max=max, num=num, sum=sum, sum_squares=sum_squares, bucket_limit=bucket_limits,
                          bucket=bucket_counts)
    return Summary(value=[Summary.Value(tag=name, histo=made)])


# ------------------------------------------------------------------ images, video, audio

def _pixels(array: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] as bytes; bytes as they are."""
    return np.clip(array.astype(np.float32) * (1 if array.dtype == np.uint8 else 255), 0, 255).astype(np.uint8)


def image(tag: str, tensor: Any, rescale: float = 1, dataformats: str = "NCHW") -> Summary:
    """A picture of one, three or four channels, or a batch of them side by side: bytes, or floats in [0, 1]."""
    made = make_image(_pixels(convert_to_HWC(make_np(tensor), dataformats)), rescale)
    return Summary(value=[Summary.Value(tag=tag, image=made)])


def make_image(pixels: np.ndarray, rescale: float = 1, boxes: np.ndarray | None = None,
               labels: Sequence[str] | None = None) -> Summary.Image:
    """(H, W, C) bytes as PNG. boxes: (N, 4) corners to draw."""
    from PIL import Image
    height, width, channels = pixels.shape
    picture = Image.fromarray(pixels)
    if boxes is not None:
        _draw_boxes(picture, boxes, labels)
    if rescale != 1:
        picture = picture.resize((int(width * rescale), int(height * rescale)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return Summary.Image(height=picture.height, width=picture.width, colorspace=channels,
                         encoded_image_string=stream.getvalue())


def image_boxes(tag: str, tensor_image: Any, tensor_boxes: Any, rescale: float = 1, dataformats: str = "CHW",
                labels: Sequence[str] | None = None) -> Summary:
    """A picture with boxes (N, 4) of corners x, y, x, y."""
    pixels = _pixels(convert_to_HWC(make_np(tensor_image), dataformats))
    return Summary(value=[Summary.Value(tag=tag, image=make_image(pixels, rescale, make_np(tensor_boxes), labels))])


def _draw_boxes(picture: Any, boxes: np.ndarray, labels: Sequence[str] | None) -> None:
    from PIL import ImageDraw, ImageFont
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default()
    for i, box in enumerate(boxes):
        left, top, right, bottom = (float(v) for v in box)
        draw.line([(left, top), (left, bottom), (right, bottom), (right, top), (left, top)], width=2, fill="Red")
        if labels:
            x0, y0, x1, y1 = font.getbbox(labels[i])
            margin = np.ceil(0.05 * (y1 - y0))
            draw.rectangle([(left, bottom - (y1 - y0) - 2 * margin), (left + x1 - x0, bottom)], fill="Red")
            draw.text((left + margin, bottom - (y1 - y0) - margin), labels[i], fill="black", font=font)


def video(tag: str, tensor: Any, fps: float = 4) -> Summary:
    """(N, T, C, H, W), clips side by side, as an animated GIF: bytes, or floats in [0, 1]."""
    from PIL import Image
    clips = _pixels(make_np(tensor))
    n, frames, channels, height, width = clips.shape
    columns = 1 << ((n - 1).bit_length() + 1) // 2  # as square as powers of two allow
    rows = -(-(1 << (n - 1).bit_length()) // columns)
    canvas = np.zeros((frames, rows * height, columns * width, channels), np.uint8)
    for i, clip in enumerate(clips):
        y, x = divmod(i, columns)
        canvas[:, y * height:(y + 1) * height, x * width:(x + 1) * width] = clip.transpose(0, 2, 3, 1)
    pictures = [Image.fromarray(f if channels == 3 else f[..., 0]) for f in canvas]
    stream = io.BytesIO()
    pictures[0].save(stream, format="GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / fps),
                     loop=0)
    made = Summary.Image(height=canvas.shape[1], width=canvas.shape[2], colorspace=channels,
                         encoded_image_string=stream.getvalue())
    return Summary(value=[Summary.Value(tag=tag, image=made)])


def audio(tag: str, tensor: Any, sample_rate: int = 44100) -> Summary:
    """(1, L) or (L,) samples in [-1, 1] as a WAV file of 16 bits."""
    samples = make_np(tensor).squeeze()
    if samples.ndim != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((np.clip(samples, -1, 1) * np.iinfo(np.int16).max).astype("<i2").tobytes())
    made = Summary.Audio(sample_rate=sample_rate, num_channels=1, length_frames=len(samples),
                         encoded_audio_string=stream.getvalue(),
                         content_type="audio/wav")
    return Summary(value=[Summary.Value(tag=tag, audio=made)])


# ------------------------------------------------------------------ text, curves, layouts, meshes, hyperparameters

def text(tag: str, text: str) -> Summary:
    """Text, which TensorBoard shows as Markdown."""
    from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData
    made = TensorProto(dtype="DT_STRING", string_val=[text.encode("utf-8")],
                       tensor_shape=TensorShapeProto(dim=[Dim(size=1)]))
    return _tensor(tag + "/text_summary", "text", TextPluginData(version=0).SerializeToString(), made)


def pr_curve(tag: str, labels: Any, predictions: Any, num_thresholds: int = 127, weights: Any = None) -> Summary:
    """Precision and recall of predictions in [0, 1] for labels of 0 and 1, at thresholds in equal steps."""
    n = min(num_thresholds, 127)
    labels, predictions = make_np(labels).reshape(-1), make_np(predictions).reshape(-1)
    weights = 1.0 if weights is None else make_np(weights).reshape(-1)
    bucket = np.int32(np.floor(predictions * (n - 1)))
    positive = labels.astype(np.float64)
    bounds = (0, n - 1)
    true, _ = np.histogram(bucket, bins=n, range=bounds, weights=positive * weights)
    false, _ = np.histogram(bucket, bins=n, range=bounds, weights=(1 - positive) * weights)
    tp, fp = np.cumsum(true[::-1])[::-1], np.cumsum(false[::-1])[::-1]
    tn, fn = fp[0] - fp, tp[0] - tp
    smallest = 1e-7
    return pr_curve_raw(tag, tp, fp, tn, fn, tp / np.maximum(smallest, tp + fp), tp / np.maximum(smallest, tp + fn), n)


def pr_curve_raw(tag: str, tp: Any, fp: Any, tn: Any, fn: Any, precision: Any, recall: Any, num_thresholds: int = 127,
                 weights: Any = None) -> Summary:
    """A curve that was computed elsewhere: six rows of num_thresholds numbers."""
    from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData
    rows = np.stack([make_np(row) for row in (tp, fp, tn, fn, precision, recall)])
    content = PrCurvePluginData(version=0, num_thresholds=min(num_thresholds, 127)).SerializeToString()
    shape = TensorShapeProto(dim=[Dim(size=n) for n in rows.shape])
    return _tensor(tag, "pr_curves", content,
                   TensorProto(dtype="DT_FLOAT", float_val=rows.reshape(-1).tolist(), tensor_shape=shape))


def custom_scalars(layout: dict[str, dict[str, Sequence[Any]]]) -> Summary:
    """Charts of several scalars: {category: {title: ["Multiline" or "Margin", [tags]]}}; margins take three tags."""
    from tensorboard.plugins.custom_scalar.layout_pb2 import (
        Category,
        Chart,
        Layout,
        MarginChartContent,
        MultilineChartContent,
    )
    categories = []
    for category, titles in layout.items():
        charts = []
        for title, (kind, tags) in titles.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError(f"a margin chart takes three tags, got {len(tags)}")
                series = MarginChartContent.Series(value=tags[0], lower=tags[1], upper=tags[2])
                charts.append(Chart(title=title, margin=MarginChartContent(series=[series])))
            else:
                charts.append(Chart(title=title, multiline=MultilineChartContent(tag=tags)))
        categories.append(Category(title=category, chart=charts))
    made = TensorProto(dtype="DT_STRING", string_val=[Layout(category=categories).SerializeToString()],
                       tensor_shape=TensorShapeProto())
    return _tensor("custom_scalars__config__", "custom_scalars", b"", made)


def mesh(tag: str, vertices: Any, colors: Any, faces: Any, config_dict: dict | None, display_name: str | None = None,
         description: str | None = None) -> Summary:
    """Points (N, V, 3), with their colours and the triangles (N, F, 3) between them, where given."""
    import json

    from tensorboard.plugins.mesh import metadata
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
    parts = [(vertices, MeshPluginData.VERTEX), (faces, MeshPluginData.FACE), (colors, MeshPluginData.COLOR)]
    given = [(make_np(part), kind) for part, kind in parts if part is not None]
    components = metadata.get_components_bitmask([kind for _, kind in given])
    values = []
    for array, kind in given:
        about = metadata.create_summary_metadata(tag, display_name, kind, components, array.shape, description or "",
                                                 json_config=json.dumps(config_dict or {}, sort_keys=True))
        shape = TensorShapeProto(dim=[Dim(size=n) for n in array.shape])
        made = TensorProto(dtype="DT_FLOAT", float_val=array.reshape(-1).tolist(), tensor_shape=shape)
        values.append(Summary.Value(tag=metadata.get_instance_name(tag, kind), tensor=made, metadata=about))
    return Summary(value=values)


def hparams(hparam_dict: dict[str, Any], metric_dict: dict[str, Any],
            hparam_domain_discrete: dict[str, list] | None = None) -> tuple[Summary, Summary, Summary]:
    """(what the hyperparameters and metrics are, this session's hyperparameters, its end)."""
    from google.protobuf import struct_pb2
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
    for name, given in (("hparam_dict", hparam_dict), ("metric_dict", metric_dict)):
        if not isinstance(given, dict):
            raise TypeError(f"parameter: {name} should be a dictionary.")
    domains = _domains(hparam_dict, hparam_domain_discrete or {})
    start = plugin_data_pb2.SessionStartInfo()
    infos = []
    for key, value in hparam_dict.items():
        if value is None:
            continue
        kind, field, value = _hparam(key, value)
        start.hparams[key].CopyFrom(struct_pb2.Value(**{field: value}))
        info = api_pb2.HParamInfo(name=key, type=getattr(api_pb2, kind))
        if key in domains:
            info.domain_discrete.extend(domains[key])
        infos.append(info)
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=key)) for key in metric_dict]
    plain = plugin_data_pb2.HParamsPluginData
    return (_session("_hparams_/experiment",
                     plain(experiment=api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics))),
            _session("_hparams_/session_start_info", plain(session_start_info=start)),
            _session("_hparams_/session_end_info",
                     plain(session_end_info=plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS))))


def _domains(hparams: dict[str, Any], domains: dict[str, list]) -> dict[str, list]:
    if not isinstance(domains, dict):
        raise TypeError("parameter: hparam_domain_discrete should be a dictionary.")
    for key, values in domains.items():
        if (key not in hparams or not isinstance(values, list)
                or not all(isinstance(v, type(hparams[key])) for v in values)):
            raise TypeError(f"parameter: hparam_domain_discrete[{key}] should be a list of same type as "
                            f"hparam_dict[{key}].")
    return domains


def _hparam(key: str, value: Any) -> tuple[str, str, Any]:
    """(TensorBoard's type, the message's field, the value) of a hyperparameter. Truth values are numbers, as in
    PyTorch."""
    if isinstance(value, (int, float)):
        return "DATA_TYPE_FLOAT64", "number_value", value
    if isinstance(value, str):
        return "DATA_TYPE_STRING", "string_value", value
    try:
        return "DATA_TYPE_FLOAT64", "number_value", float(make_np(value).squeeze())
    except (NotImplementedError, TypeError):
        raise ValueError("value should be one of int, float, str, bool, or torch.Tensor") from None


def _session(tag: str, content: Any) -> Summary:
    from tensorboard.plugins.hparams.metadata import PLUGIN_DATA_VERSION, PLUGIN_NAME
    content.version = PLUGIN_DATA_VERSION
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME,
                                                                      content=content.SerializeToString()))
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata)])
