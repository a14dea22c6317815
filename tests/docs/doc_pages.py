"""Pages of the documentation as blocks: what test_pages.py runs.

Fences say by their language what becomes of a block:

    ```python NAME          tests, run by pytest; without a test in it, a script. NAME is its file
    ```pycon                an interactive session that goes on from block to block of a section
    ```shell exit=1         commands; exit=... is the exit code of the last one, 0 when left out
    ```text output          what the block before it prints; ... stands for anything
    ```text output figures  the same, and every number for any number
    anything else           is only read

`<!-- not run: why -->` above a fence leaves the block out. `<!-- checked only: why -->` above a
shell block has its commands and options checked without running them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\S*) ?(.*)$")
_MARK = re.compile(r"^<!-- (not run|checked only): (.+) -->$")


@dataclass
class Block:
    """A fenced block. `line` is that of its first line of text, from 1 on."""

    page: Path
    line: int
    section: int  # grows with every heading of the page
    language: str
    info: list[str]
    text: str
    mark: str  # "", "not run" or "checked only"
    reason: str

    @property
    def id(self) -> str:
        """For people and pytest: docs/buffer.md:12."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file_name(self) -> str:
        """What a python block is saved as."""
        return self.info[0] if self.info else f"line_{self.line}_test.py"

    @property
    def exit_code(self) -> int:
        """Of a shell block's last command."""
        codes = [word.removeprefix("exit=") for word in self.info if word.startswith("exit=")]
        return int(codes[0]) if codes else 0


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found: list[Block] = []
    section = 0
    mark = reason = ""
    open_block: Block | None = None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if open_block is not None:
            if line == "```":
                found.append(open_block)
                open_block = None
            else:
                open_block.text += line + "\n"
            continue
        if fence:
            info = fence[2].split()
            open_block = Block(page, number + 1, section, fence[1], info, "", mark, reason)
        elif line.startswith("#"):
            section += 1
        found_mark = _MARK.match(line)
        mark, reason = (found_mark[1], found_mark[2]) if found_mark else ("", "")
    assert open_block is None, f"{page}: the fence above line {open_block.line} is not closed"
    return found


def output_of(block: Block) -> Block | None:
    """The `text output` block that comes next, if there is one."""
    following = [other for other in blocks(block.page) if other.line > block.line]
    if following and following[0].language == "text" and "output" in following[0].info:
        return following[0]
    return None


def without_figures(text: str) -> str:
    """Numbers alike, and the rules of a terminal as long as each other."""
    return re.sub(r"[-=─]{2,}", "--", re.sub(r"\d[\d,.:]*", "0", text))
