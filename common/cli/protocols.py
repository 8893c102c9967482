"""The protocols that a data set allows, a line each; stderr says why others are passed over."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name, load_split
from common.utils.errors import UserError, check_known
from common.utils.logs import log_to
from common.utils.terminal import show


@dataclass(frozen=True)
class Settings(DataSettings):
    """Print which protocols a data set allows, and draw their splits."""

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    """Which protocols to try."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, *self.protocols)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Try each protocol; exit code 0, whichever of them can be drawn."""
    settings = parse(Settings, argv)
    log_to(sys.stderr)  # stdout: names alone
    data = settings.load_data()
    for protocol in settings.protocols:
        try:
            load_split(data, folder_name(protocol, settings.split_seed))
        except UserError as impossible:
            logging.getLogger(__name__).info("%s is passed over: %s", protocol, impossible)
        else:
            show(protocol)
