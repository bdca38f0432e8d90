"""The README's table of settings, made from the settings themselves.

`python -m tests.readme` writes it into the README; a test holds that it is current.
"""

from pathlib import Path

from batchgate_server.settings.reference import reference

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = (
    "<!-- settings: made by `python -m tests.readme`, held by a test -->",
    "<!-- /settings -->",
)


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


def with_table(text: str) -> str:
    """The README's text with the table put in."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
