"""What travels on the bus and is archived: the envelope and the records. These formats last.

A record grows by new optional fields; readers ignore fields that they don't know. A change that an
old reader would misread gets a new schema number.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import uuid_utils
from msgspec import Meta, Struct, structs
from numpy.typing import NDArray

from chexnet.errors import BadInput
from chexnet.topics import Topic

R = TypeVar("R", bound="Record")


def new_id() -> str:
    """Return a UUIDv7: it sorts by the time it was made (RFC 9562)."""
    return str(uuid_utils.uuid7())


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data`, in hex."""
    return hashlib.sha256(data).hexdigest()


class Headers(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands beside every value on the bus.

    `created_at` is the moment of the upload (or of the record, where there is none) and is carried
    through every step: the broker's own timestamp says when a step was done.
    """

    schema: str
    upload_id: str = ""
    image_id: str = ""
    created_at: datetime
    traceparent: str = ""  # W3C Trace Context.
    attempt: int = 0
    extra: dict[str, str] = {}


class Message(Struct, frozen=True, kw_only=True):
    """One record of a topic. `key` is the unit: the patient's pseudonym, else the image id."""

    topic: Topic
    key: str
    value: bytes
    headers: Headers
    partition: int = -1  # Both -1 until the broker has it.
    offset: int = -1

    def to(self, topic: Topic, *, value: bytes, **headers: Any) -> Message:
        """Return a message for the next step, of the same unit, upload and trace."""
        kept = structs.replace(
            self.headers, schema=topic.schemas[-1], attempt=0, extra={}, **headers
        )
        return Message(topic=topic, key=self.key, value=value, headers=kept)


class Rejected(Struct, frozen=True, kw_only=True):
    """A message that can't be processed, for its own fault. The worker writes it to the DLQ."""

    message: Message
    code: str
    reason: str
    keep_bytes: bool = True  # False where the bytes may show who the patient is.
    facts: dict[str, str] = {}  # Of an `internal` one: what failed, e.g. the version.

    def dead_letter(self, step: str = "") -> Message:
        """Return the message for the DLQ: the same key and headers, with the reason added.

        Args:
            step: which rejected it, where that is known.
        """
        m = self.message
        why = {
            **self.facts,
            "step": step,
            "error": self.code,
            "reason": self.reason,
            "origin": f"{m.topic.name}/{m.partition}/{m.offset}",
            "bytes": str(len(m.value)),
            "sha256": sha256(m.value),
        }
        return Message(
            topic=m.topic.dlq,
            key=m.key,
            value=m.value if self.keep_bytes else b"",
            headers=structs.replace(m.headers, extra={**m.headers.extra, **why}),
        )


class Tensor(Struct, frozen=True):
    """An array inside a record: its bytes are in C order, base64 in JSON."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: NDArray[Any], dtype: str = "float16") -> Tensor:
        """Pack `array`; half precision is enough for maps and features, and ends at ±65,504."""
        most = np.finfo(dtype).max
        packed = np.ascontiguousarray(np.clip(array, -most, most), dtype=dtype)
        return cls(dtype, packed.shape, packed.tobytes())

    def array(self) -> NDArray[Any]:
        """Return the array."""
        return np.frombuffer(self.data, dtype=self.dtype).reshape(self.shape)


class Record(Struct, frozen=True, kw_only=True):
    """A typed value. Unknown fields are ignored."""

    def encode(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)


def decode(message: Message, kind: type[R]) -> R:
    """Return the record in `message`.

    Raises:
        BadInput: `schema` for a schema that this version doesn't know, `malformed` for a value that
            is not such a record.
    """
    known = message.topic.schemas
    if message.headers.schema not in known:
        rule = f"The header schema must be {' or '.join(known)}."
        received = f"Received: {message.headers.schema!r}."
        todo = f"Upgrade this step, then run: chexnet dlq replay {message.topic.name}"
        raise BadInput("schema", f"{rule} {received} {todo}")
    return decode_json(message.value, kind)


def decode_json(data: bytes, kind: type[R]) -> R:
    """Return the record that `data` holds as JSON; raise BadInput(`malformed`) if it is none."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        rule = f"A {kind.__name__.lower()} must be the JSON of its schema."
        raise BadInput("malformed", f"{rule} Received: {error}.") from error


Presence = Literal["present", "absent", "unsure", "not_assessed"]
UNVERIFIED = " (unverified)"  # Behind a name that nobody checked.
CHAMPION = "champion"  # The arm of an answer that no experiment chose.
PREVIOUS = "previous"  # That of one which a holdback left with the previous champion.


class Prediction(Record, frozen=True, kw_only=True):
    """What one version said of one upload. Unique by (upload_id, arm, kind)."""

    upload_id: str
    image_id: str
    unit: str
    kind: Literal["answer", "shadow"]
    arm: str
    version: int
    revision: int
    experiment: str | None
    model: str
    tensor_sha256: str  # Of the canonical image that it saw.
    probabilities: dict[str, float]
    features: Tensor | None = None
    cam: Tensor | None = None  # [label, row, column], labels in the order of `probabilities`.
    seconds: float  # In serving, for its batch.
    uploaded_at: datetime
    predicted_at: datetime

    @property
    def prediction_id(self) -> str:
        """Its name in the archive and in `chexnet lineage`."""
        return f"{self.upload_id}.{self.arm}.{self.kind}"


Share = Annotated[float, Meta(ge=0, le=1)]  # Of an image's width or height.
BOXES, NOTE = 50, 2000  # At most, of one reading: boxes, and letters of its note.


class Box(Struct, frozen=True, kw_only=True):
    """Where a reader saw a finding: the corner at the upper left, width and height."""

    label: str
    x: Share
    y: Share
    w: Share
    h: Share


class Feedback(Record, frozen=True, kw_only=True):
    """The findings that a reader recorded. A label that is missing was not assessed.

    `blinded` was recorded before, `assisted` after any output was shown; `reference` was imported
    from a source that stands as the truth (`reader` names it).
    """

    feedback_id: str
    image_id: str
    upload_id: str = ""
    unit: str
    reader: str
    findings: dict[str, Presence]
    boxes: Annotated[tuple[Box, ...], Meta(max_length=BOXES)] = ()
    note: Annotated[str, Meta(max_length=NOTE)] = ""  # Free text; it must name nobody.
    protocol: Literal["blinded", "assisted", "reference"]
    shown: int | None = None  # The version whose output was shown.
    shown_at: datetime | None = None
    propensity: float | None = None  # With which the worklist included this image.
    supersedes: str | None = None
    recorded_at: datetime


class Experiment(Struct, frozen=True, kw_only=True):
    """What is being compared, fixed when it starts."""

    name: str
    design: Literal["shadow", "split"]
    salt: str
    weights: dict[str, float]  # Of each challenger arm; fixed, since changing them moves units.
    # Decides: `macro_auroc` once, at the planned cases; `brier`, a sequence, at any time.
    metric: Literal["macro_auroc", "brier"] = "macro_auroc"
    margin: float = 0.0  # The interval's lower end must be above it; below 0 for non-inferiority.
    confidence: float = 0.95
    min_positive: int = 10  # Per label, in patients: fewer, and the label leaves the macro.
    min_cases: int = 100  # Planned, per arm; of `brier`, patients. See `chexnet experiment plan`.
    lag_days: float | None = None  # A patient's reads count until then after the first image.
    bound: float = 1.0  # Of `brier`: what one patient counts at most.
    stages: tuple[float, ...] = ()  # Of a canary: the exposures, which the guardian goes through
    stage_hours: float = 24.0  # below 1, each after so long at least.
    worklist: bool = False  # Reads come from a worklist: without a propensity they don't count.
    started_at: datetime
    started_by: str


class Holdback(Struct, frozen=True, kw_only=True):
    """A fixed share of units that stays on the previous champion after a decision."""

    share: float
    salt: str


class Control(Record, frozen=True, kw_only=True):
    """What answers now: one record per served model, changed only as a whole."""

    model: str
    revision: int
    champion: int | None
    previous: int | None
    experiment: Experiment | None
    arms: dict[str, int]  # The challengers' versions.
    exposure: float  # The share of units that the experiment includes.
    keep: tuple[int, ...] = ()  # Versions to keep loaded besides: those about to take a role.
    holdback: Holdback | None = None

    @classmethod
    def empty(cls, model: str) -> Control:
        """Revision 0, before the first release: nothing answers."""
        return cls(
            model=model,
            revision=0,
            champion=None,
            previous=None,
            experiment=None,
            arms={},
            exposure=0.0,
        )

    @property
    def experiment_name(self) -> str | None:
        """Of the running experiment; None where none runs."""
        return self.experiment.name if self.experiment else None

    @property
    def loaded(self) -> set[int]:
        """The versions that serving must keep loaded."""
        return {v for v in (self.champion, self.previous, *self.arms.values(), *self.keep) if v}


Action = Literal[
    "release",
    "start",
    "stop",
    "expose",
    "promote",
    "rollback",
    "forget",
    "breach",
    "refused",
    "watched",
    "holdback",
]


class Audit(Record, frozen=True, kw_only=True):
    """Who changed what, when, why and on what evidence. Kept for ever."""

    audit_id: str
    at: datetime
    who: str
    verified: bool  # False where the broker does not know who it was by this name.
    action: Action
    model: str
    before: int  # Revisions; the same where control did not change.
    after: int
    control: Control | None = None
    forced: bool = False
    reason: str = ""
    evidence: dict[str, Any] = {}

    @property
    def decided_by(self) -> str:
        """Who it was, and whether nobody verified that."""
        return self.who if self.verified else f"{self.who}{UNVERIFIED}"


class Release(Record, frozen=True, kw_only=True):
    """A version of the served model: what it is, and from what it came."""

    model: str
    version: int
    line: str
    network: str
    repo: str
    commit: str
    dataset: str  # repo@commit
    sha256: str  # Of the SavedModel's files, by name.
    labels: tuple[str, ...]
    metrics: dict[str, Any]
    code: str
    released_at: datetime
    released_by: str


def now() -> datetime:
    """Return the time, in UTC. Services call it; steps are given a clock."""
    return datetime.now(UTC)
