"""Generated from `protos/batchgate/v1`; never edited."""
