"""Values of labels: no more of them than a time series database can hold."""

OTHER = "other"


class Bounded:
    """Lets so many different values through; all that come later are "other"."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {"": ""}

    def __call__(self, value: str) -> str:
        """The value, or "other"."""
        known = self._known.get(value)
        if known is not None:
            return known
        if len(self._known) > self._most:
            return OTHER
        self._known[value] = value
        return value
