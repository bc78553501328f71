"""The page's work as tools for language models, through the client of the Model Context Protocol itself."""

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jsonschema
import numpy as np
import pytest
from conftest import ENDPOINTS
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from ddpm import Pipeline
from ddpm.demo.api import tools
from ddpm.trajectory import to_uint8


def ask(address: str, work: Callable[[ClientSession], Awaitable[Any]]) -> Any:
    """Let `work` talk to the page's tools."""

    async def session() -> Any:
        async with (
            streamable_http_client(f"{address}gradio_api/mcp/") as (read, write, *_),
            ClientSession(read, write) as client,
        ):
            await client.initialize()
            return await work(client)

    with ThreadPoolExecutor(1) as other:  # this thread may be the one that drives the browser, with a loop of its own
        return other.submit(lambda: asyncio.run(session())).result()


def test_every_endpoint_is_a_tool_that_explains_itself(address: str) -> None:
    listed = {tool.name: tool for tool in ask(address, lambda client: client.list_tools()).tools}
    assert set(listed) == set(ENDPOINTS)
    for tool in listed.values():
        assert len(tool.description) > 60
        for parameter in tool.inputSchema["properties"].values():
            assert parameter["description"]
    generate = listed["generate"]
    assert generate.description.startswith("Draw a 64x64 picture of a scene of colored objects")
    assert list(generate.inputSchema["properties"]) == ["labels", "seed", "sampler", "steps", "guidance", "model"]


def picture(content: Any) -> np.ndarray:
    assert (content.type, content.mimeType) == ("image", "image/png")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content.data))))


def test_a_tool_draws_a_picture(address: str, pipeline: Pipeline) -> None:
    arguments = {"labels": ["red cube"], "seed": 5, "steps": 3, "format": "png"}
    answer = ask(address, lambda client: client.call_tool("trajectory", arguments))
    assert not answer.isError
    expected = to_uint8(pipeline.generate([["red cube"]], seed=5, steps=3)[0])
    np.testing.assert_array_equal(picture(answer.content[0]), expected)


@pytest.mark.parametrize("progress", [True, False])
def test_a_tool_gives_a_picture_and_a_report(address: str, pipeline: Pipeline, progress: bool) -> None:
    async def report(*_: Any) -> None:
        pass

    arguments = {"labels": ["red cube"], "seed": 5, "steps": 3}
    heard = report if progress else None
    answer = ask(address, lambda client: client.call_tool("generate", arguments, progress_callback=heard))
    expected = to_uint8(pipeline.generate([["red cube"]], seed=5, steps=3)[0])
    np.testing.assert_array_equal(picture(answer.content[0]), expected)
    assert json.loads(answer.content[-1].text)["found"] == {"red cube": 0.9}


def test_a_list_of_pictures_is_pictures(address: str, pipeline: Pipeline) -> None:
    arguments = {"labels": ["red cube"], "seed": 5, "steps": 3, "count": 2}
    answer = ask(address, lambda client: client.call_tool("gallery", arguments))
    shown = [picture(content) for content in answer.content if content.type == "image"]
    assert len(shown) == 3  # all in one, and each
    for image, seed in zip(shown[1:], (5, 6), strict=True):
        np.testing.assert_array_equal(image, to_uint8(pipeline.generate([["red cube"]], seed=seed, steps=3)[0]))


def test_what_one_tool_gives_another_takes(address: str) -> None:
    async def both(client: ClientSession) -> Any:
        drawn = await client.call_tool("generate", {"labels": ["red cube"], "steps": 2})
        url = drawn.content[1].text.removeprefix("Image URL: ")
        return url, await client.call_tool("evaluate", {"picture": url})

    url, answer = ask(address, both)
    assert url.startswith(address) and not answer.isError, answer
    assert json.loads(answer.content[0].text)["labels"] == ["red cube", "gray cylinder"]


@pytest.mark.parametrize("file", ["/etc/passwd", "../../etc/passwd", "%2Fetc%2Fpasswd", "nothing.png"])
def test_no_other_file_of_the_server_is_taken(address: str, file: str) -> None:
    picture = f"{address}gradio_api/file={file}"
    assert tools.own_file(picture) is None
    answer = ask(address, lambda client: client.call_tool("evaluate", {"picture": picture}))
    assert answer.isError


def keys(schema: Any) -> Iterator[tuple[str, Any]]:
    """Everything that stands anywhere in a schema."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield key, schema
            yield from keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from keys(value)


def test_the_schemas_are_plain(address: str) -> None:
    listed = ask(address, lambda client: client.list_tools()).tools
    over_http = {tool["name"]: tool["inputSchema"] for tool in httpx.get(f"{address}gradio_api/mcp/schema").json()}
    for tool in listed:
        schema = tool.inputSchema
        assert over_http[tool.name] == schema
        jsonschema.Draft202012Validator.check_schema(schema)
        assert set(schema) <= {"type", "properties", "required"}
        for parameter in schema["properties"].values():
            assert set(parameter) <= {"type", "items", "enum", "description", "default"}
        for key, place in keys(schema):
            assert key not in ("oneOf", "anyOf", "allOf", "$ref", "$defs")
            if key == "enum":
                assert place["type"] == "string" and all(isinstance(value, str) for value in place["enum"])


def test_a_tool_says_what_was_wrong(address: str) -> None:
    answer = ask(address, lambda client: client.call_tool("generate", {"labels": ["red cub"]}))
    assert answer.isError
    assert "did you mean 'red cube'" in answer.content[0].text
