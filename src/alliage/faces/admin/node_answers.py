"""What the admin API answers about nodes and devices that are taken out. Also read by the CLI."""

from alliage.faces.admin.answers import Answer, DeviceAnswer, NodeAnswer


class MoveAnswer(Answer):
    """A replica on what is being emptied.

    `to` is where its successor is or would be, "" where there is none; `successor` is its id once there is one;
    `stuck`: nothing can be placed elsewhere, so it stays and serves. `text` says it in a sentence.
    """

    replica: str
    service: str
    to: str
    successor: str | None
    stuck: bool
    text: str


class NodeInFullAnswer(NodeAnswer):
    """One node, with the replicas that leave it and what they wait for."""

    replicas: tuple[str, ...]
    moves: tuple[MoveAnswer, ...]


class NodeChangedAnswer(Answer):
    """What was done, or with `dry_run` would be: the node as it is then, and what becomes of its replicas."""

    dry_run: bool
    node: NodeAnswer
    moves: tuple[MoveAnswer, ...]


class NodeForgottenAnswer(Answer):
    """The node that is forgotten, or with `dry_run` would be."""

    dry_run: bool
    node: str


class DevicesAnswer(Answer):
    """The devices of all nodes."""

    devices: tuple[DeviceAnswer, ...]
