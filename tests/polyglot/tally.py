"""How many steps each program has done, for the last lines of a run."""

from collections import Counter

import pytest

STEPS = pytest.StashKey[Counter[str]]()
