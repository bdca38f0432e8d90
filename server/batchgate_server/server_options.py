"""What the gRPC server takes from the network before a call of ours begins, as gRPC's options."""

import resource

from batchgate_server.settings import Settings

# What may be under way from a caller: by calculation 1 GB/s at a round trip of 1 ms, but 20 MB/s at
# 50 ms. More is faster for distant callers and takes more memory.
UPLOAD_WINDOW_BYTES = 1024 * 1024
# Callers that ask for a sign of life more often lose their connection; gRPC's own limit of five
# minutes would end a WaitBatch of a caller that asks every 30 s.
SHORTEST_PING_SECONDS = 5.0
# All headers of a call together. gRPC refuses some of those above the first and all above the
# second; what the gateway reads of them is far shorter.
METADATA_BYTES, MOST_METADATA_BYTES = 8 * 1024, 16 * 1024
# gRPC's own name for it: one bit for each algorithm, of which the first is "identity".
NO_COMPRESSION = 1


# Of the files that a process may have open, beside those of connections: logs, sockets, the loop's.
OWN_FILES = 64


def connection_limit(settings: Settings) -> int:
    """How many connections of callers are taken, so that files for the providers' remain."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.server.max_connections
    if soft == resource.RLIM_INFINITY:
        return wanted
    upstream = sum(profile.max_connections for profile in settings.providers.values())
    return min(wanted, max(soft - upstream - OWN_FILES, soft // 2))


def server_options(settings: Settings, *, shared: bool) -> list[tuple[str, int]]:
    """The options of the gateway's server; `shared` is an address on which others listen, too."""
    server = settings.server
    milliseconds = {
        # A connection that says nothing is held no longer.
        "grpc.server_handshake_timeout_ms": server.handshake_timeout_seconds,
        "grpc.http2.settings_timeout": server.handshake_timeout_seconds,
        "grpc.max_connection_idle_ms": server.idle_connection_seconds,
        "grpc.max_connection_age_ms": server.connection_age_seconds,
        "grpc.max_connection_age_grace_ms": server.connection_age_grace_seconds,
        # gRPC's own default leaves the uploads and watches of a caller that vanished for two hours.
        "grpc.keepalive_time_ms": server.keepalive_seconds,
        "grpc.keepalive_timeout_ms": server.keepalive_timeout_seconds,
        # What really ends the wait for an answer; a minute by default.
        "grpc.http2.ping_timeout_ms": server.keepalive_timeout_seconds,
        "grpc.http2.min_ping_interval_without_data_ms": SHORTEST_PING_SECONDS,
    }
    return [
        *((option, round(seconds * 1000)) for option, seconds in milliseconds.items()),
        # Signs of life also where no call runs, asked for by either side.
        ("grpc.keepalive_permit_without_calls", 1),
        # Else a caller from whom nothing comes but signs of life is asked for two and no more.
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_receive_message_length", settings.server.max_message_bytes),
        # gRPC unpacks a compressed message whole before it looks at the limit: 2 MB became 2 GB.
        # A caller that compresses gets UNIMPLEMENTED, which names the algorithm.
        ("grpc.compression_enabled_algorithms_bitset", NO_COMPRESSION),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MOST_METADATA_BYTES),
        ("grpc.max_allowed_incoming_connections", connection_limit(settings)),
        # Also what bounds streams that are opened and reset at once.
        ("grpc.max_concurrent_streams", settings.server.max_calls_per_connection),
        # A second gateway on the same port is a mistake, not a share of the load; workers are none.
        ("grpc.so_reuseport", int(shared)),
        # What of an upload waits here for the provider. With probing it varies: four uploads held
        # 50 to 120 MiB, once 536.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", UPLOAD_WINDOW_BYTES),
    ]
