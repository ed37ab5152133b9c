"""Makes tar files as `torch.save` of PyTorch 0.1 wrote them."""
import io
import pickle
import struct
import sys
import tarfile
import types

import numpy as np

TYPES = {"float32": "Float", "float64": "Double", "float16": "Half", "uint8": "Byte", "int8": "Char", "int16": "Short",
         "int32": "Int", "int64": "Long"}


class Pickler(pickle._Pickler):
    """Pickles `Named` values as the globals that they name and strings in lists and dicts as persistent ids."""

    def save(self, obj, *args, **kwargs):
        if isinstance(obj, Named):
            self.write(b"ctorch\n" + obj.name.encode() + b"\n")
        else:
            super().save(obj, *args, **kwargs)

    def persistent_id(self, obj):
        return obj.key if isinstance(obj, Key) else None


class Named(types.SimpleNamespace):
    """torch.<name>"""


class Key(types.SimpleNamespace):
    """The persistent id of a tensor."""


def pickled(obj, protocol=2):
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(obj)
    return stream.getvalue()


def tar_checkpoint(storages, parts, tensors, keys, *, protocol=2, count=None, claimed=None, attack=None, place=None,
                   leave_out=None):
    """storages: {key: (dtype, location, values)}; parts: [(key, whole, offset, size)]; tensors: {key: (storage, offset,
    shape, strides)}; keys: a list or dict of the persistent ids of tensors. The options are ways to lie."""
    data = pickled(len(storages) if count is None else count, protocol)
    for key, (dtype, location, values) in storages.items():
        array = np.array(list(values), dtype).astype(np.dtype(dtype).newbyteorder("<"))
        location = attack if place == "tables" else location
        data += pickled((key, location, Named(name=TYPES[dtype] + "Storage")), protocol)
        data += struct.pack("<q", array.size if claimed is None else claimed) + array.tobytes()
    members = {"sys_info": pickled({"little_endian": sys.byteorder == "little"}, protocol),
               "storages": data + pickled(parts, protocol)}
    data = pickled(len(tensors), protocol)
    for key, (storage, offset, shape, strides) in tensors.items():
        data += pickled((key, storage, Named(name="FloatTensor")), protocol)
        data += struct.pack(f"<ii{2 * len(shape) + 1}q", len(shape), 0, *shape, *strides, offset)
    members["tensors"] = data
    items = keys.items() if isinstance(keys, dict) else enumerate(keys)
    made = type(keys)((k, Key(key=v)) for k, v in items) if isinstance(keys, dict) else [Key(key=v) for _, v in items]
    members["pickle"] = pickled([made, attack] if place == "object" else made, protocol)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members.items():
            if name != leave_out:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()
