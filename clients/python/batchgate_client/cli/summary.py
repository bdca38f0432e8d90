"""How a batch has ended: rows, tokens, where the results are."""

import json
from pathlib import Path

from batchgate.v1.batch_pb2 import Batch, BatchUsage
from batchgate_client.cli.output import Output, json_text
from batchgate_client.cli.result_rows import USAGE, Tally
from batchgate_client.cli.wording import counts_text, state_text, usage_text

MINUTE, HOUR = 60, 3600


def summarize(output: Output, batch: Batch, tally: Tally, path: Path, *, seconds: float) -> None:
    """A table for people, one object for programs."""
    usage = batch.usage if batch.HasField("usage") else BatchUsage(**tally.usage)
    if output.as_json:
        rows = {"path": str(path), **tally.facts()}
        tokens = {name: getattr(usage, name) for name in USAGE}
        facts = {"batch": json.loads(json_text(batch)), "results": rows, "usage": tokens}
        output.raw(json.dumps(facts, ensure_ascii=False))
        return
    reasons = tally.reason_lines()
    known = bool(usage.total_tokens or usage.input_tokens or usage.output_tokens)
    output.facts(
        [
            ("batch", f"{batch.id}, {state_text(batch)}"),
            ("rows", f"{tally.succeeded:,} succeeded, {tally.failed:,} failed"),
            *(("failed" if not number else "", line) for number, line in enumerate(reasons)),
            *([("counts", counts_text(batch.request_counts))] if not tally.rows else []),
            *([("tokens", usage_text(usage))] if known else []),
            *([("results", str(path))] if tally.rows else []),
            ("took", duration_text(seconds)),
        ]
    )


def duration_text(seconds: float) -> str:
    """`12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
