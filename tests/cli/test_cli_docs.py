"""Every command has an example in its help and stands in docs/cli.md with all its options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from fazt.cli import main

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield each command of the tree with the words that call it."""

    def walk(words: tuple[str, ...], command: click.Command) -> Iterator[tuple[str, click.Command]]:
        context = click.Context(command, info_name=words[-1])
        if len(words) > 1:
            yield " ".join(words), command
        if isinstance(command, click.Group):
            words = (*words, *(argument.upper() for argument in arguments_of(command)))
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from walk((*words, name), found)

    return walk(("fazt",), main.fazt)


def arguments_of(command: click.Command) -> list[str]:
    """Return the names of a command's arguments; those of a group stand before its commands."""
    return [param.name or "" for param in command.params if isinstance(param, click.Argument)]


ALL = dict(commands())
LEAVES = {words: command for words, command in ALL.items() if not isinstance(command, click.Group)}


def section_of(words: str) -> str:
    """Return what the document says under the heading of a command."""
    match = re.search(rf"^### `{re.escape(words)}\b[^`]*`\n(.*?)(?=^##|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert match, f"docs/cli.md has no heading ### `{words} ...`"
    return match[1]


def usage_of(words: str) -> str:
    match = re.search(rf"^### `({re.escape(words)}\b[^`]*)`$", DOCUMENT, re.MULTILINE)
    assert match, f"docs/cli.md has no heading ### `{words} ...`"
    return match[1]


def options_of(command: click.Command) -> set[str]:
    return {
        name for option in command.params if isinstance(option, click.Option) for name in option.opts if len(name) > 2
    }


@pytest.mark.parametrize("words", ALL)
def test_help_has_an_example(words: str) -> None:
    help_text = ALL[words].help or ""
    example = re.search(r"Examples?:\n((?:  .+\n?)+)", help_text)
    assert example, f"{words} --help has no example"
    lines = [line.strip() for line in example[1].splitlines()]
    called = re.compile(" ".join(r"\S+" if word.isupper() else re.escape(word) for word in words.split()))
    assert any(called.search(line) for line in lines) or isinstance(ALL[words], click.Group), lines


@pytest.mark.parametrize("words", ALL)
def test_examples_can_be_parsed(words: str) -> None:
    """An option that an example names exists, and its arguments fit."""
    for line in re.findall(r"^  .*?(fazt .+)$", ALL[words].help or "", re.MULTILINE):
        arguments = shlex.split(line.partition(" >")[0].partition(" |")[0], comments=True)[1:]
        parsed: Any = main.fazt
        name = "fazt"
        while isinstance(parsed, click.Group):
            context = click.Context(parsed, info_name=name)
            del arguments[: len(arguments_of(parsed))]
            name = arguments.pop(0)
            found = parsed.get_command(context, name)
            assert found is not None, line
            parsed = found
        parsed.make_context(name, list(arguments), resilient_parsing=False)


@pytest.mark.parametrize("words", LEAVES)
def test_the_document_has_every_command_and_option(words: str) -> None:
    section = section_of(words)
    for option in options_of(LEAVES[words]) - {"--db", "--remote"}:
        assert f"`{option}" in section, f"docs/cli.md: {words} lacks {option}"
    for argument in LEAVES[words].params:
        if isinstance(argument, click.Argument):
            shown = argument.metavar or (argument.name or "").upper()
            assert shown.strip("[]") in usage_of(words), f"docs/cli.md: the heading of {words} lacks {shown}"


@pytest.mark.parametrize("words", LEAVES)
def test_the_document_names_no_option_that_is_not(words: str) -> None:
    named = set(re.findall(r"^- `(--[a-z-]+)", section_of(words), re.MULTILINE))
    assert named <= options_of(LEAVES[words])


def test_the_document_names_no_command_that_is_not() -> None:
    for heading in re.findall(r"^### `(fazt[^`]*)`", DOCUMENT, re.MULTILINE):
        assert any(heading == words or heading.startswith(words + " ") for words in LEAVES), heading


def test_shared_options_stand_once() -> None:
    for option in ("--db", "--remote", "--json", "--help", "--version"):
        assert f"`{option}" in DOCUMENT


def test_the_list_of_commands_is_complete() -> None:
    context = click.Context(main.fazt)
    for name, (module, _) in ((name, entry) for section in main.SECTIONS.values() for name, entry in section.items()):
        found = main.fazt.get_command(context, name)
        assert found is not None, module
        assert found.name == name
