"""Which callers share an account at a provider, and so see each other's files and batches there."""

from collections.abc import Mapping, Sequence

from batchgate_server.settings.models import Settings


def shared_profiles(settings: Settings) -> Mapping[str, Sequence[str]]:
    """Each profile that several callers may use with the gateway's credential, and who they are."""
    shared = {}
    for name, profile in settings.providers.items():
        users = [
            caller.name
            for caller in settings.callers.values()
            if caller.providers is None or name in caller.providers
        ]
        if len(users) > 1 and not profile.caller_credentials:
            shared[name] = users
    return shared
