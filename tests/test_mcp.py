"""The page's work as tools for language models, through the client of the Model Context Protocol itself."""

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from ddpm import Pipeline
from ddpm.trajectory import to_uint8

TOOLS = {"generate", "trajectory", "emergence", "where", "evaluate", "compare", "gallery", "walk", "redraw"}


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
    tools = {tool.name: tool for tool in ask(address, lambda client: client.list_tools()).tools}
    assert set(tools) == TOOLS
    for tool in tools.values():
        assert len(tool.description) > 60
        for parameter in tool.inputSchema["properties"].values():
            assert parameter["description"]
    generate = tools["generate"]
    assert generate.description.startswith("Draw a 64x64 picture of a scene of colored objects")
    assert list(generate.inputSchema["properties"]) == ["labels", "seed", "sampler", "steps", "guidance"]


def picture(content: Any) -> np.ndarray:
    assert (content.type, content.mimeType) == ("image", "image/png")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content.data))))


def test_a_tool_draws_a_picture(address: str, pipeline: Pipeline) -> None:
    arguments = {"labels": ["red cube"], "seed": 5, "steps": 3, "format": "png"}
    answer = ask(address, lambda client: client.call_tool("trajectory", arguments))
    assert not answer.isError
    expected = to_uint8(pipeline.generate([["red cube"]], seed=5, steps=3)[0])
    np.testing.assert_array_equal(picture(answer.content[0]), expected)


def test_a_tool_gives_a_picture_and_a_report(address: str, pipeline: Pipeline) -> None:
    async def report(*_: Any) -> None:
        pass

    arguments = {"labels": ["red cube"], "seed": 5, "steps": 3}
    # Gradio 6.31 gives several results one by one only to a client that wants to hear of the progress.
    answer = ask(address, lambda client: client.call_tool("generate", arguments, progress_callback=report))
    expected = to_uint8(pipeline.generate([["red cube"]], seed=5, steps=3)[0])
    np.testing.assert_array_equal(picture(answer.content[0]), expected)
    assert "'found': {'red cube': 0.9" in answer.content[-1].text

    plain = ask(address, lambda client: client.call_tool("generate", arguments))
    assert "scene.png" in plain.content[0].text
    assert "'found': {'red cube': 0.9" in plain.content[0].text


def test_a_tool_says_what_was_wrong(address: str) -> None:
    answer = ask(address, lambda client: client.call_tool("generate", {"labels": ["red cub"]}))
    assert answer.isError
    assert "did you mean 'red cube'" in answer.content[0].text
