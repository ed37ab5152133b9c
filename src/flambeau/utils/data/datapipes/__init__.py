"""Data pipes: sets that are chained by functions registered on them (`pipe.map(f).batch(4)`)."""
