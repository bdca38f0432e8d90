"""A configuration in one call, and its problems."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from batchgate_server.settings import ConfigurationError, Settings, load_settings

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load TOML text (if any), variables and overrides, and nothing of this process's own."""

    def load(
        toml: str | None = None,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Settings:
        config = None
        if toml is not None:
            config = tmp_path / "batchgate.toml"
            config.write_text(toml)
        return load_settings(config=config, environment=environment or {}, overrides=overrides)

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """The same, for a configuration that must be refused: place → message."""

    def problems(
        toml: str | None = None,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> dict[str, str]:
        with pytest.raises(ConfigurationError) as caught:
            load(toml, environment, overrides)
        found = caught.value.problems
        places = [problem.place for problem in found]
        assert len(places) == len(set(places)), f"a place is told twice: {caught.value}"
        lines = str(caught.value).splitlines()
        assert lines == [f"{problem.place}: {problem.message}" for problem in found]
        return {problem.place: problem.message for problem in found}

    return problems
