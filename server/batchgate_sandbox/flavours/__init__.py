"""How each provider's API looks: OpenAI's, and Azure's three editions as differences from it."""
