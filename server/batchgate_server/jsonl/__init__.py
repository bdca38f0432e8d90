"""Lines of batch files while they stream: cut out of chunks, checked, rewritten."""
