"""What a submission may use, and what it may not do.

This protects a class from mistakes and from a curious student, not from an attacker: whoever grades strangers runs the
grader in a container besides.
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
    """What a submission may use."""

    seconds: int = 60  # in all; then the process is killed
    cell_seconds: int = 20  # a cell, or a check; then it is interrupted and the next one runs
    megabytes: int = 2000  # memory beyond what the library takes
    characters: int = 1_000_000  # of output; what is printed beyond is dropped
    file_megabytes: int = 20  # the submission itself, and any file that it writes


LIMITS = Limits()
MOST_NOTES = 20

_FILES = {"open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.link", "os.symlink", "os.chmod"}
_PROGRAMS = {"subprocess.Popen", "socket.connect"} | {
    f"os.{name}" for name in ("system", "exec", "spawn", "posix_spawn", "fork", "forkpty", "kill", "killpg")
}


def guard(forbidden: list[Path], refused: list[str]) -> None:
    """Refuse, for the rest of this process, to open what lies under these folders and to start programs.

    An audit hook of Python cannot be removed. What was refused is added to the list.
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
    """Put this process under its limits, in an empty folder of its own."""
    os.setsid()
    os.chdir(folder)
    tempfile.tempdir = str(folder)
    if sys.platform == "linux":
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, taken + limits.megabytes * 1_000_000)
    _lower(resource.RLIMIT_FSIZE, limits.file_megabytes * 1_000_000)
    _lower(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    guard(forbidden, refused)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def close_all_but(kept: int) -> None:
    """Close what this process inherited: through it a submission could disturb the server of the processes."""
    for number in [int(name) for name in os.listdir("/dev/fd")]:
        if number > 2 and number != kept:
            with contextlib.suppress(OSError):
                os.close(number)
