"""How long collectives wait for other processes where nobody says otherwise."""
from datetime import timedelta

default_pg_timeout = timedelta(minutes=30)
