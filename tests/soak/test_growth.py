"""Growth is seen, and noise is none; the picture is well-formed and shows all."""

from xml.etree import ElementTree as ET

import pytest

from tests.soak.growth import Allowed, growth
from tests.soak.picture import Panel, picture

FLAT = [(float(at), 100.0 + at % 7) for at in range(100)]
RISING = [(at, value + at / 2) for at, value in FLAT]
LATE = [(at, value + (60 if at > 70 else 0)) for at, value in FLAT]
EARLY = [(at, 0.0 if at < 15 else value) for at, value in FLAT]
PEAKS = [(at, value * (10 if at % 10 == 9 else 1)) for at, value in FLAT]


@pytest.mark.parametrize(
    ("series", "bounded"),
    [(FLAT, True), (EARLY, True), (PEAKS, True), (RISING, False), (LATE, False)],
    ids=["flat", "warming up", "peaks", "rising", "late"],
)
def test_growth(series: list[tuple[float, float]], bounded: bool) -> None:
    assert growth(series, Allowed(amount=16)).bounded is bounded


def test_what_is_allowed() -> None:
    found = growth(RISING, Allowed(share=0.5))
    assert found.bounded
    assert found.most == pytest.approx(found.first * 1.5)


@pytest.mark.parametrize("series", [[], [(0.0, 1.0)], [(0.0, 1.0), (1.0, 1.0)]])
def test_too_little_to_tell(series: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="too few"):
        growth(series, Allowed())


def test_the_picture() -> None:
    panel = Panel(
        "Memory & more", {"memory": FLAT, "other": RISING}, {"memory": growth(FLAT, Allowed())}
    )
    root = ET.fromstring(picture("A <title>", "sub", [panel, panel]))  # noqa: S314 - our own
    texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "A <title>" in texts
    assert texts.count("Memory & more") == 2
    assert any(text.startswith("memory: 103") for text in texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 4
