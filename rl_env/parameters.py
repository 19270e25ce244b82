"""A scenario in numbers, for compiled code: `rl_env.scenario` documents each of them by the name
that it has there (`attackers.pace` is `attackers_pace_low` and `_high` here).

An episode draws what has a low and a high end, between the two. Arrays are float64.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHOICES", "KINDS", "PLACES", "PROFILES", "SORTS", "Parameters", "flat"]

KINDS: Final = ("quiet", "scanned", "attacked")  # of episodes
PROFILES: Final = (
    "direct",
    "broad",
    "stealthy",
    "credential_thief",
    "ransomware",
    "insider",
    "adaptive",
)
SORTS: Final = ("signature", "threshold", "anomaly")  # of rules

Floats = NDArray[np.float64]


class Parameters(NamedTuple):
    """Shares and weights sum to one."""

    # ------------------------------------------------------------ episode
    episode_minutes: int
    episode_warm_up: int
    episode_kinds: Floats  # [3] shares, by KINDS
    episode_start_hour_low: float
    episode_start_hour_high: float

    # ------------------------------------------------------------ attackers
    attackers_profiles: Floats  # [7] shares, by PROFILES
    attackers_first_move_low: float  # share of the episode's minutes
    attackers_first_move_high: float
    attackers_pace_low: float  # log-uniform
    attackers_pace_high: float
    attackers_dwell_low: float  # minutes, log-uniform
    attackers_dwell_high: float
    attackers_noise_low: float  # log-uniform
    attackers_noise_high: float
    attackers_hops_low: int
    attackers_hops_high: int
    attackers_theft_minutes_low: int
    attackers_theft_minutes_high: int
    attackers_destruction_minutes_low: int
    attackers_destruction_minutes_high: int
    attackers_exploit_chance_low: float
    attackers_exploit_chance_high: float
    attackers_phishing_chance_low: float
    attackers_phishing_chance_high: float
    attackers_key_theft_chance_low: float
    attackers_key_theft_chance_high: float
    attackers_patience_low: float  # minutes, log-uniform
    attackers_patience_high: float
    attackers_address_change_chance_low: float
    attackers_address_change_chance_high: float
    attackers_address_change_minutes_low: int
    attackers_address_change_minutes_high: int
    attackers_return_chance_low: float
    attackers_return_chance_high: float
    attackers_beacon_chance_low: float  # per minute and held host
    attackers_beacon_chance_high: float
    attackers_scanners_low: float  # per hour, log-uniform
    attackers_scanners_high: float
    attackers_scanners_when_scanned_low: float  # per hour, log-uniform
    attackers_scanners_when_scanned_high: float

    # ------------------------------------------------------------ sensors
    sensors_detection_low: float
    sensors_detection_high: float
    sensors_loudness_spread: float
    sensors_sorts: Floats  # [3] shares, by SORTS
    sensors_bursts: Floats  # [3] by SORTS; log of the largest repetition
    sensors_overlap_low: float
    sensors_overlap_high: float
    sensors_mislabelled_low: float
    sensors_mislabelled_high: float
    sensors_unlabelled_low: float
    sensors_unlabelled_high: float
    sensors_unlabelled_extreme: float
    sensors_remote_low: float
    sensors_remote_high: float
    sensors_remote_extreme: float
    sensors_delay_chance_low: float
    sensors_delay_chance_high: float
    sensors_delay_minutes_low: int
    sensors_delay_minutes_high: int
    sensors_silent_chance: float
    sensors_silent_minutes_low: float  # log-uniform
    sensors_silent_minutes_high: float
    sensors_noise_rules_low: int  # per host
    sensors_noise_rules_high: int
    sensors_noise_rate_low: float  # per rule and 10-minute window, log-uniform
    sensors_noise_rate_high: float
    sensors_noise_partner_share: float
    sensors_failed_login_hosts: float
    sensors_failed_login_rate_low: float  # per rule and 10-minute window, log-uniform
    sensors_failed_login_rate_high: float
    sensors_scan_rate_low: float  # per rule and 10-minute window, log-uniform
    sensors_scan_rate_high: float
    sensors_scan_history_low: float  # per rule and 10-minute window, log-uniform
    sensors_scan_history_high: float
    sensors_upkeep_low: float  # per host and day, log-uniform
    sensors_upkeep_high: float
    sensors_upkeep_parts_low: int
    sensors_upkeep_parts_high: int
    sensors_upkeep_seen_low: float
    sensors_upkeep_seen_high: float
    sensors_history_low: float  # 10-minute windows, log-uniform
    sensors_history_high: float
    sensors_young_chance: float
    sensors_young_history_low: float  # 10-minute windows, log-uniform
    sensors_young_history_high: float
    sensors_youth_windows: float
    sensors_youth_unseen: float
    sensors_youth_upkeep: float

    # ------------------------------------------------------------ operators
    operators_answer_minutes_low: float  # log-uniform
    operators_answer_minutes_high: float
    operators_answer_spread_low: float
    operators_answer_spread_high: float
    operators_fatigue_low: float
    operators_fatigue_high: float
    operators_fatigue_half_life: float  # minutes
    operators_fatigue_stamp_low: float
    operators_fatigue_stamp_high: float
    operators_load_low: float
    operators_load_high: float
    operators_quorum_slower: float
    operators_night_factor_low: float
    operators_night_factor_high: float
    operators_night_from: float  # hour of the day
    operators_night_until: float
    operators_approve_right_low: float
    operators_approve_right_high: float
    operators_approve_wrong_low: float
    operators_approve_wrong_high: float
    operators_evidence_weight_low: float
    operators_evidence_weight_high: float
    operators_evidence_full: float  # nats
    operators_lapse_chance_low: float
    operators_lapse_chance_high: float
    operators_max_pending: int  # minutes
    operators_refused_minutes: int

    # ------------------------------------------------------------ guardrails; by criticality: [4]
    guardrails_allowed: Floats
    guardrails_leasable: Floats
    guardrails_quorum: Floats
    guardrails_quorum_extra: float
    guardrails_delayed: Floats
    guardrails_delay_low: int  # minutes
    guardrails_delay_high: int
    guardrails_max_ttl: Floats  # choices, minutes
    guardrails_window: int  # minutes
    guardrails_release_quorum: int
    guardrails_budget_low: int
    guardrails_budget_high: int
    guardrails_live_low: float  # log-uniform
    guardrails_live_high: float
    guardrails_lease_chance: float
    guardrails_lease_blocks_low: int
    guardrails_lease_blocks_high: int
    guardrails_lease_isolations_low: int
    guardrails_lease_isolations_high: int
    guardrails_lease_revocations_low: int
    guardrails_lease_revocations_high: int
    guardrails_lease_minutes_low: float
    guardrails_lease_minutes_high: float
    guardrails_lease_worst_low: int  # criticality
    guardrails_lease_worst_high: int
    guardrails_lease_max_ttl: Floats  # choices, minutes
    guardrails_time_to_live: Floats  # choices, minutes
    guardrails_enforcement_lag_low: int  # minutes
    guardrails_enforcement_lag_high: int

    # ------------------------------------------------------------ users
    users_work_from_low: float  # hour of the day
    users_work_from_high: float
    users_work_until_low: float
    users_work_until_high: float
    users_off_hours: float
    users_workstation: float
    users_server: float
    users_credential: float
    users_partner: float

    # ------------------------------------------------------------ reward
    reward_harm: Floats  # [4] per minute, by level of takeover
    reward_loss: float
    reward_loss_criticality: float
    reward_service: float  # per minute of a user's work lost
    reward_service_deserved: float
    reward_address: float  # per minute
    reward_credential: float  # per minute, x (1 + criticality)
    reward_question: float
    reward_proposal: float
    reward_gas_price: float
    reward_gas_order: float
    reward_gas_lease_order: float
    reward_gas_renewal: float
    reward_gas_receipt: float


CHOICES: Final = 12  # places for one to four choices, each as often as the others
_SIZES = {
    "episode_kinds": len(KINDS),
    "attackers_profiles": len(PROFILES),
    "sensors_sorts": len(SORTS),
    "sensors_bursts": len(SORTS),
    "guardrails_allowed": 4,
    "guardrails_leasable": 4,
    "guardrails_quorum": 4,
    "guardrails_delayed": 4,
    "guardrails_max_ttl": CHOICES,
    "guardrails_lease_max_ttl": CHOICES,
    "guardrails_time_to_live": CHOICES,
    "reward_harm": 4,
}


def flat(parameters: Parameters) -> Floats:
    """All of them, one after the other, as compiled code takes them. float64 [places]."""
    sizes = (_SIZES.get(name, 1) for name in Parameters._fields)
    each = (
        np.resize(np.asarray(value, dtype=np.float64), size)
        for value, size in zip(parameters, sizes, strict=True)
    )
    return np.concatenate(list(each))


def _places() -> Any:
    sizes = [_SIZES.get(name, 1) for name in Parameters._fields]
    places: list[Any] = np.cumsum([0, *sizes[:-1]]).tolist()
    return Parameters(*places)


# Where `flat` has each of them, or its first.
PLACES: Any = _places()
