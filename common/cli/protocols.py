"""The protocols that a data set allows, each on a line of stdout; stderr says why the others are passed over."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.data.dataset import load_dataset
from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name, load_split
from common.utils.errors import UserError, unknown_name


@dataclass(frozen=True)
class Settings(DataSettings):
    """Print which protocols a data set allows, and draw their splits."""

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    """Which protocols to try."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        for name in self.protocols:
            if name not in PROTOCOLS:
                raise unknown_name("protocol", name, PROTOCOLS)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Try each protocol; exit code 0, whichever of them can be drawn."""
    settings = parse(Settings, argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)  # stdout: names alone
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    for protocol in settings.protocols:
        try:
            load_split(data, folder_name(protocol, settings.split_seed))
        except UserError as impossible:
            logging.getLogger(__name__).info("%s is passed over: %s", protocol, impossible)
        else:
            print(protocol)
