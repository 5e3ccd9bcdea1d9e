"""`queue pause | resume`, `node list | cordon | drain | uncordon`, `session extend`: an admin's levers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from jupyterhub_mesos.cli.asking import client
from jupyterhub_mesos.cli.moments import local
from jupyterhub_mesos.cli.table import columns
from jupyterhub_mesos.wire import NodeStanding, NodeStandingView, PauseView

NODE_HEADINGS = ("node", "zone", "standing", "free", "of", "held by", "since", "why")


# ---- queues -----------------------------------------------------------------------------------


def pause(args: argparse.Namespace) -> int:
    """Let nothing new start."""
    _tell_pauses(client(args).pause_queue(args.team, args.reason).items)
    return 0


def resume(args: argparse.Namespace) -> int:
    """Let what waits start again."""
    _tell_pauses(client(args).resume_queue(args.team, args.reason).items)
    return 0


def pauses(args: argparse.Namespace) -> int:
    """Print what is paused."""
    _tell_pauses(client(args).pauses().items)
    return 0


def _tell_pauses(items: Sequence[PauseView]) -> None:
    for view in items:
        name = "The whole queue" if view.team is None else f"The queue of team {view.team}"
        since = f" since {local(view.since)}" if view.since is not None else ""
        by = f" by {view.by}" if view.by else ""
        print(f"{name} is paused{since}{by}: {view.reason or 'no reason is known'}")
    if not items:
        print("No queue is paused.")


# ---- nodes ------------------------------------------------------------------------------------


def nodes(args: argparse.Namespace) -> int:
    """Print how each node stands."""
    items = client(args).nodes().items
    print("\n".join(node_table(items)) if items else "No node is known yet.")
    return 0


def cordon(args: argparse.Namespace) -> int:
    """Let a node take nothing new."""
    _tell_node(client(args).cordon_node(args.node, args.reason))
    return 0


def drain(args: argparse.Namespace) -> int:
    """Let a node take nothing new, and stop what runs there."""
    _tell_node(client(args).cordon_node(args.node, args.reason, drains=True))
    return 0


def uncordon(args: argparse.Namespace) -> int:
    """Let a node take new work again."""
    found = {view.id: view for view in client(args).uncordon_node(args.node, args.reason).items}
    if args.node in found:
        _tell_node(found[args.node])
    else:
        print(f"Node {args.node} is not cordoned any more; its backend does not report it.")
    return 0


_MEANING = {
    NodeStanding.OPEN: "takes new work",
    NodeStanding.CLOSED: "is closed by its backend",
    NodeStanding.CORDONED: "takes nothing new",
    NodeStanding.DRAINING: "takes nothing new, and is being emptied",
    NodeStanding.DRAINED: "takes nothing new, and nothing stands there: it can be taken away",
}


def _tell_node(view: NodeStandingView) -> None:
    held = "" if not view.held else f"; {view.held} still there: {', '.join(_holders(view))}"
    print(f"Node {view.id} {_MEANING[view.standing]}{held}.")


def _holders(view: NodeStandingView) -> Iterator[str]:
    for held in view.holds:
        yield f"{held.kind.value} {held.request_id} of {held.user} ({held.team})"


def node_table(items: Sequence[NodeStandingView]) -> Iterator[str]:
    """Lay the nodes out in lines, and under each what stands there."""
    rows: list[tuple[str, ...]] = [NODE_HEADINGS]
    for view in items:
        since = local(view.since) if view.since is not None else ""
        amounts = (
            (str(view.free.value()), str(view.capacity.value())) if view.is_reported else ("not reported", "")
        )
        by = f" ({view.by})" if view.by else ""
        rows.append(
            (view.id, view.zone, view.standing.value, *amounts, str(view.held), since, view.reason + by)
        )
        rows += [("", "", "", "", "", holder, "", "") for holder in _holders(view)]
    return columns(rows)


# ---- sessions ---------------------------------------------------------------------------------


def extend(args: argparse.Namespace) -> int:
    """Let what runs under a time limit go on."""
    view = client(args).extend_session(args.request, args.reason, by_minutes=args.by, until=args.until)
    if view.ends_at is not None:
        print(f"Request {view.request_id} runs until {local(view.ends_at)}.")
    return 0
