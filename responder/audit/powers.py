"""Roles, leases, models and pauses: whether each was given, ended or used as it must be."""

from __future__ import annotations

from typing import Any

from policies.actions import Kind
from responder.audit.checker import Checker
from responder.chain.events import Event
from responder.chain.proposal import lease_message, message_digest, model_message, resume_message
from responder.chain.records import Role, to_lease

__all__ = ["PowerChecks"]


class PowerChecks(Checker):
    # ------------------------------------------------------------ governance

    def _on_RolesSet(self, event: Event, args: Any) -> None:
        _, roles, _group = args
        alone = not roles & Role.AGENT or roles == Role.AGENT
        self._require(event, alone, "an agent holds another role")

    def _on_AssetSet(self, event: Event, args: Any) -> None:
        key, (_name, zone, pool, criticality, _protected), _place = args
        known = self._ledger.assets.get(key)
        if known and (known.zone, known.pool, known.criticality) != (zone, pool, criticality):
            self._not_counted(event, Kind.ISOLATE, key)

    def _on_CredentialSet(self, event: Event, args: Any) -> None:
        key, (_name, _principal, criticality, _protected) = args
        known = self._ledger.credentials.get(key)
        if known and known.criticality != criticality:
            self._not_counted(event, Kind.REVOKE, key)

    def _on_TargetRemoved(self, event: Event, args: Any) -> None:
        self._not_counted(event, Kind(args[1]), args[0])

    def _not_counted(self, event: Event, kind: Kind, key: bytes) -> None:
        counts = self._ledger.counts(kind, key)
        self._require(event, not counts, "an order on it counted, and would at its end no more")

    # ------------------------------------------------------------ leases

    def _on_LeaseGranted(self, event: Event, args: Any) -> None:
        lease_id, values, signatures = args
        ledger, lease = self._ledger, to_lease(values)
        message = lease_message(lease, ledger.domain)
        self._require(event, message_digest(message) == lease_id, "id is not its content's hash")
        self._require(event, lease_id not in ledger.leases, "granted twice")
        alone = ledger.roles.get(lease.agent) == Role.AGENT
        self._require(event, alone, f"{lease.agent} is no agent")
        self._require(event, ledger.is_active(lease.model), "its model was not active")
        live = ledger.live_lease(lease.agent, event.time)
        self._require(event, live is None, "the agent's last lease was still live")
        left = lease.expires - event.time
        self._require(event, 0 < left <= ledger.limits.max_lease, "it lasts too long")
        self._quorum(event, signatures, message, ledger.limits.lease_quorum)

    def _on_LeaseEnded(self, event: Event, args: Any) -> None:
        lease_id, guardian = args
        self._role(event, guardian, Role.GUARDIAN)
        entry = self._ledger.leases[lease_id]
        there = not entry.ended and event.time < entry.lease.expires
        self._require(event, there, "it was over")

    # ------------------------------------------------------------ models

    def _on_ModelActivated(self, event: Event, args: Any) -> None:
        model, card, revision, deadline, signatures = args
        known = self._ledger.models.get(model)
        last = known.revision if known else 0
        self._require(event, revision == last + 1, f"revision {revision} follows {last}")
        left = deadline - event.time
        in_time = 0 < left <= self._ledger.limits.max_lease
        self._require(event, in_time, "its deadline is out of range")
        message = model_message(model, card, revision, deadline, self._ledger.domain)
        self._quorum(event, signatures, message, self._ledger.limits.model_quorum)

    def _on_ModelDeactivated(self, event: Event, args: Any) -> None:
        model, revision, guardian = args
        self._role(event, guardian, Role.GUARDIAN)
        self._require(event, self._ledger.is_active(model), "it was not active")
        last = self._ledger.models[model].revision
        self._require(event, revision == last + 1, f"revision {revision} follows {last}")

    # ------------------------------------------------------------ pauses

    def _on_Paused(self, event: Event, args: Any) -> None:
        guardian, number = args
        self._role(event, guardian, Role.GUARDIAN)
        self._require(event, not self._ledger.paused, "it was paused")
        last = self._ledger.pauses
        self._require(event, number == last + 1, f"pause {number} follows {last}")

    def _on_Resumed(self, event: Event, args: Any) -> None:
        number, signatures = args
        lasts = self._ledger.paused and number == self._ledger.pauses
        self._require(event, lasts, f"pause {number} did not last")
        message = resume_message(number, self._ledger.domain)
        self._quorum(event, signatures, message, self._ledger.limits.release_quorum)
