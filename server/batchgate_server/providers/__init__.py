"""Who can be called: each kind of provider, and which one a request means."""
