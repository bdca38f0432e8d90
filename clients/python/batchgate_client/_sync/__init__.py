"""The sync client: made from `_async` by `generate_sync.py`, but for `runtime.py`."""
