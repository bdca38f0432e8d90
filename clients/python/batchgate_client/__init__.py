"""The command line of batchgate."""
