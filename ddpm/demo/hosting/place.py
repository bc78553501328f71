"""Where the page is served and where it keeps files: what is wrong there is said before anything is loaded."""

from __future__ import annotations

import getpass
import os
import socket
import tempfile
from pathlib import Path

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host(text: str) -> str:
    """The address to listen on, 127.0.0.1 for an empty text; of IPv6 in brackets, as Gradio wants it.

    Raises ValueError where this machine has none such.
    """
    if not text:
        return "127.0.0.1"
    text = _bare(text)
    try:
        found = socket.getaddrinfo(text, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(found[0][0]) as probe:
            probe.bind(found[0][4])
    except (OSError, UnicodeError):
        wanted = "127.0.0.1 for this machine alone, 0.0.0.0 for others too, or an address of this machine"
        raise ValueError(f"the host must be {wanted}, not {text[:60]!r}") from None
    return f"[{text}]" if ":" in text else text


def port(text: str, host: str = "127.0.0.1") -> int | None:
    """The port that a text names; None for an empty one, which leaves the choice to Gradio.

    Raises ValueError where it is no port, or where something else listens there.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise ValueError(f"the port must be a number from 1 to 65535, not {text[:40]!r}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name == "posix":  # elsewhere this would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_bare(host), int(text)))
        except OSError as error:
            raise ValueError(f"port {text} of {host} cannot be had: {error.strerror}; choose another one") from None
    return int(text)


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def keep_loopback_from_proxies() -> None:
    """Let no proxy of the environment stand between this program and itself: Gradio asks its server at the start."""
    for name in ("no_proxy", "NO_PROXY"):
        kept = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
        os.environ[name] = ",".join([*kept, *(host for host in LOOPBACK if host not in kept)])


def temporary_folder() -> Path:
    """A folder that takes Gradio's temporary files; Gradio is told by GRADIO_TEMP_DIR.

    On a machine of several users, the one that Gradio would take may belong to another: then it is one of one's own.
    Raises ValueError where none can be written.
    """
    named = os.environ.get("GRADIO_TEMP_DIR")
    shared = Path(tempfile.gettempdir()) / "gradio"
    folders = [Path(named)] if named else [shared, shared.with_name(f"gradio-{_user()}")]
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as inner, tempfile.TemporaryFile(dir=inner) as file:
                file.write(b"x" * 2**16)
        except OSError as error:
            problem = f"{folder} cannot take temporary files: {error.strerror}"
        else:
            os.environ["GRADIO_TEMP_DIR"] = str(folder)
            return folder
    raise ValueError(f"{problem}; set GRADIO_TEMP_DIR to a folder that can be written")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a number without a name, as in containers
        return str(os.getuid()) if hasattr(os, "getuid") else "user"
