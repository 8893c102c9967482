"""The time that a list is asked for, as people write it, and who makes use of it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from common.serving.service import RecommendationService
from common.splits.request_time import hour_of_week
from common.utils.errors import UserError, short


def hour_of(text: str) -> int:
    """The hour of the week (`request_time.hour_of_week`) of `now` or an ISO time; without a zone it is UTC.

    Raises a UserError for anything else.

    >>> hour_of("2024-05-03T22:00"), hour_of("2024-05-03 22:00+02:00")  # a Friday
    (118, 116)
    """
    if text.strip().casefold() == "now":
        return hour_at(datetime.now(UTC))
    try:
        return hour_at(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        raise UserError(f"--when {short(text)}: give now, or a time such as 2024-05-03T22:00 (UTC)") from None


def hour_at(when: datetime) -> int:
    """The hour of the week of a time; one without a zone is UTC."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return int(hour_of_week(np.array(int(aware.timestamp()))))


def check_it_counts(service: RecommendationService, names: Sequence[str]) -> None:
    """Raise a UserError where the time that a list is asked for changes none of these models' lists."""
    where = f"{service.protocol!r} of {service.model_store.dataset}"
    if not service.store.data.has_times(service.protocol):
        raise UserError(f"--when: {where} has no time of each interaction, so no list depends on one; leave it out")
    if not any(_goes_by_it(service, name, len(names)) for name in names):
        raise UserError(
            f"--when: {', '.join(names)} of preset {service.model_store.preset!r} knows no time of day; train forest, "
            "hist_gradient or hybrid_listnet with --preset context on data with times of day, and ask with that preset"
        )


def _goes_by_it(service: RecommendationService, name: str, of: int) -> bool:
    """Whether a model knows hours; of several each is freed before the next is opened."""
    found = service.model(name).knows_hours
    if of > 1:
        service.forget(name)
    return found
