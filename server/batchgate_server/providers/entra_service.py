"""Microsoft Entra's token service, or Azure's own for managed identities, by `azure-identity`."""

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from typing import Any

import httpx
from azure.core.credentials import AccessTokenInfo
from azure.core.credentials_async import AsyncSupportsTokenInfo
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import (
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from batchgate_server.errors import (
    GatewayError,
    ProviderCredentialRejected,
    ProviderUnreachable,
)
from batchgate_server.outside import one_line
from batchgate_server.providers.connections import USUAL_TLS, proxy_source
from batchgate_server.providers.entra import EARLY_SECONDS, Token
from batchgate_server.rest.secrets import cleaner, proxy_secrets
from batchgate_server.rest.transport import open_session
from batchgate_server.settings import AzureOpenAIProfile, EntraSettings
from batchgate_server.settings.secret_files import SecretSource
from batchgate_server.settings.tls_files import load_ca

# For one token, further tries included.
TOKEN_SECONDS = 30.0
MAX_SAID_BYTES = 400
CLIENT_ERROR, TOO_MANY, SERVER_ERROR = 400, 429, 500


class EntraService:
    """Asks for tokens as the profile says."""

    def __init__(self, profile: AzureOpenAIProfile, entra: EntraSettings) -> None:
        # What it logs says where secrets and tokens are asked for, in a form that is not ours.
        logging.getLogger("azure").addHandler(logging.NullHandler())
        logging.getLogger("azure").propagate = False
        self._provider = profile.name
        self._entra = entra
        self._secret = SecretSource(entra.client_secret) if entra.client_secret else None
        # Managed identities are had on the machine itself.
        direct = entra.method == "managed_identity"
        self._proxy = None if direct else proxy_source(profile)
        self._context = _context(profile)

    async def token(self) -> Token:
        """A new token.

        Raises:
            ProviderUnreachable: the service is down, or not to be reached.
            ProviderCredentialRejected: it refuses who asks.
        """
        asked_at = time.time()
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                info = await self._ask()
        except TimeoutError as exc:
            raise self._unreachable("it did not answer in time") from exc
        except AzureError as exc:
            raise self._error(exc) from exc
        except OSError as exc:  # the federated token's file
            raise self._unreachable(f"{exc.filename or 'a file'}: {exc.strerror}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise self._unreachable("it answered with something that is no token") from exc
        life = max(info.expires_on - asked_at, 0.0)
        renew_at = asked_at + max(life - EARLY_SECONDS, life / 2)
        return Token(info.token, info.expires_on, min(renew_at, info.refresh_on or renew_at))

    def secrets(self) -> Sequence[str]:
        """The client secret, and those it was before."""
        return self._secret.known() if self._secret else ()

    async def aclose(self) -> None:
        """Holds no connection between two tokens."""

    async def _ask(self) -> AccessTokenInfo:
        proxy = self._proxy.current() if self._proxy else None
        async with open_session(verify=self._context, proxy=proxy) as session:
            credential = self._credential(
                transport=AioHttpTransport(session=session, session_owner=False),
                retry_total=2,
                retry_backoff_factor=0.2,
            )
            # Only for the library's own bookkeeping: the session is ours.
            async with credential:
                return await credential.get_token_info(self._entra.scope)

    def _credential(self, **options: Any) -> AsyncSupportsTokenInfo:  # noqa: ANN401 - azure-identity's options
        entra = self._entra
        match entra.method:
            case "client_secret":
                assert entra.tenant_id and entra.client_id and self._secret  # noqa: S101, PT018 - checked by the settings
                return ClientSecretCredential(
                    entra.tenant_id,
                    entra.client_id,
                    self._secret.newest(),
                    authority=entra.authority,
                    **options,
                )
            case "workload_identity":
                return WorkloadIdentityCredential(
                    tenant_id=entra.tenant_id,
                    client_id=entra.client_id,
                    token_file_path=str(entra.token_file),
                    authority=entra.authority,
                    **options,
                )
            case "managed_identity":
                return ManagedIdentityCredential(client_id=entra.client_id, **options)

    def _error(self, exc: AzureError) -> GatewayError:
        answer = exc if isinstance(exc, HttpResponseError) and exc.response else exc.__cause__
        status = answer.status_code if isinstance(answer, HttpResponseError) else None
        if status is None:
            # Nothing was answered; what the library says of it differs by the way it went.
            return self._unreachable("it cannot be reached")
        if status >= SERVER_ERROR or status == TOO_MANY:
            return self._unreachable(f"it answered {status}")
        if status < CLIENT_ERROR:
            return self._unreachable("it answered with something that is no token")
        secrets = [*self.secrets(), *proxy_secrets(self._proxy.known() if self._proxy else ())]
        said = one_line(cleaner(secrets)(exc.message), size=MAX_SAID_BYTES)
        return ProviderCredentialRejected(
            f"{self._provider}: Microsoft Entra gives the gateway no token: {said}",
            metadata={"provider": self._provider},
        )

    def _unreachable(self, why: str) -> ProviderUnreachable:
        return ProviderUnreachable(
            f"{self._provider}: no token from Microsoft Entra's token service: {why}",
            metadata={"provider": self._provider},
        )


def _context(profile: AzureOpenAIProfile) -> ssl.SSLContext:
    if not profile.ca_file:
        return USUAL_TLS.current()
    context = httpx.create_ssl_context()
    # Besides the usual ones: the token service may be signed by others than the provider.
    load_ca(context, profile.ca_file)
    return context
