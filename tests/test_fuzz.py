"""Whatever is sent to the page's routes, it answers: no error of ours, and no traceback in its log."""

import os

import httpx
import pytest
from conftest import ENDPOINTS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CALLS = int(os.environ.get("FUZZ_CALLS", "150"))  # `make soak` sends 2,000
PAGE = ["draw", "where", "save", "compare", "gallery", "walk", "edit", "objects"]
NAMES = (*ENDPOINTS, "run", "x", *(f"page_{name}" for name in PAGE))

words = st.sampled_from(["red cube", "cyan sphere", "ddpm", "dpm++", "png", "", "../../etc/passwd", "\x00"])
leaves = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), words, st.text(max_size=20))
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
files = st.fixed_dictionaries({"path": words, "meta": st.just({"_type": "gradio.FileData"})})
data = st.lists(values | files, max_size=12)
joined = st.fixed_dictionaries(
    {
        "data": data | values,
        "fn_index": st.integers(-2, 80) | leaves,
        "session_hash": st.uuids().map(str) | leaves,
        "event_data": values,
    }
)
calls = st.sampled_from([f"call/{name}" for name in NAMES])
requests = st.one_of(
    st.tuples(calls, st.fixed_dictionaries({"data": data}) | values),
    st.tuples(st.just("queue/join"), joined | values),
    st.tuples(st.sampled_from([f"{way}/{name}" for way in ("run", "api") for name in NAMES]), joined | values),
    st.tuples(st.sampled_from(["cancel", "reset", "component_server", "upload", "queue/data"]), joined | values),
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_any_request_is_answered_and_leaves_no_traceback(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    @settings(max_examples=CALLS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(requests)
    def send(request) -> None:
        import orjson

        path, body = request
        try:
            content = orjson.dumps(body)
        except (TypeError, ValueError):  # numbers beyond 64 bits, lone surrogates
            import json

            content = json.dumps(body).encode()
        with httpx.Client(base_url=address, timeout=20) as client:
            reply = client.post(f"/gradio_api/{path}", content=content, headers={"content-type": "application/json"})
        assert reply.status_code < 500 or reply.status_code in (501, 503), (path, body, reply.text[:300])
        assert len(reply.content) < 20_000

    send()
    assert httpx.get(address, timeout=20).status_code == 200
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err, (out + err)[-3000:]
