"""Faults that the catalogue's first sections do not name."""

from __future__ import annotations

from fault_rows.case import Case, Scene, answers, set_to
from pipeline.sandbox.model import Reply


def damaged_manifest(scene: Scene) -> None:
    (manifest,) = (scene.data / "runs").glob("*/manifest.json")
    content = manifest.read_bytes().replace(b'"site": "test"', b'"site": "tess"')
    manifest.unlink()
    manifest.write_bytes(content)


def not_a_folder(scene: Scene) -> None:
    (scene.folder / "in-the-way").write_text("a file")
    scene.set("storage", data_dir='"in-the-way"')


CASES = (
    Case(None, "the token sees no company", answers("/beta/company", Reply(200, b'{"page":[],"nextCursor":null}')), 41,
         "something_was_served", "check"),
    Case(None, "a damaged manifest", damaged_manifest, 40, "its own hash does not hold", "manifest.json", calls=0),
    Case(None, "the month has no room", set_to("budget", monthly="20"), 42, "needs about", "plan", calls=0),
    Case(None, "the data folder is a file", not_a_folder, 31, "cannot be used", "in-the-way", state="no earlier warehouse"),
    Case(None, "a version that the source does not have", set_to("site", version='"v9"'), 21, "404", "company"),
)  # fmt: skip
