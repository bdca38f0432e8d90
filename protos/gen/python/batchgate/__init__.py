"""The public contract of batchgate, generated; one package a version."""
