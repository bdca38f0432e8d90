"""What stubs are made of: a channel whose calls carry a client's own headers."""

from collections.abc import Callable, Iterable
from typing import Any

Headers = tuple[tuple[str, str | bytes], ...]


class BoundChannel:
    """Makes a stub's calls on the channel that `channel` gives at that moment, with `headers`."""

    def __init__(self, channel: Callable[[], Any], headers: Headers) -> None:
        self._channel = channel
        self._headers = headers

    def unary_unary(self, path: str, **options: Any) -> "BoundMethod":  # noqa: ANN401 - gRPC's own
        """A method without streams."""
        return self._method("unary_unary", path, options)

    def unary_stream(self, path: str, **options: Any) -> "BoundMethod":  # noqa: ANN401 - likewise
        """A method that answers with a stream."""
        return self._method("unary_stream", path, options)

    def stream_unary(self, path: str, **options: Any) -> "BoundMethod":  # noqa: ANN401 - likewise
        """A method whose caller streams."""
        return self._method("stream_unary", path, options)

    def stream_stream(self, path: str, **options: Any) -> "BoundMethod":  # noqa: ANN401 - likewise
        """A method on which both sides stream."""
        return self._method("stream_stream", path, options)

    def _method(self, kind: str, path: str, options: dict[str, Any]) -> "BoundMethod":
        def made(channel: Any) -> Any:  # noqa: ANN401 - a channel of grpc or grpc.aio
            return getattr(channel, kind)(path, **options)

        return BoundMethod(kind, made, self._channel, self._headers)


class BoundMethod:
    """One method, called as gRPC's own; `metadata` goes along besides the client's headers."""

    def __init__(
        self,
        kind: str,
        made: Callable[[Any], Any],
        channel: Callable[[], Any],
        headers: Headers,
    ) -> None:
        self.kind = kind
        """Such as `unary_unary`."""
        self._made = made
        self._channel = channel
        self._headers = headers
        self._last: tuple[Any, Any] = (None, None)

    def __call__(
        self,
        request: Any = None,  # noqa: ANN401 - a message, or an iterator of them
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str | bytes]] | None = None,
        **options: Any,  # noqa: ANN401 - gRPC's own
    ) -> Any:  # noqa: ANN401 - what gRPC's does
        """Call it."""
        return self._begin(self._method(), request, timeout, metadata, options)

    def future(
        self,
        request: Any = None,  # noqa: ANN401 - as above
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str | bytes]] | None = None,
        **options: Any,  # noqa: ANN401 - as above
    ) -> Any:  # noqa: ANN401 - as above
        """Begin a call (sync only)."""
        return self._begin(self._method().future, request, timeout, metadata, options)

    def with_call(
        self,
        request: Any = None,  # noqa: ANN401 - as above
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str | bytes]] | None = None,
        **options: Any,  # noqa: ANN401 - as above
    ) -> Any:  # noqa: ANN401 - as above
        """Call it, and give the call as well (sync only)."""
        return self._begin(self._method().with_call, request, timeout, metadata, options)

    def _begin(
        self,
        method: Callable[..., Any],
        request: object,
        timeout: float | None,
        metadata: Iterable[tuple[str, str | bytes]] | None,
        options: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - what gRPC's does
        headers = (*self._headers, *(metadata or ()))
        return method(request, timeout=timeout, metadata=headers, **options)

    def _method(self) -> Any:  # noqa: ANN401 - gRPC's own
        channel = self._channel()
        of, method = self._last
        if of is not channel:
            method = self._made(channel)
            self._last = (channel, method)
        return method
