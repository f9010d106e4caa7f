"""The floors of docs/architecture.md, held against every import that the code makes."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fazt"
FLOORS = {
    "cli": 6,
    "server": 5,
    "api": 4,
    "edge": 3,
    "bench": 3,
    "functions": 3,
    "tls": 3,
    "acme": 3,
    "jobs": 3,
    "cron": 3,
    "hooks": 3,
    "machine": 3,
    "visits": 3,
    "notifications": 3,
    "backups": 3,
    "metrics": 3,
    "doctor": 3,
    "sites": 2,
    "auth": 2,
    "data": 2,
    "clock": 2,
    "store": 1,
    "errors": 0,
    "control_groups": 0,
    "settings": 0,
    "outbound": 0,
    "_speedups": 0,
}
# The pairs on the same floor of which the first may import the second
SIDEWAYS = {("settings", "errors"), ("settings", "_speedups"), ("outbound", "errors")}
ONLY_FLOOR_0 = {"edge"}
# Parts whose modules are not listed one by one
UNDOCUMENTED = {"auth", "bench", "cli", "clock", "control_groups", "errors", "settings"}
ENTRANCE = {"__init__", "__main__"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "base", "manager", "misc", "types"}
MODULES = sorted(path for pattern in ("*.py", "*.pyx", "*.pxd") for path in PACKAGE.rglob(pattern))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the package (or single module) of fazt that a dotted name belongs to; "" for fazt itself."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything of fazt that a source file imports, wherever the import stands."""
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "fazt")
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                if (node.module or "").split(".")[0] == "fazt":
                    yield from (f"{node.module}.{alias.name}" for alias in node.names)
    else:
        yield from re.findall(r"^\s*(?:c?import|from)\s+(fazt[.\w]*)", path.read_text(), re.MULTILINE)


def test_every_part_has_a_floor() -> None:
    parts = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    parts |= {path.stem for path in PACKAGE.glob("*.py")} - ENTRANCE
    assert parts == FLOORS.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    here = part_of(name_of(path))
    for imported in imports_of(path):
        there = part_of(imported)
        if path.stem == "__main__" or there in ("", here, "__version__"):
            continue
        assert there in FLOORS, f"{path} imports {imported}, which has no floor"
        allowed = FLOORS[there] < FLOORS[here] or (here, there) in SIDEWAYS
        assert allowed, f"{path} ({here}, floor {FLOORS[here]}) imports {imported} (floor {FLOORS[there]})"
        assert here not in ONLY_FLOOR_0 or FLOORS[there] == 0, f"{path} imports {imported}: {here} knows floor 0 only"


def test_there_are_no_cycles() -> None:
    known = {name_of(path) for path in MODULES}
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        targets = {name if name in known else name.rpartition(".")[0] for name in imports_of(path)}
        graph.setdefault(name_of(path), set()).update((targets & known) - {name_of(path), "fazt"})
    graphlib.TopologicalSorter(graph).prepare()


def test_sql_stands_in_the_store_only() -> None:
    words = [r"SELECT\s.+\sFROM", r"INSERT\s+(OR\s+\w+\s+)?INTO", r"UPDATE\s+\w+\s+SET", r"DELETE\s+FROM", "PRAGMA"]
    statement = re.compile(rf"\b({'|'.join(words)})\b")
    for path in MODULES:
        if part_of(name_of(path)) == "store":
            continue
        for node in ast.walk(ast.parse(path.read_text())) if path.suffix == ".py" else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not statement.search(node.value), f"{path}:{node.lineno} holds SQL"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_drawer_for_odds_and_ends(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    assert not FORBIDDEN_NAMES & set(path.relative_to(PACKAGE).parts)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.suffix == ".py"], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_module_says_what_it_owns(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} has no docstring"
    if path.name == "__init__.py" and path.parent not in (PACKAGE, PACKAGE / "_speedups"):
        assert len(tree.body) == 1, f"{path} holds more than its docstring"


@pytest.mark.parametrize("part", sorted(FLOORS.keys() - UNDOCUMENTED))
def test_each_module_stands_in_the_document(part: str) -> None:
    document = (ROOT / "docs" / "architecture.md").read_text()
    modules = {path.stem for path in MODULES if path.parent == PACKAGE / part} - ENTRANCE
    missing = sorted(module for module in modules if f"`{module}`" not in document)
    assert not missing, f"docs/architecture.md does not say what these of {part} own: {missing}"
