"""The version, as installed."""

from importlib.metadata import version

VERSION = version("batchgate")
USER_AGENT = f"batchgate/{VERSION}"
