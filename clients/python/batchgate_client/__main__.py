"""`python -m batchgate_client`: the same as the console script `batchgate`."""

from batchgate_client.cli import main

if __name__ == "__main__":  # pragma: no branch - nobody imports it
    main()
