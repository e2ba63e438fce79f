"""What a fault of the table is: the row it proves, how it is brought about, and what the command must come to."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fault_rows.warm import Warm
from pipeline.sandbox import Running
from pipeline.sandbox.faults import plan
from pipeline.sandbox.model import Answer, Reply, Request

# Nobody of this name stands in the books; a body that holds it must not bring it into any message.
CANARY_PERSON = "Quintessa Canarywood"
UNTOUCHED = "nothing was changed"


@dataclass
class Scene:
    """What a fault may spoil: a sound site with an earlier published night, its source, and another origin.

    `arguments` and `environ` are those of the command; `elsewhere` is a listener to which nobody may come; `secrets` are
    further tokens, and `token_places` the files inside the data folder in which a fault has put one; `kept` lives as
    long as the scene, and what stands in `afterwards` is done at its end. `limits` and `refused` are what the operating
    system allows the command, and `planted` is a bug in it; see `warm.run`, whose process `warm` is.
    """

    sandbox: Running
    folder: Path
    elsewhere: socket.socket
    arguments: list[str]
    environ: dict[str, str] = field(default_factory=lambda: {"PROSPEND__API__ATTEMPTS": "2"}, repr=False)
    secrets: list[str] = field(default_factory=list, repr=False)
    kept: list[object] = field(default_factory=list)
    token_places: list[Path] = field(default_factory=list)
    afterwards: ExitStack = field(default_factory=ExitStack)
    limits: dict[str, int] = field(default_factory=dict)
    refused: tuple[str, str] | None = None
    planted: str = ""
    warm: Warm | None = None

    @property
    def site_file(self) -> Path:
        return self.folder / "site.toml"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def foreign(self) -> str:
        """Host and port of the other origin."""
        return f"127.0.0.1:{self.elsewhere.getsockname()[1]}"

    def edit(self, old: str, new: str) -> None:
        """Replace what stands in the settings file."""
        text = self.site_file.read_text()
        assert old in text
        self.site_file.write_text(text.replace(old, new))

    def set(self, section: str, **values: str) -> None:
        """Give settings of one section these values, written as TOML; they replace what stood there."""
        document = tomllib.loads(self.site_file.read_text())
        text = self.site_file.read_text()
        if section not in document:
            text += f"[{section}]\n"
        for key, value in values.items():
            if key in document.get(section, {}):
                text = re.sub(rf"(?m)^{key} = .*$", lambda _, line=f"{key} = {value}": line, text, count=1)
            else:
                text = text.replace(f"[{section}]\n", f"[{section}]\n{key} = {value}\n")
        self.site_file.write_text(text)

    def when_asked(self, act: Callable[[], object]) -> None:
        """Something happens right before the source answers its first request."""
        host = self.sandbox.host
        respond = host.respond

        def acting(request: Request) -> tuple[Answer, str]:
            host.respond = respond
            act()
            return respond(request)

        host.respond = acting
        self.afterwards.callback(setattr, host, "respond", respond)

    def quick(self, **api: object) -> None:
        """Settings of [api] by the environment."""
        self.environ |= {f"PROSPEND__API__{name.upper()}": str(value) for name, value in api.items()}

    def move_token_to_environment(self) -> None:
        """Let a sound token be found in a variable: what a traceback shows of the environment must not show it."""
        is_sound = self.token_file.is_file() and self.token_file.read_text("latin-1") == f"{self.sandbox.token}\n"
        named = f'file = "{self.token_file}"'
        if is_sound and self.token_file.stat().st_mode & 0o077 == 0 and named in self.site_text:
            self.edit(named, 'env = "PLANTED"')
            self.environ["PLANTED"] = self.sandbox.token

    @property
    def site_text(self) -> str:
        """The settings file, if it can be read as text."""
        try:
            return self.site_file.read_text()
        except (OSError, UnicodeDecodeError):
            return ""

    def give_token(self, text: str, mode: int = 0o600) -> None:
        """Put a token into the token file; it must be told to nobody either."""
        self.token_file.write_text(text)
        self.token_file.chmod(mode)
        self.secrets.append(text)


@contextmanager
def scene_on(sandbox: Running, site_file: Path, earlier_night: Path) -> Iterator[Scene]:
    """A sound site on top of an earlier night, and another origin to which nobody may come."""
    folder = site_file.parent

    def brought(source: str, target: str) -> None:
        """Sealed files are never written again; what counts calls is, and each scene counts its own."""
        is_state = Path(source).relative_to(earlier_night).parts[0] == "state"
        (shutil.copy2 if is_state else os.link)(source, target)

    shutil.copytree(earlier_night, folder / "data", symlinks=True, copy_function=brought)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        made = Scene(sandbox, folder, elsewhere, ["run", "--config", str(site_file)])
        yield made
        made.afterwards.close()
        for each in made.kept:
            if isinstance(each, socket.socket):
                each.close()
    shutil.rmtree(folder / "data")  # many cases: a night each would fill the disk
    for left in folder.glob("site.toml"):  # some faults have put a token there
        shutil.rmtree(left) if left.is_dir() else left.unlink()


Spoil = Callable[[Scene], None]


@dataclass(frozen=True)
class Case:
    """One fault.

    Args:
        row: which row of the catalogue of faults it proves; None for what the catalogue does not name.
        name: what is wrong, in a few words.
        spoil: brings it about.
        code: the exit code; 0 is published, complete and equal to the books.
        what, where, do: what the lines must hold; several texts must all be there.
        state: what STATE must hold, instead of the generation that readers stay on.
        calls: how many requests the source may have got, at most; None is not looked at.
        unsaid: what no line may hold.
    """

    row: int | None
    name: str
    spoil: Spoil
    code: int
    what: str | tuple[str, ...] = ()
    where: str | tuple[str, ...] = ()
    do: str | tuple[str, ...] = ()
    state: str | None = None
    calls: int | None = None
    unsaid: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.row or 'other'}: {self.name}"


def wanted(texts: str | tuple[str, ...]) -> tuple[str, ...]:
    """One text or several, as several."""
    return (texts,) if isinstance(texts, str) else texts


# ---- ways to spoil that many faults share ---------------------------------------------------------------------------


def faults(*texts: str, **api: object) -> Spoil:
    """Faults of the sandbox."""

    def spoil(scene: Scene) -> None:
        scene.sandbox.faults(plan(*texts, seed=7))
        scene.quick(**api)

    return spoil


def answers(path: str, given: Answer | Callable[[Scene], Answer], **api: object) -> Spoil:
    """One answer to every path that begins so."""

    def spoil(scene: Scene) -> None:
        scene.sandbox.answer_with(path, given(scene) if callable(given) else given)
        scene.quick(**api)

    return spoil


def body(raw: bytes, kind: str = "application/json", *more: tuple[str, str]) -> Reply:
    """A 200 with this body."""
    return Reply(200, raw, (("Content-Type", kind), *more))


def written(change: Callable[[str], str | bytes]) -> Spoil:
    """The settings file, changed as a whole."""

    def spoil(scene: Scene) -> None:
        new = change(scene.site_file.read_text())
        scene.site_file.write_bytes(new if isinstance(new, bytes) else new.encode())

    return spoil


def set_to(section: str, **values: str) -> Spoil:
    """Settings of one section, written as TOML."""
    return lambda scene: scene.set(section, **values)


def told_in_environment(**values: str) -> Spoil:
    """Variables of the command's environment."""
    return lambda scene: scene.environ.update(values)
