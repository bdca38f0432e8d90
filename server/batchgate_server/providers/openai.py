"""OpenAI, and servers that speak as it does: each operation as a REST call."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, TypeVar

import httpx
from pydantic import ValidationError
from pydantic_core import to_json

from batchgate.v1 import provider_service_pb2
from batchgate_server.background import Background
from batchgate_server.call import current_call
from batchgate_server.errors import (
    InvalidField,
    ProviderConflict,
    ProviderNotFound,
    ProviderRejected,
)
from batchgate_server.jsonl.rules import Rules
from batchgate_server.observer import SILENT, Observer
from batchgate_server.operations import Cursor, NewBatch, NewFile, Page
from batchgate_server.outside import url_path
from batchgate_server.providers.connections import proxy_source
from batchgate_server.providers.credentials import (
    CallerCredential,
    ConfiguredCredential,
    Form,
    bearer,
)
from batchgate_server.providers.paging import page_of, wanted
from batchgate_server.providers.users import Users
from batchgate_server.rest.breaker import Breaker, Limits
from batchgate_server.rest.client import Endpoint, Params, RestClient
from batchgate_server.rest.credential import Credential
from batchgate_server.rest.listing import Listing, TooMuch, list_of
from batchgate_server.rest.models import RestBatch, RestFile, RestResource
from batchgate_server.rest.multipart import Multipart
from batchgate_server.rest.retrying import Retries
from batchgate_server.rest.secrets import cleaner, proxy_secrets
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile
from batchgate_server.steps import Steps, in_steps
from batchgate_server.version import USER_AGENT

# Files whose lines are known to name permitted models.
MAX_CHECKED = 4096
JSONL = ".jsonl"
Model = TypeVar("Model", bound=RestResource)
# What a batch is in after it was cancelled.
CANCELLED = {"cancelling", "cancelled"}


class OpenAIProvider:
    """One profile of kind `openai`. Azure OpenAI's is this one with the differences overridden."""

    kind: ClassVar[provider_service_pb2.ProviderKind.ValueType] = (
        provider_service_pb2.PROVIDER_KIND_OPENAI
    )
    # Whether an uploaded file can be `pending` before a batch may use it.
    processes_files: ClassVar[bool] = False
    api_version: str = ""

    def __init__(
        self,
        profile: OpenAIProfile | AzureOpenAIProfile,
        *,
        transport: httpx.AsyncBaseTransport,
        observer: Observer = SILENT,
    ) -> None:
        self.name = profile.name
        self._observer = observer
        self.profile = profile
        self.background = Background()
        self.users = Users()
        self._checked: dict[tuple[str, frozenset[str]], None] = {}
        self._identity = self._credential()
        self._proxy = proxy_source(profile)
        self.rest = RestClient(
            Endpoint(
                provider=profile.name,
                base_url=self._base_url(),
                params=self._params(),
                headers=self._tenancy(),
                credential=self._identity,
                clean=self._clean,
                secrets=self._secrets,
                timeout_seconds=profile.timeout_seconds,
                connect_timeout_seconds=profile.connect_timeout_seconds,
                idle_timeout_seconds=profile.idle_timeout_seconds,
                retries=Retries(
                    most=profile.retries,
                    first_seconds=profile.retry_first_seconds,
                    cap_seconds=profile.retry_cap_seconds,
                ),
            ),
            breaker=Breaker(
                profile.name,
                Limits(
                    failures=profile.breaker_failures,
                    after_seconds=profile.breaker_after_seconds,
                    probe_seconds=profile.breaker_probe_seconds,
                ),
            ),
            transport=transport,
            user_agent=USER_AGENT,
            observer=observer,
        )

    @property
    def api_host(self) -> str:
        """The API's host, with the port if it is not the usual one."""
        return httpx.URL(self.rest.endpoint.base_url).netloc.decode()

    @property
    def api_origin(self) -> tuple[str, str, int | None]:
        """Scheme, host and port, which tell whether a key would go elsewhere."""
        url = httpx.URL(self.rest.endpoint.base_url)
        return url.scheme, url.host, url.port

    @property
    def max_requests_per_batch(self) -> int:
        """How many lines a batch file may have."""
        return self.profile.max_requests_per_batch

    def upload_limit(self, purpose: str) -> int:
        """How many bytes a file for `purpose` may have, of this caller."""
        limits = [self.profile.max_upload_bytes]
        if purpose == "batch":
            limits.append(self.profile.max_batch_file_bytes)
        if (own := current_call().caller.max_upload_bytes) is not None:
            limits.append(own)
        return min(limits)

    def line_rules(self, endpoint: str) -> Rules:
        """What this provider takes in a batch file, and what is replaced on the way.

        Raises:
            InvalidField: `endpoint`, which may be empty, is none that a batch can go to.
        """
        rules = Rules(
            max_lines=self.max_requests_per_batch,
            max_line_bytes=self.profile.max_line_bytes,
            kind=self.profile.kind,
            endpoint=endpoint,
            models=self.profile.models,
            permitted_models=self.permitted_models(),
        )
        if endpoint and (fault := rules.url_fault(endpoint)):
            raise InvalidField("metadata.endpoint", fault)
        return rules

    def permitted_models(self) -> frozenset[str] | None:
        """The models that lines of the caller's files may go to, as they are sent; None means all.

        By another name in the configuration a caller may use what it becomes. A file that is at the
        provider already is not rewritten, and that name might be another model there.
        """
        permitted = current_call().caller.models
        if permitted is None:
            return None
        aliases = self.profile.models
        return frozenset(aliases.get(name, name) for name in permitted)

    def note_checked(self, file_id: str, permitted: frozenset[str]) -> None:
        """Remember that all lines of a file name models of `permitted`."""
        self._checked[file_id, permitted] = None
        if len(self._checked) > MAX_CHECKED:
            del self._checked[next(iter(self._checked))]

    def has_checked(self, file_id: str, permitted: frozenset[str]) -> bool:
        """Whether that is known; a file that is not may have been checked elsewhere, or long ago."""
        return (file_id, permitted) in self._checked

    def file_lifetime(self, purpose: str) -> int | None:
        """After how many seconds a file for `purpose` expires where a request does not say."""
        return self.profile.input_expires_after if purpose == "batch" else None

    def check_expiry(self, field: str, seconds: int | None) -> None:
        """Refuse a lifetime that cannot be had, before anything is sent.

        Raises:
            InvalidField: `field` asks for one, and nothing expires at this provider.
        """

    async def aclose(self) -> None:
        """Let creations come to their end, and close all connections."""
        await self.background.aclose()
        await self.rest.aclose()
        await self._identity.aclose()

    async def create_file(self, new: NewFile) -> RestFile:
        """Upload a file while its content arrives."""
        body = Multipart(
            [("purpose", new.purpose), *self._expiry_fields(new.expires_after_seconds)],
            filename=self._filename(new),
            content_type=new.content_type,
            content=new.content,
        )
        length = None if new.size_bytes is None else body.length(new.size_bytes)
        answer = await self.rest.upload("/files", body, length=length)
        file = self._read(RestFile, answer, creates=True)
        current_call().note_id("created_file_id", file.id)
        return file

    async def get_file(self, file_id: str) -> RestFile:
        """Get a file."""
        return self._read(RestFile, await self.rest.call("GET", self._path("files", file_id)))

    async def list_files(
        self, *, purpose: str, ascending: bool, cursor: Cursor | None, size: int
    ) -> Page[RestFile]:
        """A page of files."""
        params = [("limit", str(size)), ("order", "asc" if ascending else "desc")]
        if purpose:
            params.append(("purpose", purpose))
        return await self._page(RestFile, "/files", params, cursor=cursor, size=size)

    async def delete_file(self, file_id: str) -> bool:
        """Delete a file; true where the answer is just a success, or says nothing else."""
        try:
            answer = await self.rest.call("DELETE", self._path("files", file_id))
            deleted = not (isinstance(answer, Mapping) and answer.get("deleted") is False)
        except ProviderNotFound as exc:
            # Has an attempt before deleted it, and only its answer was lost?
            deleted = exc.perhaps_done
            if not deleted:
                raise
        if deleted:
            current_call().note_id("deleted_file_id", file_id)
        return deleted

    def file_content(
        self, file_id: str, *, headers: Params = ()
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """A file's content, as a response to be read."""
        return self.rest.download(self._path("files", file_id, "content"), headers=headers)

    def check_batch(self, new: NewBatch) -> None:
        """Refuse, before anything is sent, what this provider cannot do at all.

        Raises:
            InvalidField: a field is not known to it.
        """

    async def create_batch(self, new: NewBatch) -> RestBatch:
        """Create a batch."""
        document: dict[str, object] = {
            "input_file_id": new.input_file_id,
            "endpoint": new.endpoint,
            "completion_window": new.completion_window,
        }
        if pairs := new.pairs:
            document["metadata"] = pairs
        if new.output_expires_after_seconds is not None:
            document["output_expires_after"] = {
                "anchor": "created_at",
                "seconds": new.output_expires_after_seconds,
            }
        answer = await self.rest.call("POST", "/batches", body=to_json(document), creates=True)
        batch = self._read(RestBatch, answer, creates=True)
        current_call().note_id("created_batch_id", batch.id)
        return self._seen(batch)

    async def get_batch(self, batch_id: str) -> RestBatch:
        """Get a batch."""
        answer = await self.rest.call("GET", self._path("batches", batch_id))
        return self._seen(self._read(RestBatch, answer))

    async def list_batches(self, *, cursor: Cursor | None, size: int) -> Page[RestBatch]:
        """A page of batches, newest first."""
        page = await self._page(
            RestBatch, "/batches", [("limit", str(size))], cursor=cursor, size=size
        )
        for batch in page.items:
            # Who lists has not asked for this one.
            self._observer.batch_seen(self.name, batch, caller="")
        return page

    async def cancel_batch(self, batch_id: str) -> RestBatch:
        """Cancel a batch. Tried again as reads are: a second cancellation changes nothing."""
        try:
            answer = await self.rest.call("POST", self._path("batches", batch_id, "cancel"))
        except (ProviderConflict, ProviderRejected) as exc:
            if exc.perhaps_done:
                # Refused since an attempt before was carried out, and only its answer was lost?
                batch = await self.get_batch(batch_id)
                if batch.state in CANCELLED:
                    return batch
            raise
        return self._seen(self._read(RestBatch, answer))

    def _seen(self, batch: RestBatch) -> RestBatch:
        self._observer.batch_seen(self.name, batch, caller=current_call().caller.name)
        return batch

    def _clean(self, text: str) -> str:
        # The cleaner is made when it is needed, in errors: what it has to know changes.
        return cleaner(self._secrets())(text)

    def _secrets(self) -> list[str]:
        proxies = self._proxy.known() if self._proxy else ()
        return [*self._identity.secrets(), *proxy_secrets(proxies)]

    def _key_credential(self, form: Form) -> Credential:
        if self.profile.caller_credentials:
            return CallerCredential(self.name, form)
        assert self.profile.api_key  # noqa: S101 - settings allow no profile without a credential
        return ConfiguredCredential(self.profile.api_key, form)

    # What differs between kinds.

    def _base_url(self) -> str:
        assert isinstance(self.profile, OpenAIProfile)  # noqa: S101 - the registry pairs them
        return self.profile.base_url.rstrip("/")

    def _params(self) -> Params:
        return ()

    def _credential(self) -> Credential:
        return self._key_credential(bearer)

    def _tenancy(self) -> Params:
        assert isinstance(self.profile, OpenAIProfile)  # noqa: S101 - the registry pairs them
        headers = []
        if self.profile.organization:
            headers.append(("openai-organization", self.profile.organization))
        if self.profile.project:
            headers.append(("openai-project", self.profile.project))
        return headers

    def _filename(self, new: NewFile) -> str:
        # OpenAI refuses a batch file by any other name, and only when it has all of it.
        needs_ending = new.purpose == "batch" and not new.filename.endswith(JSONL)
        return new.filename + JSONL if needs_ending else new.filename

    def _expiry_fields(self, seconds: int | None) -> Params:
        if seconds is None:
            return ()
        return (("expires_after[anchor]", "created_at"), ("expires_after[seconds]", str(seconds)))

    def _path(self, *segments: str) -> str:
        try:
            return url_path(*segments)
        except ValueError as exc:
            # Callers' ids are checked where they come in, so this one came in an answer.
            raise self.rest.unreadable(
                "named a file or a batch by what cannot be an id", created=False
            ) from exc

    # Reading answers.

    async def _page(
        self, model: type[Model], path: str, params: Params, *, cursor: Cursor | None, size: int
    ) -> Page[Model]:
        if cursor:
            params = [*params, ("after", cursor.after)]
        listing = await self.rest.call_list(path, params=params, bound=list_of(size))
        items = await self._items(model, listing, wanted(listing, cursor=cursor, size=size))
        return page_of(items, has_more=listing.has_more, cursor=cursor, size=size)

    async def _items(
        self, model: type[Model], listing: Listing, chosen: Steps[Sequence[object]]
    ) -> Sequence[Model]:
        """The chosen items; one without an id cannot be used and is left out."""
        if listing.items is None:
            raise self.rest.unreadable("answered a list with something else", created=False)
        try:
            return await in_steps(self._reading(model, listing, chosen))
        except TooMuch as exc:
            raise self.rest.unreadable(f"answered with {exc}", created=False) from exc
        except (ValueError, RecursionError) as exc:
            raise self.rest.unreadable(
                "answered a list with something that is not JSON", created=False
            ) from exc

    def _reading(
        self, model: type[Model], listing: Listing, chosen: Steps[Sequence[object]]
    ) -> Steps[Sequence[Model]]:
        items = []
        for item in (yield from chosen):
            items.append(self._read(model, listing.read(item)))
            yield
        return items

    def _read(self, model: type[Model], answer: object, *, creates: bool = False) -> Model:
        if isinstance(answer, dict):
            # What is null takes as long to look at as what is not, and means nothing.
            answer = {name: value for name, value in answer.items() if value is not None}
        try:
            return model.model_validate(answer).cleaned(cleaner(self._secrets()))
        except ValidationError as exc:
            # The answer's content stays out of the message: it may quote the caller's data.
            raise self.rest.unreadable(
                f"answered with something that is no {model.__name__[4:].lower()}", created=creates
            ) from exc
