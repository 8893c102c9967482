"""The models by class, each imported when first used: `from common.models import ALS, SASRec`."""

from typing import Any


def __getattr__(name: str) -> Any:
    """A model class of the registry."""
    from common.models.registry import ENTRIES

    for entry in ENTRIES:
        if entry.kind == name:
            return entry.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names of the model classes."""
    from common.models.registry import ENTRIES

    return [entry.kind for entry in ENTRIES]
