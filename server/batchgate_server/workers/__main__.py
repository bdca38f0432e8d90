"""A worker: `python -m batchgate_server.workers FD`, started by a supervisor and nobody else."""

import socket
import sys

from batchgate_server.__main__ import serve
from batchgate_server.settings import ConfigurationError
from batchgate_server.workers.messages import Failed, Ready, Start, receive
from batchgate_server.workers.place import Place


def main() -> int:
    """Serve until told to stop; the exit code."""
    control = socket.socket(fileno=int(sys.argv[1]))
    start = receive(control)
    if not isinstance(start, Start):
        return 1
    place = Place(control, start)
    try:
        serve(start.settings, load=place.load, announce=lambda _: place.tell(Ready()), place=place)
    except ConfigurationError as exc:
        place.tell(Failed(problems=exc.problems))
        return 1
    except OSError as exc:
        place.tell(Failed(number=exc.errno or 0, message=str(exc.strerror or exc)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
