"""The README's tables of settings and of metrics, made from what they tell of.

`python -m tests.readme` writes them into the README; a test holds that they are current.
"""

from pathlib import Path

from batchgate_server.metrics.definitions import DEFINITIONS
from batchgate_server.settings.reference import reference

README = Path(__file__).resolve().parent.parent / "README.md"


def settings_table() -> str:
    """The table in Markdown."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    # What has to be given comes first, within each table of the file.
    tables = [row.name.rpartition(".")[0] for row in reference()]
    ordered = sorted(
        reference(),
        key=lambda row: (tables.index(row.name.rpartition(".")[0]), row.default != "required"),
    )
    for row in ordered:
        default = f"`{row.default}`" if row.default not in {"", "required"} else row.default
        rows.append(f"| `{row.name}` | {default} | {row.meaning} |")
    rows += [
        "",
        "Its variable is `BATCHGATE_` and the setting in capitals, with `__` for each dot:",
    ]
    rows.append(
        "`BATCHGATE_PROVIDERS__AZURE_EU__API_VERSION` is `providers.azure-eu.api_version` if"
    )
    rows.append(
        "the file has a profile `azure-eu`; a new profile is called `azure_eu` then. Callers are set in"
    )
    rows.append("the file alone.")
    return "\n".join(rows)


def metrics_table() -> str:
    """The table in Markdown."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for one in DEFINITIONS:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        rows.append(f"| `{one.name}` | {one.kind} | {labels} | {one.meaning} |")
    return "\n".join(rows)


TABLES = {"settings": settings_table, "metrics": metrics_table}


def with_tables(text: str) -> str:
    """The README's text with the tables put in."""
    for name, table in TABLES.items():
        begin = f"<!-- {name}: made by `python -m tests.readme`, held by a test -->"
        end = f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{table()}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
