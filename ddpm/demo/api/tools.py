"""The endpoints as tools of the Model Context Protocol, mended where Gradio's own server keeps clients out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio.mcp
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client import handle_file
from gradio_client.utils import is_file_obj_with_meta

FILES = "/gradio_api/file="
"""What stands in the addresses of our files before their path."""


class Tools(gradio.mcp.GradioMCPServer):
    """Gradio's server, with plain schemas, results one by one for every client, and files by our own addresses."""

    def get_input_schema(
        self, tool_name: str, parameters: dict[str, str] | None = None
    ) -> tuple[dict[str, Any], list[list[str | int]]]:
        """The schema of a tool's arguments, and which of them are files."""
        schema, files = super().get_input_schema(tool_name, parameters)
        properties = {name: plain(about) for name, about in schema["properties"].items()}
        return {**schema, "properties": properties}, files

    async def _execute_tool_without_progress(self, job: Any) -> list[Any]:
        (result,) = await super()._execute_tool_without_progress(job)
        return list(result) if isinstance(result, (tuple, list)) else [result]

    def convert_strings_to_filedata(self, value: Any, filedata_positions: list[list[str | int]]) -> Any:
        """The arguments of a call, files being read from where their addresses say.

        Gradio fetches nothing from private addresses, as its own may be: what lies here is taken from the disk.
        """
        files = {path[0] for path in filedata_positions}
        here = {name: file for name, text in value.items() if name in files and (file := own_file(text))}
        return super().convert_strings_to_filedata(value, filedata_positions) if not here else {**value, **here}

    def postprocess_output_data(self, data: Any, root_url: str) -> list[Any]:
        """The results as MCP has them: pictures as pictures, and all that is no file as JSON."""
        texts = [item if _holds_files(item) else json.dumps(item, ensure_ascii=False) for item in data]
        flat = [part for item in texts for part in (item if isinstance(item, list) else [item])]
        return super().postprocess_output_data(flat, root_url)


def serve_plain_tools() -> None:
    """Let Gradio's next server of tools be ours."""
    gradio.mcp.GradioMCPServer = Tools  # type: ignore[misc]


def plain(about: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema for strict clients: one type, also where null means the same as leaving it out."""
    kinds = [kind for kind in about.get("oneOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        about = {**kinds[0], **{key: value for key, value in about.items() if key != "oneOf"}}
    if "enum" in about:
        about = {"type": "string", **about}
    if about["type"] == "string":  # Gradio describes a file by the keys of an object
        about = {key: value for key, value in about.items() if key not in ("required", "format")}
    return about


def own_file(address: Any) -> Any:
    """What an argument means by an address of one of our files, or None for all else."""
    path = urlsplit(address).path if isinstance(address, str) else ""
    if FILES not in path:
        return None
    file = unquote(path.split(FILES, 1)[1])
    if "\0" in file or not is_in_or_equal(file, get_upload_folder()) or not Path(file).is_file():
        return None
    return handle_file(file)


def _holds_files(item: Any) -> bool:
    return is_file_obj_with_meta(item) or (isinstance(item, list) and any(map(is_file_obj_with_meta, item)))
