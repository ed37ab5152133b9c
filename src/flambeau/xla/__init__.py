"""Programs on accelerators: a recorded graph becomes one function that XLA compiles, through jax.

`backend` finds devices and moves arrays, `rules/` says what each primitive is in `jax.lax`, one file for each family of
`primitives/`, `lowering` puts them together, `program` compiles and runs. jax is the extra `flambeau[xla]`; nothing here
is imported before a tensor is put on a device. Values on a device and their trace are in `runtime/resident.py`.
"""
