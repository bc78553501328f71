"""What every command's output goes through: terminals that cannot show a character, and readers that leave early."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from typing import NoReturn

GONE = (errno.EPIPE, errno.EINVAL)  # how Linux and Windows say that nobody reads any more


class _Pipe(io.FileIO):
    """Writes to a file descriptor until its reader has gone, and to nowhere from then on."""

    def write(self, data: object) -> int:
        """Write bytes; all count as written where nobody reads."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno not in GONE:
                raise
            return memoryview(data).nbytes  # type: ignore[arg-type]


def prepare() -> None:
    """Let output go on where it cannot be shown: "?" for what the encoding lacks, nothing where the reader has gone.

    So neither the locale nor `| head` ends a training, and files are still written.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):  # none at all, or a notebook's
            continue
        stream.flush()
        pipe = _Pipe(stream.fileno(), "w", closefd=False)
        at_once = stream.write_through  # with python -u
        buffer = pipe if at_once else io.BufferedWriter(pipe)
        text = io.TextIOWrapper(
            buffer,
            stream.encoding,
            "replace",
            line_buffering=stream.line_buffering,
            write_through=at_once,
        )
        setattr(sys, name, text)


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command and end the process with its exit status."""
    prepare()
    sys.exit(main())
