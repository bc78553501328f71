"""Where a request comes from, behind proxies too."""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any


def address(scope: MutableMapping[str, Any], headers: Any) -> str | None:
    """Where a request comes from, or None where that is this machine itself.

    Behind a proxy of this machine or its network, the last public address that proxies have noted counts, or the last
    one where all are of a private network.
    """
    peer = (scope.get("client") or ("",))[0]
    if _public(peer):
        return peer
    noted = [part for part in map(_bare, headers.get("x-forwarded-for", "").split(",")) if _is_another(part)]
    if noted:
        return next((part for part in reversed(noted) if _public(part)), noted[-1])
    return None if peer in ("", "127.0.0.1", "::1", "testclient") else peer


def _bare(noted: str) -> str:
    """An address as proxies note it, without a port: 1.2.3.4:80, [2606:4700::1]:443."""
    noted = noted.strip()
    if noted.startswith("["):
        return noted[1:].split("]")[0]
    return noted.split(":")[0] if noted.count(":") == 1 else noted


def _is_another(host: str) -> bool:
    """Whether this is an address, and not that of this machine itself."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return False


def _public(host: str) -> bool:
    return _is_another(host) and ip_address(host).is_global
