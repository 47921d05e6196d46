"""TensorFlow's own log lines, kept out of terminals and notebooks; nothing else is silenced."""

import logging
import os
import re
import sys
import tempfile
from contextlib import contextmanager

# "W0000 00:00:1795400735.767350    4193 port.cc:153] …" or "2026-01-31 12:00:00.000001: I path/port.cc:153] …".
# A fatal line (F) passes.
_LOG_LINE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|[IWE]\d{4} \d\d:\d\d:[\d.]+\s+\d+ \S+:\d+\] "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] \S+:\d+\] "
)


@contextmanager
def tensorflow_log_silenced():
    """Hold back what is written to standard error meanwhile; in the end let all but TensorFlow's log lines pass.

    Once loaded, TensorFlow heeds ``TF_CPP_MIN_LOG_LEVEL`` (kept, where a person set it). While it loads it does not
    (tensorflow/tensorflow#100442), and its C++ code writes to file descriptor 2, past `sys.stderr`.
    Its Python logger, which warns of each model that is compiled after a few others, is left to errors.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":  # JAX sets 1 where it is loaded first
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    logging.getLogger("tensorflow").addFilter(_is_error)  # TensorFlow sets the logger's level itself
    try:
        real = os.dup(2)
    except OSError:  # a program without standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        _flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not _LOG_LINE.match(line):
                    os.write(2, line)


def _is_error(record):
    return record.levelno >= logging.ERROR


def _flush():
    if sys.stderr is not None:
        sys.stderr.flush()
