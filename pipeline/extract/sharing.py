"""Lists that several walkers read at once: which may be, where a further one enters, and which page is a walker's last.

What the walkers do is decided by `pipeline.stretches`; here it is tied to walks, requests and what an earlier run left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pipeline.decode import change_time
from pipeline.extract.frontier import OpenWalk
from pipeline.extract.scope import Entered, Scope
from pipeline.extract.steps import with_lower_bound
from pipeline.paginate import WalkProgress
from pipeline.stretches import SharedList, Step, Stretch

# Keys that each further walk compares its pages with: there may be many such walks.
_REMEMBERED = 5000


class Sharing:
    """The shared lists of one extraction. Lives in one event loop."""

    def __init__(self, scope: Scope, entered: Entered | None) -> None:
        self.scope = scope
        self.entered = entered
        self._lists: list[tuple[OpenWalk, SharedList]] = []
        self._walks: dict[Stretch, OpenWalk] = {}
        self._read_again: list[SharedList] = []

    def share(self, walk: OpenWalk) -> None:
        """More walkers may help this one, which begins at the beginning of its list."""
        until = self.scope.shared_until
        if until is None or walk.resource.name in self.scope.alone:
            return
        again = self.entered.entries(walk.path, walk.walk.params) if self.entered is not None else ()
        shared = SharedList(until, again=tuple(again))
        self._lists.append((walk, shared))
        self._belongs(walk, shared, shared.first)

    def after(
        self, walk: OpenWalk, records: Sequence[bytes], keys: Sequence[str | None], *, goes_on: bool
    ) -> Iterator[tuple[OpenWalk, Step]]:
        """What becomes of a walk after its page, and of others that have waited for it; new walks go on, too."""
        shared, stretch = walk.shared, walk.stretch
        if shared is None or stretch is None:
            yield walk, "goes_on" if goes_on else "ends"
            return
        resource, is_beginning = walk.resource, stretch is shared.first and walk.pages == 1 and goes_on
        if is_beginning:  # only now is it known to be long
            shared.spread = self.scope.spread(resource, walk.walk.context)
        step = shared.read(stretch, keys, lambda n: change_time(records[n], resource), is_last=not goes_on)
        if step != "waits":
            yield self._released(stretch, step), step
        for other, then in shared.woken():
            yield self._released(other, then), then
        if is_beginning and not shared.is_shared:
            for one in shared.entered_again():
                yield self._open(walk, shared, one), "goes_on"

    def divided(self) -> OpenWalk | None:
        """The walk of a further walker, where it helps most; None if it would cost more calls than it is worth."""
        for first, shared in sorted(self._lists, key=lambda pair: pair[1].outlook(), reverse=True):
            if (stretch := shared.divided()) is not None:
                walk = self._open(first, shared, stretch)
                if self.entered is not None and stretch.since is not None:
                    self.entered.enter(first.path, first.walk.params, stretch.since)
                return walk
        return None

    def refused_bound(self, walk: OpenWalk) -> Iterator[tuple[OpenWalk, Step]]:
        """The source does not take the bound that a further walker began with: the first walker reads on alone."""
        assert walk.shared is not None
        walk.shared.refuse("the source refused to begin in the middle")
        if walk.stretch is not None:
            yield self._released(walk.stretch, "ends"), "ends"
        for other, then in walk.shared.woken():
            yield self._released(other, then), then

    def forget(self, walk: OpenWalk) -> None:
        """The record that a list hangs under has ended: nothing of the list is proven, or missed."""
        if walk.shared is not None:
            walk.shared.give_up()
            self._lists = [pair for pair in self._lists if pair[1] is not walk.shared]

    def begun_anew(self, walk: OpenWalk) -> None:
        """The source gave up a walk's cursor."""
        if walk.shared is not None and walk.stretch is not None:
            walk.shared.begun_anew(walk.stretch)

    def unproven(self, doubtful: Collection[str]) -> list[OpenWalk]:
        """The first walks of lists that must be read once more, by one walker; each list only once.

        Those are lists that were seen to go back in time, and those of the resources named that were shared.
        """
        # A stretch that was never left to another walker is our mistake, not the source's.
        assert all(shared.is_proven or shared.is_broken for _, shared in self._lists)
        found = [
            (walk, shared)
            for walk, shared in self._lists
            if shared not in self._read_again
            and (shared.is_broken or (shared.is_shared and walk.resource.name in doubtful))
        ]
        self._read_again += [shared for _, shared in found]
        return [walk for walk, _ in found]

    def refused(self) -> dict[str, str]:
        """By resource, why one of its lists cannot be shared."""
        return {walk.resource.name: shared.refused for walk, shared in self._lists if shared.refused}

    def names(self) -> frozenset[str]:
        """The resources of which a list was read by more than one walker."""
        return frozenset(walk.resource.name for walk, shared in self._lists if shared.is_shared)

    def _open(self, first: OpenWalk, shared: SharedList, stretch: Stretch) -> OpenWalk:
        assert stretch.since is not None
        params = with_lower_bound(first.walk.params, stretch.since)
        progress = WalkProgress(remembered=_REMEMBERED)
        walk = OpenWalk(
            replace(first.walk, params=params), first.resource, first.path, turn=first.turn, progress=progress
        )
        self._belongs(walk, shared, stretch)
        return walk

    def _released(self, stretch: Stretch, step: Step) -> OpenWalk:
        """The walk of a stretch; one that ends is not held any longer."""
        return self._walks.pop(stretch) if step == "ends" else self._walks[stretch]

    def _belongs(self, walk: OpenWalk, shared: SharedList, stretch: Stretch) -> None:
        walk.shared, walk.stretch = shared, stretch
        self._walks[stretch] = walk
