"""The page "Generate data" is true: its commands run against teachers on loopback, its outputs are compared."""

import shutil
from contextlib import ExitStack

import pytest
from tests import docs_page, teacher_server
from tests.whole_job import TAXONOMY, tiny_student

PAGE = docs_page.DocsPage("generate-data.md")
TEACHERS = ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1")
SECURE = "https://127.0.0.1:8443/v1"


@pytest.fixture
def work(tmp_path):
    """A folder with a taxonomy, and the certificate of the client that the page speaks of."""
    pytest.importorskip("cryptography")
    from tests.certificates import Authority

    folder = tmp_path / "work"
    shutil.copytree(TAXONOMY, folder / "taxonomy")
    authority = Authority(folder, "clients")
    authority.sign("client", password="open")
    (folder / "password.txt").write_text("open\n")
    return folder


def test_the_page_is_true(tmp_path, work):
    from tests import certificates

    student = str(tiny_student(tmp_path / "tiny"))
    settings = {"ILAB_SERVING__THREADS": "1", "ILAB_MODELS__JUDGE": student, "ILAB_MODELS__STUDENT": student}
    commands = PAGE.script("exec 2>>said.txt")  # what is said on the way is not output
    with ExitStack() as running:
        for address in TEACHERS:
            url, _ = running.enter_context(teacher_server.serving())
            commands = commands.replace(address, url)
        shown = certificates.Authority(work).sign("server")
        secure = running.enter_context(certificates.serving(*shown, clients=work / "clients.pem"))
        commands = commands.replace(SECURE, secure.url)
        done = docs_page.run(commands, home=tmp_path, work=work, also=settings, timeout=600)
        assert done.returncode == 0, done.stdout + (work / "said.txt").read_text()
        assert secure.seen
    assert PAGE.compare(done.stdout) >= 5


def test_every_link_of_the_page_leads_somewhere():
    PAGE.check_links()
