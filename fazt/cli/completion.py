"""`fazt completion`: what completes commands in a shell."""

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print what completes commands in your shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    Examples:
      fazt completion bash >> ~/.bashrc
      fazt completion fish > ~/.config/fish/completions/fazt.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "fazt", "_FAZT_COMPLETE").source())
