"""The steps of the Dockerfile, read from it and done in a clean Debian root, where no container engine runs.

    debootstrap --variant=minbase bookworm /tmp/root http://deb.debian.org/debian
    python -m benchmarks.clean_root /tmp/root --data-dir data --output-dir outputs --dataset lastfm-2k

Needs root. RUN, COPY, WORKDIR, USER and ENV are done with chroot; then the service is started as the image starts it,
the health check is run until it passes, and a list is asked for. FROM is the root itself. What an engine adds, layers,
networks and limits, is not shown. `--pip-from` names a folder of this machine, with wheels, that the root sees as well.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.utils.io import ROOT

NEEDED = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""Files of this machine by which the root reaches a package index, copied where they are there."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile: word and rest, continued lines joined.

    >>> list(instructions("# x\\nRUN a \\\\\\n  && b\\nUSER 5\\n"))
    [('RUN', 'a   && b'), ('USER', '5')]
    """
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


class CleanRoot:
    """A root folder in which instructions are done."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place, self.user = folder, "/", ""
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

    def command(self, words: Sequence[str]) -> list[str]:
        """A command as `chroot` runs it, in the folder and as the user of the instructions so far."""
        user = [f"--userspec={self.user}:{self.user}"] if self.user else []
        return ["chroot", *user, str(self.folder), "sh", "-c", f"cd {self.place} && exec {shlex.join(words)}"]

    def do(self, word: str, rest: str) -> None:
        """One instruction."""
        if word == "RUN":
            subprocess.run(self.command(["sh", "-c", rest]), env=self.environment, check=True)
        elif word == "COPY":
            self._copy(*rest.split())
        elif word == "WORKDIR":
            self.place = rest
            (self.folder / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            self.user = rest
        elif word == "ENV":
            self.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))

    def _copy(self, name: str, to: str) -> None:
        target = self.folder / self.place.lstrip("/") / to
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, target)


def answered(url: str, body: dict[str, object] | None = None) -> dict[str, object]:
    """The JSON that an address gives."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def prepare(root: CleanRoot, data_dir: Path, output_dir: Path, user: int) -> None:
    """What is not of the image: the way to the package index, and the mounted folders, here copies."""
    for name in NEEDED:
        if Path(name).exists():
            target = root.folder / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, target)
    for folder, name in ((data_dir, "data"), (output_dir, "outputs")):
        shutil.copytree(folder, root.folder / name, dirs_exist_ok=True)
    for path in [root.folder / "outputs", *(root.folder / "outputs").rglob("*")]:
        os.chown(path, user, user)


def main(argv: Sequence[str] | None = None) -> None:
    """Do the steps, start, check, ask, stop."""
    flags = argparse.ArgumentParser("python -m benchmarks.clean_root", description=__doc__)
    flags.add_argument("root", type=Path)
    flags.add_argument("--data-dir", type=Path, default=ROOT / "data")
    flags.add_argument("--output-dir", type=Path, default=ROOT / "outputs")
    flags.add_argument("--dataset", default="lastfm-2k")
    flags.add_argument("--pip-from", type=Path, nargs="*", default=[])
    given = flags.parse_args(argv)
    root, steps = CleanRoot(given.root), list(instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")))
    user = int(next(rest for word, rest in steps if word == "USER"))
    prepare(root, given.data_dir, given.output_dir, user)
    for folder in given.pip_from:
        shutil.copytree(folder, root.folder / str(folder).lstrip("/"), dirs_exist_ok=True)
    for word, rest in steps:
        print(f"{word} {rest}", flush=True)
        root.do(word, rest)
    said = dict(steps)
    start = [*json.loads(said["ENTRYPOINT"]), "--dataset", given.dataset]
    running = subprocess.Popen(root.command(start), env=root.environment)
    try:
        check = root.command(json.loads(re.split(r"\bCMD ", said["HEALTHCHECK"])[1]))
        while subprocess.run(check, env=root.environment, stderr=subprocess.DEVNULL, check=False).returncode:
            if running.poll() is not None:
                raise SystemExit("the service did not start")
            time.sleep(1)
        print("HEALTHCHECK passes", flush=True)
        while True:
            models = answered("http://127.0.0.1:8000/v1/models")
            if models["models"]:
                break
            time.sleep(1)
        lists = answered("http://127.0.0.1:8000/v1/recommend", {"k": 3})
        kept = answered("http://127.0.0.1:8000/v1/feedback", {"session": "s", "item": _first(lists), "kind": "like"})
        print(f"user {_user_of(running.pid)}; a list of {_first(lists)}, ...; feedback {kept}", flush=True)
    finally:
        running.terminate()
        code = running.wait(60)
    size = sum(
        path.lstat().st_size for path in given.root.rglob("*") if not path.is_relative_to(given.root / "outputs")
    )
    print(f"SIGTERM ends it with {code}; the root has {size / 2**20:.0f} MiB", flush=True)
    sys.exit(code)


def _first(lists: dict[str, object]) -> str:
    found: list[dict[str, list[dict[str, str]]]] = lists["lists"]  # type: ignore[assignment]
    return found[0]["items"][0]["item_id"]


def _user_of(process: int) -> int:
    return Path(f"/proc/{process}").stat().st_uid


if __name__ == "__main__":
    main()
