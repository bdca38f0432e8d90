"""The async client, from which `generate_sync.py` makes the sync one; `runtime.py` is by hand in both."""
