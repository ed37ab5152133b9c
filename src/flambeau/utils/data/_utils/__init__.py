"""The parts of the loader.

collate.py   samples → a batch                  fetch.py    indices → a batch
worker.py    what a worker does                 pool.py     starting, asking, watching and ending workers
transport.py messages between processes         resume.py   how far an epoch has come, and getting there again
exception.py a worker's error, for its parent   pin_memory.py
"""

# Seconds that workers have, together, to finish what they are at when a loader ends them.
MP_STATUS_CHECK_INTERVAL = 5.0
