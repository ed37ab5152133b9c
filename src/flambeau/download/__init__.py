"""Files from elsewhere, for data sets, weights and hub repositories: `fetch.py` downloads one, `mirror.py` finds it in
FLAMBEAU_MIRROR instead, `archives.py` unpacks it."""
