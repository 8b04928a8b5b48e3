"""The project's own files, as the guard tests of this folder read them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
PACKAGE: Final = ROOT / "src" / "contactsync"
CODE: Final = ("src", "tests", "scripts", "benchmarks")
OUTSIDE: Final = ("tests/vectors/", "LICENSE", "requirements.lock")
"""What others wrote, or a tool: its text is not ours to judge."""


def python_files(*folders: str) -> list[Path]:
    """Every Python file below these folders of the project (all of its code by default)."""
    return sorted(path for folder in folders or CODE for path in (ROOT / folder).rglob("*.py"))


def text_files() -> Iterator[tuple[str, str]]:
    """(path, text) of every file of ours that is kept under version control or is about to be."""
    for path in sorted(_walk(ROOT)):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(OUTSIDE):
            continue
        try:
            yield name, path.read_text()
        except UnicodeDecodeError:  # a picture
            continue


def _walk(folder: Path) -> Iterator[Path]:
    ignored = _ignored()
    for path in folder.iterdir():
        if path.is_symlink() or path.name in ignored or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


@cache
def _ignored() -> frozenset[str]:
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return frozenset({".git", *(line.strip("/") for line in lines)})


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything a file imports, wherever in the file it does so."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call a file makes."""
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))


def place(path: Path, line: int) -> str:
    """`file:line`, for a message."""
    return f"{path.relative_to(ROOT).as_posix()}:{line}"
