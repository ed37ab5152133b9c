"""The surface: public functions of `torch.*` as composites over primitives, one family a file."""
