"""Tokens of callers: long random words, of which the gateway knows only the SHA-256.

A slow hash would protect nothing here: what has 256 random bits cannot be guessed.
"""

import hashlib
import secrets

# Lets people and scanners see what a leaked word is.
PREFIX = "bg_"
RANDOM_BYTES = 32


def new_token() -> str:
    """A token that nobody has."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def digest(token: str) -> str:
    """Its SHA-256 in hexadecimal digits, as the configuration has it."""
    return hashlib.sha256(token.encode()).hexdigest()
