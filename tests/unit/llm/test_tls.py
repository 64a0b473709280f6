"""A teacher over https: who is trusted, how we prove who we are, and what is said when it does not fit."""

import ssl
import time

import pytest

pytest.importorskip("cryptography")

from tests.certificates import Authority, serving

from ilab.errors import ConfigError, TeacherError
from ilab.llm import tls
from ilab.llm.http import HttpChatModel
from ilab.llm.port import GenerationParams
from ilab.llm.tls import Tls
from ilab.records import messages

ASKED = [messages.user("Answer: how do you do?")]
PARAMS = GenerationParams(max_tokens=8)


def answer(url, known):
    model = HttpChatModel(url, verify=known.context(), timeout=20)
    try:
        return model.chat(ASKED, PARAMS).text
    finally:
        model.close()


def refusal(server, known, **where):
    """The error, which must come at once and after one connection."""
    began = time.monotonic()
    with pytest.raises(TeacherError) as caught:
        answer(where.get("url", server.url), known)
    assert time.monotonic() - began < 2
    assert server.tried == 1
    assert "tries" not in caught.value.message
    return caught.value


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_a_server_of_the_named_authority_is_trusted(authority):
    with serving(*authority.sign("server")) as server:
        assert answer(server.url, Tls(ca=str(authority.ca))) == "Good day, friend!"


def test_without_its_authority_it_is_not(authority):
    with serving(*authority.sign("server")) as server:
        error = refusal(server, Tls())
    assert "--tls-ca" in error.hint and "CERTIFICATE_VERIFY_FAILED" in error.message


def test_another_authority_does_not_help(authority, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with serving(*authority.sign("server")) as server:
        assert "--tls-ca" in refusal(server, Tls(ca=str(other.ca))).hint


def test_an_expired_certificate_is_told(authority):
    with serving(*authority.sign("server", days=-1)) as server:
        error = refusal(server, Tls(ca=str(authority.ca)))
    assert "expired" in error.message and "renewed" in error.hint


def test_a_certificate_for_another_host_is_told(authority):
    with serving(*authority.sign("server", host="teacher.example")) as server:
        error = refusal(server, Tls(ca=str(authority.ca)))
    assert "name" in error.hint and "127.0.0.1" in error.message


def test_insecure_trusts_all_of_them(authority):
    with serving(*authority.sign("server", host="teacher.example", days=-1)) as server:
        assert answer(server.url, Tls(insecure=True)) == "Good day, friend!"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_asks_who_we_are(authority, newest):
    cert, key = authority.sign("client", password="sesame")
    with serving(*authority.sign("server"), clients=authority.ca, newest=newest) as server:
        known = Tls(ca=str(authority.ca), client_cert=str(cert), client_key=str(key), client_password="sesame")
        assert answer(server.url, known) == "Good day, friend!"
        both = authority.folder / "both.pem"
        plain_cert, plain_key = authority.sign("plain")
        both.write_bytes(plain_cert.read_bytes() + plain_key.read_bytes())
        assert answer(server.url, Tls(ca=str(authority.ca), client_cert=str(both))) == "Good day, friend!"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_asks_and_is_not_told(authority, newest):
    with serving(*authority.sign("server"), clients=authority.ca, newest=newest) as server:
        error = refusal(server, Tls(ca=str(authority.ca)))
    assert "--tls-client-cert" in error.hint


def test_a_client_certificate_of_a_stranger_is_refused(authority, tmp_path):
    (tmp_path / "other").mkdir()
    cert, key = Authority(tmp_path / "other").sign("client")
    with serving(*authority.sign("server"), clients=authority.ca) as server:
        error = refusal(server, Tls(ca=str(authority.ca), client_cert=str(cert), client_key=str(key)))
    assert "does not accept" in error.hint


def test_https_to_a_server_without_it_is_told():
    from tests import teacher_server

    with teacher_server.serving() as (url, _):
        began = time.monotonic()
        with pytest.raises(TeacherError) as caught:
            answer(url.replace("http:", "https:"), Tls())
    assert "http://" in caught.value.hint and time.monotonic() - began < 2


def test_what_cannot_be_used_is_told_before_any_request(authority, tmp_path):
    cert, key = authority.sign("client", password="sesame")
    _, other_key = authority.sign("other")
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    cases = [
        (Tls(ca=str(tmp_path / "none.pem")), "none.pem"),
        (Tls(ca=str(junk)), "there are no certificates"),
        (Tls(client_cert=str(tmp_path / "none.pem")), "cannot read the client certificate"),
        (Tls(client_cert=str(cert), client_key=str(tmp_path / "none.pem")), "cannot read the client key"),
        (Tls(client_key=str(key)), "no certificate"),
        (Tls(client_cert=str(cert), client_key=str(key)), "needs a password"),
        (Tls(client_cert=str(cert), client_key=str(key), client_password="open"), "does not open"),
        (Tls(client_cert=str(cert), client_key=str(other_key)), "another certificate"),
        (Tls(client_cert=str(junk)), "PEM"),
    ]
    for known, said in cases:
        with pytest.raises(ConfigError) as caught:
            known.context()
        assert said in caught.value.message
        assert "sesame" not in repr(known)
    assert "open" not in repr(Tls(client_password="open"))


def test_a_connection_that_is_cut_may_be_tried_again():
    assert tls.hint_of("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol (_ssl.c:1000)") == ""
    assert tls.hint_of("Connection refused") == ""
