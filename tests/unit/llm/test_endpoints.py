"""Several servers of one model: who is asked, what happens to those that fail, and when there is nobody left."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler

import pytest
from tests.faulty_server import OK, Script, hang_up, serving, slow

from ilab.errors import EngineError, TeacherError
from ilab.llm import endpoints
from ilab.llm.endpoints import Endpoints
from ilab.llm.http import HttpChatModel
from ilab.llm.limit import Limit
from ilab.llm.pool import run_ordered
from ilab.llm.port import GenerationParams
from ilab.records.messages import user

HELLO = [user("hi")]
PARAMS = GenerationParams()
GOOD = (200, {}, OK)


def over(*urls: str, ceiling: int = 8, retries: int = 4, timeout: float = 5) -> Endpoints:
    models = [HttpChatModel(url, model="m", timeout=timeout) for url in urls]
    return Endpoints(models, limit=Limit(ceiling), retries=retries)


def ask(model: Endpoints, times: int, *, workers: int = 8) -> list[str]:
    return run_ordered(range(times), lambda _: model.chat(HELLO, PARAMS).text, workers=workers)


def test_a_slow_server_gets_fewer_requests_than_a_fast_one() -> None:
    lame, quick = Script(slow(0.2)), Script(slow(0.01))
    with serving(lame) as first, serving(quick) as second:
        assert ask(over(first, second, ceiling=4), 30, workers=4) == ["Ankaa"] * 30
    assert len(lame.asked) + len(quick.asked) == 30
    assert 0 < len(lame.asked) < len(quick.asked) / 2


@pytest.mark.parametrize("fault", [(500, {}, "boom"), hang_up, (200, {}, "<html>"), (429, {}, "slow down")])
def test_what_one_server_fails_another_does(fault: object) -> None:
    bad, good = Script(fault), Script(GOOD)  # type: ignore[arg-type]
    with serving(bad) as first, serving(good) as second:
        assert ask(over(first, second), 20, workers=2) == ["Ankaa"] * 20
    assert len(bad.asked) <= 6, "a server that fails in a row is left out"


def test_a_server_that_hangs_is_left_for_another() -> None:
    with serving(Script(slow(2))) as first, serving(Script(GOOD)) as second:
        began = time.monotonic()
        assert over(first, second, timeout=0.2).chat(HELLO, PARAMS).text == "Ankaa"
        assert time.monotonic() - began < 1.5


def test_a_server_that_comes_back_is_asked_again() -> None:
    healed = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        slow(0.01)(handler) if healed.is_set() else hang_up(handler)

    sick, well = Script(answer), Script(slow(0.05))
    with serving(sick) as first, serving(well) as second:
        model = over(first, second)
        ask(model, 10, workers=4)
        healed.set()
        time.sleep(1.1)
        before = len(sick.asked)
        ask(model, 10, workers=4)
    assert len(sick.asked) > before + 1


def test_when_no_server_answers_each_is_named_with_its_failure() -> None:
    with ExitStack() as servers:
        urls = [servers.enter_context(serving(Script((500, {}, f"boom {number}")))) for number in range(2)]
        with pytest.raises(TeacherError) as caught:
            ask(over(*urls, retries=3), 8)
    assert len(caught.value.details) == 2
    assert "boom 0" in caught.value.details[0] and "boom 1" in caught.value.details[1]


def test_the_only_server_is_tried_again_as_often_as_told() -> None:
    script = Script((503, {"Retry-After": "0"}, "busy"))
    with serving(script) as url, pytest.raises(TeacherError, match="503: busy after 3 tries"):
        over(url, retries=2).chat(HELLO, PARAMS)
    assert len(script.asked) == 3


def test_retry_after_holds_back_every_request_and_fewer_go_at_once() -> None:
    asked_at: list[float] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked_at.append(time.monotonic())
        if len(asked_at) > 1:
            slow(0.01)(handler)
            return
        handler.send_response(429)
        handler.send_header("Retry-After", "0.6")
        handler.send_header("content-length", "0")
        handler.end_headers()

    limit = Limit(8)
    with serving(Script(answer)) as url:
        model = Endpoints([HttpChatModel(url, model="m")], limit=limit)
        first = threading.Thread(target=lambda: model.chat(HELLO, PARAMS))
        first.start()
        time.sleep(0.2)
        assert limit.room == 4
        ask(model, 6)
        first.join()
    assert asked_at[1] - asked_at[0] >= 0.55
    assert len(asked_at) == 8


def test_a_dead_engine_ends_the_tries_at_once() -> None:
    def watch() -> None:
        raise EngineError("the engine died")

    script = Script((500, {}, "boom"))
    with serving(script) as url, pytest.raises(EngineError, match="died"):
        Endpoints([HttpChatModel(url, model="m", watch=watch)], limit=Limit(2)).chat(HELLO, PARAMS)
    assert len(script.asked) == 1


def test_no_key_and_no_password_is_shown() -> None:
    with serving(Script((401, {}, "wrong key"))) as url:
        address = url.replace("://", "://me:hidden@")
        model = Endpoints([HttpChatModel(address, model="m", api_key="secret-key")], limit=Limit(2))
        with pytest.raises(TeacherError) as caught:
            model.chat(HELLO, PARAMS)
    told = f"{model!r} {caught.value!r} {caught.value.hint}"
    assert "secret-key" not in told and "hidden" not in told


# --- connect ---


def listing(*names: str) -> tuple[int, dict[str, str], object]:
    return (200, {}, {"data": [{"id": name} for name in names]})


def connect(*urls: str, model: str = "") -> Endpoints:
    return endpoints.connect(urls, model=model, flag="--teacher-model", api_key="", limit=Limit(4))


def test_servers_of_two_models_are_not_one_teacher() -> None:
    with serving(Script(listing("a"))) as first, serving(Script(listing("b"))) as second:
        with pytest.raises(TeacherError, match="do not serve the same model") as caught:
            connect(first, second)
        assert "--teacher-model" in caught.value.hint and len(caught.value.details) == 2
        with pytest.raises(TeacherError, match="has no model `a`"):
            connect(first, second, model="a")


def test_a_server_that_is_away_does_not_hold_up_the_others() -> None:
    with serving(Script((200, {}, OK))) as gone:
        pass
    script = Script(listing("a"), GOOD)
    with serving(script) as url:
        assert connect(gone, url).chat(HELLO, PARAMS).text == "Ankaa"
    assert script.asked[-1][1]["model"] == "a"
