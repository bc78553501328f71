"""Where the page is served and where it keeps files: what is wrong there is said before anything is loaded."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path


def port(text: str) -> int | None:
    """The port that a text names; None for an empty one, which leaves the choice to Gradio.

    Raises ValueError where it is no port, or where something else listens there.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise ValueError(f"PORT must be a number from 1 to 65535, not {text[:40]!r}")
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name == "posix":  # elsewhere this would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(text)))
        except OSError as error:
            raise ValueError(f"port {text} of {host} cannot be had: {error.strerror}; choose another PORT") from None
    return int(text)


def check_temporary_folder() -> None:
    """Raise ValueError where the folder of Gradio's temporary files cannot be written."""
    folder = Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 2**16)
    except OSError as error:
        hint = "set GRADIO_TEMP_DIR to a folder that can be written"
        raise ValueError(f"{folder} cannot take temporary files: {error.strerror}; {hint}") from None
