"""A caller of batchgate as a process of its own: ADDRESS FILE uploads, ADDRESS alone downloads.

Prints what came of it, and the seconds that the call took.
"""

import json
import sys
import time

from batchgate_client import Client


def main() -> None:
    """Upload or download."""
    with Client(sys.argv[1]) as client:
        began = time.perf_counter()
        if sys.argv[2:]:
            uploaded = client.upload_file(sys.argv[2], purpose="user_data")
            told = {"id": uploaded.file.id, "bytes": uploaded.report.sent_bytes}
        else:
            told = {"bytes": sum(len(piece) for piece in client.download_file("file-1"))}
        seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({**told, "seconds": seconds}))


if __name__ == "__main__":
    main()
