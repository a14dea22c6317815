"""Links between pages lead somewhere, every page is in the index, and pictures are small."""

import re
from pathlib import Path

import pytest
from doc_pages import ROOT

DOCS = ROOT / "docs"
ALL_PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), ROOT / "src/README.md"]
PICTURE_BYTES_MAX = 150_000


def _text(page):
    """Without fenced blocks: what stands there is no link."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def _anchors(page):
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.*)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(page):
    return re.findall(r"(?<!\\)\]\(([^)\s]+)\)", _text(page))


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    for link in _links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in _anchors(target), f"{page.name}: no heading {link}"


def test_every_page_is_in_the_index():
    index = set(_links(DOCS / "README.md"))
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= index


def test_pictures():
    pictures = [path for path in (DOCS / "pictures").iterdir() if path.suffix in (".svg", ".png")]
    shown = {Path(link).name for page in ALL_PAGES for link in _links(page)}
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < PICTURE_BYTES_MAX, picture.name
        assert picture.name in shown, f"{picture.name} is on no page"
