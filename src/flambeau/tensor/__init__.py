"""The tensor: handle, storage, views, autograd nodes, and the recorder's `@op`."""
