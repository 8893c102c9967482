"""How large the generated data set is, and of what character."""

from dataclasses import dataclass
from typing import Annotated

from common.utils.errors import LARGEST
from common.utils.settings import ADDED, Range, check_ranges

Share = Annotated[float, Range(0.0, 1.0)]


@dataclass(frozen=True)
class SyntheticSettings:
    """Size and character of the generated data; the defaults resemble Last.fm-2K."""

    users: Annotated[int, Range(2, 10_000_000)] = 1892
    """How many listeners."""
    items: Annotated[int, Range(1, 10_000_000)] = 17632
    """How many tracks."""
    seed: Annotated[int, Range(0, LARGEST)] = 0
    """The same seed and settings give the same tables."""
    max_items_per_user: Annotated[int, Range(0, 1_000_000)] = 50
    """Keep only each user's most played tracks; 0 keeps all."""
    tracks_per_user: Annotated[int, Range(1, 1_000_000)] = 110
    """About how many tracks a user knows before that cut; never more than a third of the catalogue."""
    days: Annotated[int, Range(1, 10_000)] = 730
    """Length of the listening period, which ends with 2023; music must exist before it."""
    drift: Share = 0.5
    """How far taste moves over the period: 0 stays, 1 ends unrelated to its beginning but for the chart."""
    noise: Annotated[float, Range(0.0, 5.0)] = 1.2
    """Standard deviation of log plays that nothing explains, before the cut; beyond 5 plays would overflow."""
    version_share: Share = 0.06
    """Share of tracks that are a live, remix, remastered or acoustic version of another; about half at most."""
    missing_audio: Share = 0.15
    """Share of tracks without audio features."""
    tagged_share: Share = 0.3
    """Share of the pairs a user plays that the user also tags."""
    daily_rhythm: Annotated[float, Range(0.0, 1.0), ADDED] = 0.0
    """Share of the listening sessions that are held at the hour of day (UTC) of their music."""

    def check(self) -> None:
        """Raise a `UserError` that names the flag if a setting makes no sense."""
        check_ranges("synthetic", self)
