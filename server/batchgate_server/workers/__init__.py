"""Several processes that share one address, and the one that starts, restarts and ends them."""
