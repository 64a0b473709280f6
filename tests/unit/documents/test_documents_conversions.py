"""Converted documents in the cache."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ilab.base.report import ListReporter
from ilab.documents.conversions import converted
from ilab.documents.formats import FORMATS, Format
from ilab.errors import SourceError

PAGE = "= Stars\n\nThey shine.\n\ninclude::more.adoc[]\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "stars.adoc"
    file.write_text(PAGE)
    return file


def read(file: Path, report: ListReporter | None = None, *, format: Format = FORMATS[".adoc"], where: str = "") -> str:
    cache = file.parent / "cache"
    return converted(file, format=format, cache_dir=cache, report=report or ListReporter(), where=where or file.name)


def kept(file: Path) -> list[Path]:
    return sorted((file.parent / "cache" / "conversions").glob("*.json"))


def test_a_document_is_converted_once_and_said_of_it_again(page: Path) -> None:
    first, again = ListReporter(), ListReporter()
    assert read(page, first) == "# Stars\n\nThey shine.\n"
    (record,) = kept(page)
    written = record.stat().st_mtime_ns
    assert read(page, again, where="other {name}.adoc (leaf x)") == "# Stars\n\nThey shine.\n"
    assert (kept(page), record.stat().st_mtime_ns) == ([record], written)
    assert first.events[0]["message"] == "stars.adoc includes more.adoc, which is not followed"
    assert again.events[0]["message"] == "other {name}.adoc (leaf x) includes more.adoc, which is not followed"
    assert first.events[1:] == again.events[1:] != []


def test_the_cached_text_is_what_is_read(page: Path) -> None:
    read(page)
    (record,) = kept(page)
    record.write_text(json.dumps({"text": "from the cache", "said": []}))
    assert read(page) == "from the cache"


def test_other_content_and_another_converter_are_converted_anew(page: Path) -> None:
    read(page)
    page.write_text("= Moons\n")
    assert read(page) == "# Moons\n"
    other = Format(name="AsciiDoc", target=FORMATS[".adoc"].target, packages=("pytest",))
    assert read(page, format=other) == "# Moons\n"
    assert len(kept(page)) == 3


@pytest.mark.parametrize("torn", ["", "{", '{"text": "# Sta', "[]", '{"text": 1, "said": []}', "\udcff"])
def test_a_torn_record_is_written_again(page: Path, torn: str) -> None:
    read(page)
    (record,) = kept(page)
    record.write_bytes(torn.encode(errors="surrogateescape"))
    assert read(page) == "# Stars\n\nThey shine.\n"
    assert json.loads(record.read_text())["text"] == "# Stars\n\nThey shine.\n"


def test_a_failure_is_not_kept(page: Path) -> None:
    page.write_bytes(b"\xff\x00bad")
    for _ in range(2):
        with pytest.raises(SourceError, match="stars.adoc is not utf-8 text"):
            read(page)
    assert not kept(page)
    with pytest.raises(SourceError, match="gone.adoc cannot be read"):
        read(page.with_name("gone.adoc"))


def test_a_process_that_is_killed_leaves_no_half_conversion(page: Path) -> None:
    page.write_text("= Stars\n\n" + "word " * 200_000)
    script = """
        import os, signal, sys
        from pathlib import Path
        from ilab.base.report import NullReporter
        from ilab.documents.conversions import converted
        from ilab.documents.formats import FORMATS
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        file = Path(sys.argv[1])
        converted(file, format=FORMATS[".adoc"], cache_dir=file.parent / "cache", report=NullReporter(), where="x")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(page)], env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert not kept(page)
    assert read(page).startswith("# Stars\n\nword word")
    assert len(kept(page)) == 1
