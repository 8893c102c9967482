"""A picture of the page, taken by a Chromium that is installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from common.utils.errors import UserError
from common.utils.io import atomic

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LONGEST = 120


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def screenshot(page: Path | str, picture: Path, width: int = 1280, height: int = 2600) -> None:
    """Write a PNG of the first `height` pixels of a page, a file or an address, at a window `width` pixels wide."""
    browser = find_chromium()
    if browser is None:
        raise UserError(
            f"--screenshot needs Chromium, and none of {', '.join(NAMES)} is installed; open {page} yourself"
        )
    with atomic(picture) as temporary, tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        command += [f"--user-data-dir={profile}", f"--window-size={width},{height}", "--virtual-time-budget=8000"]
        command += [f"--screenshot={temporary}", page if isinstance(page, str) else page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            done = None
        if done is None or done.returncode or not temporary.stat().st_size:
            raise UserError(f"{browser} took no picture of {page}; open the page yourself")
