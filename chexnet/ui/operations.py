"""The operations page: the running experiment with its evidence, decisions, audit, dead letters.

It decides nothing that the command line would not: the same rules refuse, and who may do it is the
broker's matter. Readers are blinded; this page is for those who are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from chexnet import release, rights, topics
from chexnet.errors import ChexnetError, ConfigError, Refused
from chexnet.experiments import control as controls
from chexnet.experiments import decisions, declared
from chexnet.experiments.assignment import shares
from chexnet.messages import CHAMPION, UNVERIFIED, Audit, Control, Message, new_id, now
from chexnet.runtime import dead_letters, deciding
from chexnet.settings import Settings
from chexnet.ui import parts
from chexnet.ui.evidence import told
from chexnet.ui.page import Act, Look, Page
from chexnet.ui.traffic import Traffic
from chexnet.ui.wiring import Wiring

LIMITS = {  # In docs/guardrails.md's words.
    "latency": "latency {:g} times the other version's",
    "errors": "errors {:.0%} of images",
    "scores": "scores: stability index {:g}",
    "features": "features {:g} deviations",
    "outliers": "outliers {:.0%} of images",
    "calibration": "calibration: z {:g}, only told",
}
SHOWN = 50  # Entries of the audit, and dead letters of a topic, the newest first.
AT_ONCE = 1000  # Dead letters that one press sends back at most.


def entry_of(audit: Audit) -> dict[str, Any]:
    """Return what the page shows of a decision."""
    return {
        "at": f"{audit.at.astimezone():%d %b %H:%M}",
        "who": audit.decided_by,
        "action": audit.action,
        "revision": audit.after,
        "champion": audit.control.champion if audit.control else None,
        "reason": audit.reason + (" (forced)" if audit.forced else ""),
    }


def letter_of(topic: str, letter: Message) -> dict[str, Any]:
    """Return what the page shows of a dead letter: never its bytes."""
    return {
        "topic": topic,
        "offset": letter.offset,
        "at": f"{letter.headers.created_at.astimezone():%d %b %H:%M}",
        "error": letter.headers.extra.get("error", ""),
        "reason": letter.headers.extra.get("reason", ""),
    }


def may_decide(principal: str | None) -> bool:
    """Whether this user may write control; where the broker knows no users, everybody may."""
    role = rights.ROLES.get(principal or "")
    return principal is None or (role is not None and topics.CONTROL in role.writes)


class Operations(Page):
    """Shows what runs, and lets an operator act.

    Args:
        settings: of the pipeline; from the environment where it is left out.
        person: who decides, as `Shared` asked it; the operating system's user where it is left
            out. Where the broker knows users, theirs is the name that counts.
        wiring: bus, store and the like, instead of those that the settings name.
    """

    _esm = parts.module("chart.js", "page.js", "decide.js", "operations.js")

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        person: str = "",
        wiring: Wiring | None = None,
    ) -> None:
        self._made = wiring or Wiring.of(settings or Settings())
        self._person = person.removesuffix(UNVERIFIED)
        self._looked = Control.empty(self._made.model)
        self._entries: list[Audit] = []
        self._traffic = Traffic(self._made.bus)
        super().__init__(f"{self._made.model} operations")

    def sections(self) -> Mapping[str, Look]:
        """Return what the page looks at; the first reads control and audit, once for all."""
        return {
            "control": self._control,
            "experiment": self._experiment,
            "traffic": self._traffic.look,
            "guardrails": self._guardrails,
            "versions": self._versions,
            "letters": self._letters,
            "audit": self._audit,
        }

    def act(self, message: Mapping[str, Any]) -> Act | None:
        """Return what a press asks for."""
        match message:
            case {"type": "stop", "reason": str(reason), **seen}:
                return self._decision(seen, self._stop, reason)
            case {"type": "promote", "version": int(version), "reason": str(reason), **seen}:
                return self._decision(seen, lambda by: self._promote(version, by), reason)
            case {"type": "rollback", "reason": str(reason), **seen}:
                return self._decision(seen, self._rollback, reason)
            case {"type": "start", "name": str(), "arm": str(), "version": int(), **seen}:
                wanted = dict(message)
                return self._decision(seen, lambda by: self._start(wanted, by), "")
            case {"type": "replay", "topic": str(name)}:
                return lambda: self._replay(name)
        return None

    def _control(self) -> dict[str, Any]:
        self._looked = controls.read(self._made.bus, self._made.model)
        self._entries = list(decisions.history(self._made.bus, self._made.model))
        return {
            "champion": self._looked.champion,
            "previous": self._looked.previous,
            "revision": self._looked.revision,
            "user": self._made.principal or "",
            "may": may_decide(self._made.principal),
        }

    def _experiment(self) -> dict[str, Any]:
        control, running = self._looked, self._looked.experiment
        if running is None:
            return {"running": None}
        of = {CHAMPION: 1.0} if running.design == "shadow" else shares(running, control.exposure)
        versions = {CHAMPION: control.champion, **control.arms}
        return {
            "running": {
                "name": running.name,
                "design": "canary" if running.stages else running.design,
                "exposure": control.exposure,
                "since": f"{running.started_at.astimezone():%d %b %Y %H:%M}",
                "by": running.started_by,
                "arms": [
                    {"arm": arm, "version": version, "share": of.get(arm, 0.0)}
                    for arm, version in versions.items()
                ],
                "evidence": self._evidence(),
            }
        }

    def _evidence(self) -> dict[str, Any]:
        try:
            from chexnet.experiments.review import review
        except ImportError as error:
            rule = "Evidence needs the statistics' packages. Received: an installation without."
            todo = "Install them with: pip install 'chexnet-pipeline[cli]'"
            raise ConfigError(f"{rule} {todo}") from error
        try:
            return told(review(self._made.bus, self._made.store, self._looked, until=now()))
        except ChexnetError as error:  # The arms are true without it.
            return {"problem": str(error), "arms": []}

    def _guardrails(self) -> dict[str, Any]:
        """Return the limits, and which of today's versions was beyond one since it has its role."""
        limits = self._made.guardrails
        watched = {self._looked.champion, *self._looked.arms.values()}
        breaches = [
            {**entry_of(entry), "version": entry.evidence.get("version")}
            for entry in self._entries
            if entry.action == "breach" and entry.evidence.get("version") in watched
        ]
        return {
            "limits": [text.format(getattr(limits, name)) for name, text in LIMITS.items()],
            "images": limits.images,
            "breaches": breaches[::-1][:SHOWN],
        }

    def _versions(self) -> dict[str, Any]:
        loaded = self._looked.loaded
        return {
            "released": [
                {
                    "version": version,
                    "line": record.line,
                    "network": record.network,
                    "at": f"{record.released_at.astimezone():%d %b %Y %H:%M}",
                    "loaded": version in loaded,
                }
                for version, record in reversed(release.records(self._made.store).items())
            ][:SHOWN]
        }

    def _letters(self) -> dict[str, Any]:
        """Return the dead letters of the topics that this user may read."""
        role = rights.ROLES.get(self._made.principal or "")
        known = [t for t in topics.WITH_DLQ if role is None or t.dlq in role.reads]
        return {
            "letters": [
                letter_of(topic.name, letter)
                for topic in known
                for letter in reversed(list(dead_letters.letters(self._made.bus, topic))[-SHOWN:])
            ]
        }

    def _audit(self) -> dict[str, Any]:
        return {"entries": [entry_of(e) for e in self._entries[::-1][:SHOWN]]}

    def _decision(
        self, seen: Mapping[str, Any], decide: Callable[[decisions.By], str], reason: str
    ) -> Act:
        """Return a decision on the revision that the person saw: a newer one refuses it."""

        def decided() -> str:
            if seen.get("revision") != self._looked.revision:
                rule = f"A decision must be made on what is shown, revision {self._looked.revision}"
                raise Refused(f"{rule}. Received: {seen.get('revision')}. Look again, and decide.")
            if not may_decide(self._made.principal):
                rule = "Only an operator decides which version answers."
                raise Refused(f"{rule} Received: {self._made.principal}. Ask one of them.")
            who = self._made.principal
            return decide(decisions.By.person(who, now(), reason, name=self._person))

        return decided

    def _stop(self, by: decisions.By) -> str:
        shown = self.state["sections"].get("experiment", {}).get("running") or {}
        stopped = decisions.stop(self._made.bus, self._looked, by, {"shown": shown})
        return f"The experiment has stopped, from revision {stopped.revision} on."

    def _promote(self, version: int, by: decisions.By) -> str:
        made = self._made
        unproven, evidence = deciding.evidence(
            made.bus, made.store, self._looked, version, until=by.at
        )
        unready = deciding.unready(made.store, made.replicas, version)
        done = decisions.promote(made.bus, self._looked, version, unready, unproven, evidence, by)
        return f"Version {version} is the champion from revision {done.revision} on."

    def _rollback(self, by: decisions.By) -> str:
        from chexnet.experiments import readiness

        previous = self._looked.previous
        unready = readiness.missing(previous, self._made.replicas, None) if previous else []
        done = decisions.rollback(self._made.bus, self._looked, unready, by)
        return f"Version {done.champion} is the champion again, from revision {done.revision} on."

    def _start(self, wanted: Mapping[str, Any], by: decisions.By) -> str:
        made = self._made
        arms = {str(wanted["arm"]).strip(): int(wanted["version"])}
        file = declared.Declared(
            schema="experiment-file/1",
            name=str(wanted["name"]).strip(),
            design=_design(wanted),
            arms=arms,
            metric="macro_auroc",
            cases=max(int(wanted.get("cases") or 100), 1),
        )
        declared.check(file)
        unready = deciding.unready(made.store, made.replicas, *arms.values())
        experiment = file.experiment(salt=new_id(), at=by.at, who=by.who)
        started = decisions.start(
            made.bus, self._looked, experiment, arms, file.included, unready, by
        )
        return f"{file.name} runs from revision {started.revision} on."

    def _replay(self, name: str) -> str:
        topic = next((t for t in topics.WITH_DLQ if t.name == name), None)
        if topic is None:
            return ""
        sent, kept = dead_letters.replay(self._made.bus, topic, AT_ONCE)
        rest = f" {kept} had no bytes: upload these images again." if kept else ""
        return f"Sent {sent} of {topic.dlq.name} to {name}.{rest}"


def _design(wanted: Mapping[str, Any]) -> Literal["shadow", "split"]:
    design = wanted.get("design", "shadow")
    if design not in ("shadow", "split"):
        rule = "An experiment that starts here must be a shadow or a split."
        todo = "A canary, or a metric for daily looks, has a file: chexnet experiment start FILE"
        raise Refused(f"{rule} Received: {design!r}. {todo}")
    return cast(Literal["shadow", "split"], design)
