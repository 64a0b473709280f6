"""The page "Write your taxonomy" is true: its files are written, its commands run, its outputs compared."""

import pytest
from tests import docs_page

PAGE = docs_page.DocsPage("write-your-taxonomy.md")


def test_the_page_is_true(tmp_path):
    pytest.importorskip("yamllint")
    work = tmp_path / "work"
    work.mkdir()
    done = docs_page.run(
        PAGE.script("exec 2>&1"), home=tmp_path, work=work, also={"PYTHONUNBUFFERED": "1"}, timeout=300
    )
    assert done.returncode == 0, done.stdout
    assert PAGE.compare(done.stdout) >= 6


def test_every_link_of_the_page_leads_somewhere():
    PAGE.check_links()
