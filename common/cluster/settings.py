"""The flags of commands that have two engines."""

import re
from dataclasses import dataclass

from common.utils.errors import UserError, check_known, short

ENGINES = LOCAL, SPARK = "local", "spark"
MEMORY = r"[1-9]\d*[mg]"


@dataclass(frozen=True)
class EngineSettings:
    """Which engine does the work, and where."""

    engine: str = LOCAL
    """local, or spark: on the cluster of --master (docs/cluster.md)."""
    master: str = "local[*]"
    """With --engine spark: spark://HOST:PORT of a standalone cluster, or local[N], N threads on this machine."""
    executor_memory: str = "1g"
    """With --engine spark: memory of one executor, such as 800m or 4g; under local[N], of all threads together."""

    def check_engine(self) -> None:
        """Raise a UserError for the first of these flags that makes no sense."""
        check_known("engine", ENGINES, self.engine)
        if not re.fullmatch(MEMORY, self.executor_memory):
            raise UserError(f"--executor-memory {short(self.executor_memory)}: give whole m or g, such as 800m or 4g")
        usual = EngineSettings()
        if self.engine == LOCAL and (self.master, self.executor_memory) != (usual.master, usual.executor_memory):
            raise UserError("--master and --executor-memory are for --engine spark: add it, or leave them out")
