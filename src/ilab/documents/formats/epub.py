"""EPUB books to Markdown: the chapters in reading order."""

from __future__ import annotations

import posixpath
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ilab.base.report import Reporter
from ilab.documents.formats.archive import Archive
from ilab.documents.formats.html_markdown import write_html
from ilab.documents.formats.markdown_writer import MarkdownWriter, escape

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXT = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_TOP_HEADING = re.compile(r"<h1[\s>]", re.IGNORECASE)
_TITLE_PAGE = re.compile(r"<(?:body|section)\b[^>]*epub:type\s*=\s*[\"']titlepage", re.IGNORECASE)
_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}encoding\s*=\s*[\"']([A-Za-z0-9_.:-]+)")


def to_markdown(path: Path, *, report: Reporter, where: str) -> str:
    """The text of the book below its title; the table of contents and pictures are left out."""
    with Archive(path, kind="EPUB", where=where, entities=True) as archive:
        package_name = _package_name(archive)
        package = _xml(archive, package_name)
        names = _chapters(package, posixpath.dirname(package_name))
        _check_readable(archive, names)
        pages = []
        for done, name in enumerate(names, start=1):
            pages.append(_decode(archive, name))
            report.progress("chapters read", done, len(names))
    writer = MarkdownWriter()
    title = _title(package)
    pages = [page for page in pages if not (title and _TITLE_PAGE.search(page))]
    writer.heading(1, escape(title))
    # a book of several parts on the first level stands below its title; one part carries its own
    shift = 1 if title and any(_TOP_HEADING.search(page) for page in pages) else 0
    note = 1
    for page in pages:
        note = write_html(page, writer, shift=shift, first_note=note)
    report.metric("tables", writer.tables)
    return writer.text()


def _package_name(archive: Archive) -> str:
    for element in _xml(archive, _CONTAINER).iter():
        if _local(element) == "rootfile" and element.get("full-path"):
            return str(element.get("full-path"))
    raise archive.error(f"is damaged: {_CONTAINER} names no package")


def _chapters(package: ElementTree.Element, folder: str) -> list[str]:
    """The names of the pages of text in reading order, without the table of contents."""
    manifest = {item.get("id", ""): item for item in package.iter() if _local(item) == "item"}
    found = []
    for reference in package.iter():
        item = manifest.get(reference.get("idref", "")) if _local(reference) == "itemref" else None
        if item is None or item.get("media-type") not in _TEXT or "nav" in item.get("properties", "").split():
            continue
        target = unquote(urlsplit(item.get("href", "")).path)
        found.append(posixpath.normpath(posixpath.join(folder, target)))
    return found


def _check_readable(archive: Archive, names: list[str]) -> None:
    if not names:
        raise archive.error("has no chapters")
    if not archive.has(_ENCRYPTION):
        return
    locked = {unquote(element.get("URI", "")) for element in _xml(archive, _ENCRYPTION).iter()}
    if locked & set(names):
        raise archive.error("is protected against copying", hint="use a copy without protection")


def _title(package: ElementTree.Element) -> str:
    titles = (" ".join("".join(element.itertext()).split()) for element in package.iter() if _local(element) == "title")
    return next((title for title in titles if title), "")


def _xml(archive: Archive, name: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(archive.read(name))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise archive.error(f"is damaged: {name} is not XML ({error})") from error


def _decode(archive: Archive, name: str) -> str:
    data = archive.read(name)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    stated = _ENCODING.match(data)
    try:
        return data.decode(stated[1].decode() if stated else "utf-8-sig", "replace")
    except LookupError as error:
        raise archive.error(f"is damaged: {name} has an unknown encoding") from error


def _local(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
