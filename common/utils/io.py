"""Files that are written whole or not at all, and the hashes that tell them apart."""

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from common.utils.errors import UserError
from common.utils.temporary import prefix

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
LOCKED_BYTE = 2**30


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without an error.

    A crash or a full disk leaves the file that was there before. The temporary name keeps the suffix, since
    some writers choose the format by it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=prefix(path.stem), suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; free some space or choose another folder") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:  # Windows syncs no file that is open for reading alone
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; what was there before is unchanged"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def lock(file: BinaryIO) -> None:
    """Hold a file that is open for writing until it is closed; OSError where another process holds it."""
    try:
        import fcntl
    except ImportError:  # Windows, where what is locked cannot be read: a byte far beyond the end is
        import msvcrt

        file.seek(LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_checked(path: Path, content: bytes) -> str:
    """Write bytes; returns their SHA-256, for `read_checked`."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_checked(path: Path, sha256: str) -> bytes:
    """The content of a file; ValueError where it is not the one whose hash was noted."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("its hash is not the one noted beside it")
    return content


def write_parquet(path: Path, frame: "pd.DataFrame") -> None:
    """Write a table without its index."""
    with atomic(path) as temporary:
        frame.to_parquet(temporary, index=False)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON: a NaN or infinite number becomes null, keys keep their order."""
    write_text(path, json.dumps(strict(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or broken one is the user's to mend."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); delete it and run the step again") from error


def read_parquet(path: Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read a table, or some columns of it, categories sorted; a missing or broken file is the user's to mend."""
    import pandas as pd

    try:
        frame = pd.read_parquet(path, columns=columns)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run the step that writes it again") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:  # of damaged notes of pandas, too
        raise UserError(f"{path} is not a readable parquet file; delete it and run the step again") from error
    for name in frame.select_dtypes("category"):
        # Large ones come back in the order of their first rows, and sorting rows goes by this order.
        frame[name] = frame[name].cat.set_categories(sorted(frame[name].cat.categories))
    return frame


def strict(value: Any) -> Any:
    """A value as strict JSON gives it back: plain Python, None for a number that is not finite."""
    if isinstance(value, dict):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def display(path: Path) -> str:
    """A path as messages show it: relative to the working folder where it lies below it."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def free_bytes(path: Path) -> int:
    """Bytes that are free on the disk of a path, which need not be there yet."""
    path = path.resolve()
    return shutil.disk_usage(next(place for place in (path, *path.parents) if place.exists())).free


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
