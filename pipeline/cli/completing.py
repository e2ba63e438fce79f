"""`completion`, and what a shell asks each time Tab is pressed: click's own mechanism."""

from __future__ import annotations

import os

import click

# What the printed script sets when it asks.
VARIABLE = "_PROSPEND_COMPLETE"


@click.command(short_help="What lets your shell complete commands and options.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the script by which a shell completes commands, options and files when you press Tab.

    \b
    Examples:
      prospend completion bash > ~/.local/share/bash-completion/completions/prospend
      prospend completion zsh > ~/.zfunc/_prospend       with fpath+=~/.zfunc before compinit in ~/.zshrc
      prospend completion fish > ~/.config/fish/completions/prospend.fish
      source <(prospend completion bash)                 for this shell alone

    The folders have to be there; a new shell reads the file.
    """
    answered(click.get_current_context().find_root().command, f"{shell}_source")


def is_asked() -> bool:
    """Whether a shell wants to know what could come next, instead of a command to be run."""
    return bool(os.environ.get(VARIABLE))


def answered(program: click.Command, wanted: str = "") -> int:
    """Print what a shell asked for. Returns its exit code."""
    from click.shell_completion import shell_complete

    return shell_complete(program, {}, "prospend", VARIABLE, wanted or os.environ[VARIABLE])
