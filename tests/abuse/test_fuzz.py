"""Anything at all, sent to every RPC: each call ends in one of the contract's ways, and leaks nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from batchgate.v1 import file_service_pb2, provider_service_pb2
from batchgate_server import errors
from tests.abuse.grammar import CANARY, metadata, streams
from tests.abuse.rpcs import RPCS, Outcome, Rpc, send
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.waiting import no_task_but, tasks


def kinds(kind: type[errors.GatewayError]) -> set[type[errors.GatewayError]]:
    """All errors that a caller can get."""
    return {kind}.union(*(kinds(each) for each in kind.__subclasses__()))


TABLE = {(each.reason, each.code) for each in kinds(errors.GatewayError) if hasattr(each, "reason")}
# What gRPC itself says, on either side.
OF_GRPC = {StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED}
# Some calls wait for what never comes.
PATIENCE_SECONDS = 0.4

CALLS = st.sampled_from(sorted(RPCS)).flatmap(
    lambda name: st.tuples(st.just(RPCS[name]), streams(RPCS[name]), metadata())
)
QUICK = settings(
    max_examples=120, suppress_health_check=list(HealthCheck), report_multiple_bugs=False
)
STREAMS = settings(QUICK, max_examples=60)
LONG = settings(QUICK, max_examples=4000)


class Fuzzing:
    """A gateway, its provider, and what was there before a call."""

    def __init__(self, gateway: Gateway, account: Account) -> None:
        self._gateway = gateway
        self._account = account
        self._files: list[str] = []
        self.codes: set[str] = set()

    async def try_call(self, rpc: Rpc, messages: list[bytes], headers: list[Any]) -> None:
        """Make a call and look at how it ended."""
        before = tasks()
        with capture_logs() as lines:
            outcome = await send(
                self._gateway.channel, rpc, messages, metadata=headers, timeout=PATIENCE_SECONDS
            )
        self.codes.add(outcome.code.name)
        self._is_in_the_table(outcome)
        assert self._account.key not in outcome.told
        assert not [line for line in lines if line["event"] == "internal error"], lines
        assert self._account.key not in repr(lines)
        ids = {str(value) for key, value in headers if key == "x-request-id"}
        if not ids:
            assert CANARY not in repr(lines)
        await no_task_but(before)
        await self._has_left_no_file(rpc, outcome)

    @staticmethod
    def _is_in_the_table(outcome: Outcome) -> None:
        if outcome.code is StatusCode.OK:
            return
        if outcome.failure is None:
            assert outcome.code in OF_GRPC, outcome
            return
        assert (outcome.reason, outcome.code) in TABLE
        assert outcome.code is not StatusCode.INTERNAL, outcome
        assert outcome.trailing["x-request-id"]
        assert outcome.message.isprintable()

    async def _uploaded(self) -> list[str]:
        """The account's files; those that batches write come at any time and are none of them."""
        found = []
        for provider in ("openai", "azure"):
            request = file_service_pb2.ListFilesRequest(provider=provider, page_size=1000)
            while True:
                answer = await self._gateway.files.ListFiles(request)
                found += [file.id for file in answer.files if file.purpose != "batch_output"]
                if not answer.next_page_token:
                    break
                request.page_token = answer.next_page_token
        return found

    async def _has_left_no_file(self, rpc: Rpc, outcome: Outcome) -> None:
        if not rpc.descriptor.client_streaming:
            return
        files = await self._uploaded()
        if outcome.code not in {StatusCode.OK, StatusCode.UNKNOWN, *OF_GRPC}:
            assert set(files) <= set(self._files), outcome
        self._files = files


@pytest.fixture
async def fuzzing(account: Account, open_gateway: OpenGateway) -> AsyncIterator[Fuzzing]:
    providers = profiles(account)
    for profile in providers.values():
        # Small enough to be met.
        profile |= {"max_requests_per_batch": 4, "max_line_bytes": 1000, "max_upload_bytes": 5000}
    gateway = await open_gateway({"providers": providers, "default_provider": "openai"})
    await gateway.providers.ListProviders(provider_service_pb2.ListProvidersRequest())
    fuzzing = Fuzzing(gateway, account)
    yield fuzzing
    assert {"OK", "INVALID_ARGUMENT"} <= fuzzing.codes


@QUICK
@given(call=CALLS)
async def test_every_call_ends_in_one_of_the_contracts_ways(
    fuzzing: Fuzzing, call: tuple[Rpc, list[bytes], list[Any]]
) -> None:
    await fuzzing.try_call(*call)


@pytest.mark.slow
@pytest.mark.timeout(600)
@LONG
@given(call=CALLS)
async def test_thousands_of_calls_end_in_one_of_the_contracts_ways(
    fuzzing: Fuzzing, call: tuple[Rpc, list[bytes], list[Any]]
) -> None:
    await fuzzing.try_call(*call)


@pytest.mark.parametrize("name", ["UploadFile", "SubmitBatch"])
@STREAMS
@given(data=st.data())
async def test_every_stream_ends_in_one_of_the_contracts_ways(
    fuzzing: Fuzzing, name: str, data: st.DataObject
) -> None:
    rpc = RPCS[name]
    await fuzzing.try_call(rpc, data.draw(streams(rpc)), [])
