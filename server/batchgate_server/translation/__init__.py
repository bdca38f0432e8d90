"""Between protos and REST: pure functions, no I/O."""
