"""What the page without a server takes from the npm registry: pinned versions, checked by their hashes."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ddpm.checkpoint import write_whole


@dataclass(frozen=True)
class Package:
    """A package of the npm registry.

    integrity: sha512 of its archive in base64, as the registry gives it. files: those that are used, by their new name.
    """

    name: str
    version: str
    integrity: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "onnxruntime-web",
        "1.30.0",
        "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
        {
            name: f"dist/{name}"
            for name in (
                "ort.wasm.min.mjs",
                "ort-wasm-simd-threaded.mjs",
                "ort-wasm-simd-threaded.wasm",
                "ort.webgpu.min.mjs",
                "ort-wasm-simd-threaded.asyncify.mjs",
                "ort-wasm-simd-threaded.asyncify.wasm",
            )
        },
    ),
    Package(
        "fflate",
        "0.8.3",
        "tbZNuJrLwGUp3zshBtdy4W+ORxZuIh8a5ilyIEQDC5rY1f3U20JMry0Ll3WBzU58EZKsEuJFXhb5gwv8CsPvgA==",
        {"fflate.js": "esm/browser.js", "fflate-LICENSE": "LICENSE"},
    ),
    Package(
        "gifenc",
        "1.0.3",
        "xdr6AdrfGBcfzncONUOlXMBuc5wJDtOueE3c5rdG0oNgtINLD+f2iFZltrBRZYzACRbKr+mSVU/x98zv2u3jmw==",
        {"gifenc.js": "dist/gifenc.esm.js", "gifenc-LICENSE": "LICENSE.md"},
    ),
)

RUNTIME = {
    "wasm": ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
"""ONNX Runtime Web by what it runs on: its script, what that script loads, and the program in WebAssembly."""

TIMEOUT = 60  # seconds of silence


def write_packages(folder: Path, cache: Path) -> dict[str, dict[str, str]]:
    """Write the files of PACKAGES into a folder, and return where each of RUNTIME is, for models.json.

    cache: keeps the archives. Raises OSError without a network, ValueError for an archive that is another one.
    """
    for package in PACKAGES:
        with tarfile.open(fileobj=io.BytesIO(archive(package, cache))) as files:
            for name, source in package.files.items():
                found = files.extractfile(f"package/{source}")
                assert found is not None  # by the hash
                (folder / name).write_bytes(found.read())
    return {
        kind: {"script": script, "glue": glue, "binary": binary} for kind, (script, glue, binary) in RUNTIME.items()
    }


def archive(package: Package, cache: Path) -> bytes:
    """The archive of a package, from the cache or the registry, for which NPM_CONFIG_REGISTRY can name another one."""
    file = cache / f"{package.name}-{package.version}.tgz"
    if not file.is_file():
        registry = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
        with urllib.request.urlopen(f"{registry}/{package.name}/-/{file.name}", timeout=TIMEOUT) as answer:
            data = answer.read()
        cache.mkdir(parents=True, exist_ok=True)
        write_whole(file, lambda path: path.write_bytes(data))
    data = file.read_bytes()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != package.integrity:
        file.unlink()
        raise ValueError(f"{file.name} is not the archive that is expected; it was deleted, so try again")
    return data
