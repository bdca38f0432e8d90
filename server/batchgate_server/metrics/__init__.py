"""What the gateway has done and how it is, as metrics for Prometheus."""
