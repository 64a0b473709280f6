"""The page "Generate data" is true: its commands run against teachers on loopback, its outputs are compared."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests import teacher_server
from tests.whole_job import TAXONOMY, tiny_student

PAGE = Path(__file__).parents[2] / "docs" / "generate-data.md"
BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
MARK = "== end of block =="
TEACHERS = ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1")
SECURE = "https://127.0.0.1:8443/v1"


def steps():
    """Files to write, commands to run, and outputs to compare with, in the order of the page."""
    found = []
    for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        found.append(("file" if match["file"] else match["kind"], match["file"], match["text"]))
    return found


def script():
    """One shell script, so that `export` lasts from block to block; what is said on the way goes to a file."""
    lines = ["exec 2>>said.txt", "set -o pipefail"]
    for kind, file, text in steps():
        if kind == "sh":
            lines += [text.rstrip(), f"status=$?; echo '{MARK}'; [ $status = 0 ] || exit $status"]
        elif kind == "file":
            lines += [f"cat > {file} <<'{MARK}'", text.rstrip("\n"), MARK]
    return "\n".join(lines) + "\n"


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

    student = tiny_student(tmp_path / "tiny")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ILAB_", "XDG_", "GIT_"))}
    environment |= {"HOME": str(tmp_path), "ILAB_HOME": str(tmp_path / "ilab"), "ILAB_SERVING__THREADS": "1"}
    environment |= {"ILAB_MODELS__JUDGE": str(student), "ILAB_MODELS__STUDENT": str(student)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    commands = script()
    with ExitStack() as running:
        for address in TEACHERS:
            url, _ = running.enter_context(teacher_server.serving())
            commands = commands.replace(address, url)
        servers = certificates.Authority(work)
        shown = servers.sign("server")
        secure = running.enter_context(certificates.serving(*shown, clients=work / "clients.pem"))
        commands = commands.replace(SECURE, secure.url)
        done = subprocess.run(
            ["bash", "-c", commands], cwd=work, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + (work / "said.txt").read_text()
        assert secure.seen
    outputs = done.stdout.split(f"{MARK}\n")
    wanted = steps()
    shown_outputs = 0
    for number, (kind, _, text) in enumerate(wanted):
        if kind == "sh":
            output = outputs.pop(0)
            if wanted[number + 1 : number + 2] and wanted[number + 1][0] == "text":
                assert output == wanted[number + 1][2], text
                shown_outputs += 1
    assert shown_outputs >= 5


def test_every_link_of_the_page_leads_somewhere():
    text = PAGE.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (PAGE.parent / target).exists()
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert anchor in headings
