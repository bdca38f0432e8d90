"""Azure OpenAI: OpenAI's operations with only the differences overridden.

Dated api-versions use `{endpoint}/openai` with `api-version` on every call, "v1" uses
`{endpoint}/openai/v1` without it.
"""

from dataclasses import replace

from batchgate.v1 import provider_service_pb2
from batchgate_server.errors import InvalidField
from batchgate_server.jsonl.rules import Rules, formed
from batchgate_server.operations import Cursor, NewBatch, NewFile, Page
from batchgate_server.providers.credentials import ConfiguredCredential, api_key, bearer
from batchgate_server.providers.entra import EntraCredential
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.providers.paging import page_of_all, wanted_of_all
from batchgate_server.rest.client import Params
from batchgate_server.rest.credential import Credential
from batchgate_server.rest.listing import WHOLE_LIST
from batchgate_server.rest.models import RestBatch, RestFile
from batchgate_server.settings import AzureOpenAIProfile

V1 = "v1"


class AzureOpenAIProvider(OpenAIProvider):
    """One profile of kind `azure_openai`."""

    kind = provider_service_pb2.PROVIDER_KIND_AZURE_OPENAI
    processes_files = True
    profile: AzureOpenAIProfile

    @property
    def api_version(self) -> str:  # type: ignore[override]
        """The api-version: a dated one or "v1"."""
        return self.profile.api_version

    def check_expiry(self, field: str, seconds: int | None) -> None:
        """Old api-versions let nothing expire."""
        if seconds is not None:
            self._check_expiry(field)

    def check_batch(self, new: NewBatch) -> None:
        """Old api-versions let nothing expire."""
        if new.output_expires_after_seconds is not None:
            self._check_expiry("output_expires_after")

    async def list_files(
        self, *, purpose: str, ascending: bool, cursor: Cursor | None, size: int
    ) -> Page[RestFile]:
        """A page of files; old api-versions give all at once, and the page is cut out here."""
        if not self.profile.is_old:
            return await super().list_files(
                purpose=purpose, ascending=ascending, cursor=cursor, size=size
            )
        params = [("purpose", purpose)] if purpose else []
        listing = await self.rest.call_list("/files", params=params, bound=WHOLE_LIST)
        chosen = wanted_of_all(listing, cursor=cursor, size=size, ascending=ascending)
        items = await self._items(RestFile, listing, chosen)
        return page_of_all(items, cursor=cursor, size=size, ascending=ascending)

    def line_rules(self, endpoint: str) -> Rules:
        """What Azure OpenAI takes; urls in the profile's form."""
        return replace(super().line_rules(endpoint), url_prefix=self.profile.url_prefix)

    async def create_batch(self, new: NewBatch) -> RestBatch:
        """Create a batch; its endpoint takes the form that its lines have."""
        endpoint = formed(new.endpoint, self.profile.url_prefix)
        return await super().create_batch(replace(new, endpoint=endpoint))

    def _base_url(self) -> str:
        return (
            f"{self.profile.endpoint.rstrip('/')}/openai{'/v1' if self.api_version == V1 else ''}"
        )

    def _params(self) -> Params:
        return () if self.api_version == V1 else (("api-version", self.api_version),)

    def _credential(self) -> Credential:
        if self.profile.entra:
            # Imported here, where the extra is known to be installed; without it, it cannot be.
            from batchgate_server.providers.entra_service import EntraService  # noqa: PLC0415

            return EntraCredential(self.name, EntraService(self.profile, self.profile.entra))
        if self.profile.entra_token:
            return ConfiguredCredential(self.profile.entra_token, bearer)
        return self._key_credential(api_key)

    def _tenancy(self) -> Params:
        return ()

    def _filename(self, new: NewFile) -> str:
        return new.filename

    def _expiry_fields(self, seconds: int | None) -> Params:
        if seconds is None:
            return ()
        self._check_expiry("metadata.expires_after")
        return (("expires_after.anchor", "created_at"), ("expires_after.seconds", str(seconds)))

    def _check_expiry(self, field: str) -> None:
        # Asking for what cannot be had is an error: ignored, files would stay for ever.
        if self.profile.is_old:
            raise InvalidField(
                field,
                f"is not known to api-version {self.api_version} of {self.name}; leave it out",
            )
