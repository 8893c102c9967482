"""Which Java a Spark session would start, and whether it will do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from common.utils.errors import UserError

OLDEST, NEWEST = 17, 25
"""Major versions of Java that Spark 4 runs on."""
REMEDY = "install Java 17 (Debian: apt-get install openjdk-17-jre-headless) and let JAVA_HOME name its folder"
STARTS_IN = 30.0
"""Seconds within which Java has to say its version."""


def check_java() -> None:
    """Raise a UserError where Spark would find no Java, or one that it does not run on."""
    program = _program()
    version = _major_version(program)
    if not OLDEST <= version <= NEWEST:
        raise UserError(f"{program} is Java {version}, and Spark needs {OLDEST} to {NEWEST}; {REMEDY}")


def _program() -> str:
    """The java that Spark's own scripts choose: that of JAVA_HOME, or else the first on PATH."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else "java"
    found = shutil.which(program)
    if found is None:
        where = f"JAVA_HOME={home} holds no bin/java" if home else "there is no java on PATH"
        raise UserError(f"--engine spark needs Java, and {where}; {REMEDY}")
    return found


def _major_version(program: str) -> int:
    """17 of 'openjdk version "17.0.15" 2025-04-15', and 8 of '1.8.0_392'."""
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=STARTS_IN, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{program} does not run ({error}); {REMEDY}") from error
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    if found is None:
        raise UserError(f"{program} -version names no version of Java; {REMEDY}")
    return int(found[1])
