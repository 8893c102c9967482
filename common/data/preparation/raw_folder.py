"""A folder of raw logs with a `raw.toml`, which says how they are read, as a data set."""

from pathlib import Path

from common.data.preparation.settings import RAW_TOML, read_raw_toml
from common.utils.errors import UserError


def is_raw_folder(folder: Path) -> bool:
    """Whether a folder holds raw logs and says how they are read."""
    return (folder / RAW_TOML).is_file()


def prepare_raw_folder(folder: Path, out: Path) -> None:
    """Prepare the logs of a folder into `out`; nothing is done where that has happened and nothing has changed.

    Raises a UserError for mistakes in `raw.toml`, naming it, and for what `prepare` refuses.
    """
    from common.data.preparation.pipeline import prepare

    path = folder / RAW_TOML
    settings, names = read_raw_toml(path)
    files: list[Path] = []
    for name in names:
        try:
            found = [folder] if name == "." else sorted(folder.glob(name))
        except (ValueError, NotImplementedError, IndexError):  # an absolute or empty pattern
            found = []
        if not found:
            raise UserError(f"{path}: files = {name!r} names nothing in {folder}; give names or patterns below it")
        files += found
    prepare(files, out, settings)
