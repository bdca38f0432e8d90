"""What the gateway adds to the providers' batch API."""
