"""The gateway: gRPC calls in, each provider's REST calls out."""
