"""The comparison as a page with a table, and as a picture."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from xml.sax.saxutils import escape

from tests.benchmarks.peers.setups import DIRECT, LITELLM, PEERS, PORTKEY, ROOT

PAGE = ROOT / "tests" / "benchmarks" / "RESULTS.md"
PICTURE = PAGE.with_name("results.svg")
SHOWN = (
    "get batch, 8 at once, calls/s",
    "upload of 180 MB, 1 at once, MB/s",
    "upload of 180 MB, 4 at once, peak MiB",
    "download of 180 MB, 1 at once, MB/s",
    "memory when idle, MiB",
    "start, s",
)
COLOURS = ("#1b6ca8", "#c97b2a", "#6a7f4f")
Medians = Mapping[tuple[str, str], float]


def rows(medians: Medians) -> list[str]:
    """The names of what was measured, in order."""
    return list(dict.fromkeys(name for name, _ in medians))


def less_is_better(row: str) -> bool:
    """Whether a row counts a cost."""
    return not row.endswith("/s")


def best(medians: Medians, row: str) -> str:
    """The peer that is best at it."""
    pick = min if less_is_better(row) else max
    return pick((peer.name for peer in PEERS), key=lambda name: medians[row, name])


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(medians: Medians) -> str:
    """A Markdown table; the best of each row is bold."""
    columns = (*PEERS, DIRECT)
    lines = [f"| | {' | '.join(peer.name for peer in columns)} |", "|---|" + "---:|" * len(columns)]
    for row in rows(medians):
        first = best(medians, row)
        cells = []
        for peer in columns:
            value = medians.get((row, peer.name))
            text = "" if value is None else _short(value)
            cells.append(f"**{text}**" if peer.name == first else text)
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(medians: Medians, *, rounds: int) -> None:
    """Write the page and the picture."""
    ours = PEERS[0].name
    behind = [row for row in rows(medians) if best(medians, row) != ours]
    worse = (
        "Where another is better: " + "; ".join(f"{row} ({best(medians, row)})" for row in behind)
        if behind
        else "batchgate is ahead on every row"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    PAGE.write_text(
        f"""# batchgate beside its peers

Made by `make bench-peers` on {datetime.now(UTC):%d %B %Y}: medians of {rounds} rounds in one run, the peers in
turns, each process new for each round. Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores and
{memory:.0f} GiB that the gateway, its callers and the provider shared. batchgate {version("batchgate")}, LiteLLM proxy
{LITELLM} (one worker, no database), Portkey gateway {PORTKEY} (Node).

![The comparison as bars]({PICTURE.name})

{table(medians)}
{worse}.

What was done: `get batch` is GetBatch for batchgate and `GET /v1/batches/batch_1` for the others, by h2load on
one core against the gateway on the other, nginx as the provider; every call had to succeed. `no gateway` is
the provider asked directly, over HTTP. A transfer
is a file of 180 MB that passes through, unchecked, to a provider of a few lines of asyncio that keeps
nothing: by curl for the others, by the Python client for batchgate (without the start of Python). Peak
memory is that of all processes of the gateway. Content comes as `text/plain`, since Portkey answers 500
where it comes as `application/octet-stream`, as OpenAI's does. Through REST a caller uploads a form; through gRPC it streams.

Not here: Bifrost. Its Go module `github.com/maximhq/bifrost/transports` could not be had from the Go proxy,
and its npm package fetches a program from elsewhere.
"""
    )
    PICTURE.write_text(picture(medians))


def picture(medians: Medians) -> str:
    """Bars for some of the rows, each row in its own scale."""
    height, width, bar = 92, 760, 18
    size = f'width="{width}" height="{height * len(SHOWN) + 10}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for number, row in enumerate(SHOWN):
        top = number * height + 20
        less = "less is better" if less_is_better(row) else "more is better"
        parts.append(f'<text x="10" y="{top}" font-weight="bold">{escape(row)} ({less})</text>')
        most = max(medians[row, peer.name] for peer in PEERS)
        for place, (peer, colour) in enumerate(zip(PEERS, COLOURS, strict=True)):
            y = top + 8 + place * (bar + 2)
            length = max(medians[row, peer.name] / most * (width - 300), 1)
            parts.append(f'<text x="10" y="{y + 14}">{escape(peer.name)}</text>')
            parts.append(
                f'<rect x="120" y="{y}" width="{length:.0f}" height="{bar}" fill="{colour}"/>'
            )
            value = _short(medians[row, peer.name])
            parts.append(f'<text x="{126 + length:.0f}" y="{y + 14}">{value}</text>')
    return "\n".join([*parts, "</svg>\n"])
