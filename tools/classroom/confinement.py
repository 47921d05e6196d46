"""The limits of a submission: what it may use and what it may not do.

They protect a class from mistakes and from a curious student, not from an attacker. To grade strangers, also run the
grader in a container.
"""

import contextlib
import os
import resource
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """The resources that a submission may use."""

    seconds: int = 60  # for the whole submission; then the process is killed
    cell_seconds: int = 20  # for a cell or a check; then it is interrupted and the next one runs
    megabytes: int = 2000  # memory on top of what the library uses
    characters: int = 1_000_000  # of output; anything printed beyond that is dropped
    file_megabytes: int = 20  # for the submission itself and for each file that it writes


LIMITS = Limits()
MOST_NOTES = 20

_FILES = {"open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.link", "os.symlink", "os.chmod"}
_PROGRAMS = {"subprocess.Popen", "socket.connect"} | {
    f"os.{name}" for name in ("system", "exec", "spawn", "posix_spawn", "fork", "forkpty", "kill", "killpg")
}


def guard(forbidden: list[Path], refused: list[str]) -> None:
    """Refuse, for the rest of this process, to open files under these folders and to start programs.

    This uses a Python audit hook, which cannot be removed. Each refused action is added to ``refused``.
    """

    def refuse(what: str) -> None:
        if len(refused) < MOST_NOTES:
            refused.append(f"tried {what}: refused")
        raise PermissionError("a submission may not do this")

    folders = [os.path.realpath(folder) + os.sep for folder in forbidden]

    def hook(event: str, args: tuple) -> None:
        if event in _PROGRAMS:
            refuse(event)
        for path in args[:2] if event in _FILES else ():
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path)) + os.sep
                if any(real.startswith(folder) for folder in folders):
                    refuse(f"to open {os.path.basename(real.rstrip(os.sep))}")

    sys.addaudithook(hook)


def confine(folder: Path, limits: Limits, forbidden: list[Path], refused: list[str]) -> None:
    """Apply the limits to this process and move it to its own empty folder."""
    os.setsid()
    os.chdir(folder)
    tempfile.tempdir = str(folder)
    if sys.platform == "linux":
        used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, used_bytes + limits.megabytes * 1_000_000)
    _lower(resource.RLIMIT_FSIZE, limits.file_megabytes * 1_000_000)
    _lower(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    guard(forbidden, refused)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def close_all_but(keep_open: int) -> None:
    """Close inherited file descriptors, through which a submission could disturb the fork server."""
    for number in [int(name) for name in os.listdir("/dev/fd")]:
        if number > 2 and number != keep_open:
            with contextlib.suppress(OSError):
                os.close(number)
