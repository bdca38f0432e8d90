"""What the gateway tells by HTTP of itself: metrics for machines, a status page for people, probes."""
