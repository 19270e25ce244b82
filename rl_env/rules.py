"""The rules of a site's sensors, drawn anew for every episode, by what they notice.

Three sorts as real feeds mix them: signatures (a tactic is known), thresholds (floods: one scan
makes many alerts) and anomalies (no tactic). Magnitudes follow what the picture measures on
recorded alerts of real test beds: quiet hosts stay below 20 nats, maintenance and mere scans bring
40 to 105, a taken-over server 130 to 230.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from policies.alerts import Stage, Tactic
from policies.compiled import compiled
from rl_env import dice
from rl_env.parameters import PLACES as AT
from rl_env.world import (
    ANOMALY,
    REMOTE,
    RULES,
    SIGNATURE,
    SORT,
    STAGE,
    TACTIC,
    THRESHOLD,
    State,
    between,
    happens,
    of_site,
    throw,
)

__all__ = ["ACTIVITIES", "NO_TACTIC", "TITLES", "draw_rules", "pick_rule"]

_T = Tactic
NO_TACTIC: Final = len(Tactic)

# What sensors notice: title, rules of its own, how many of them answer (least, most), log of the
# largest repetition, tactics, and activities whose rules may answer here, too.
_TABLE: Final = (
    ("Unusual value", 24, 1, 2, 1.0, tuple(_T), ()),
    (
        "Administration",
        24,
        4,
        16,
        1.0,
        (_T.EXECUTION, _T.PERSISTENCE, _T.PRIVILEGE_ESCALATION),
        (),
    ),
    ("Failed login", 8, 2, 8, 3.0, (_T.CREDENTIAL_ACCESS,), ()),
    ("Sweep", 16, 4, 10, 9.0, (_T.RECONNAISSANCE,), (0,)),
    ("Vulnerability probe", 26, 8, 20, 13.0, (_T.RECONNAISSANCE, _T.INITIAL_ACCESS), (3,)),
    ("Exploit", 8, 0, 5, 1.0, (_T.INITIAL_ACCESS, _T.EXECUTION), (4,)),
    ("Malicious document", 6, 0, 3, 1.0, (_T.INITIAL_ACCESS, _T.EXECUTION), (1,)),
    ("Escalation", 14, 3, 11, 1.0, (_T.PRIVILEGE_ESCALATION, _T.DEFENSE_EVASION), (1,)),
    ("Credential theft", 6, 1, 4, 1.0, (_T.CREDENTIAL_ACCESS,), (2,)),
    ("Lateral movement", 14, 4, 12, 1.0, (_T.LATERAL_MOVEMENT, _T.DISCOVERY), (3, 1)),
    ("Command channel", 6, 1, 3, 1.0, (_T.COMMAND_AND_CONTROL,), ()),
    ("Mass transfer", 8, 1, 5, 1.0, (_T.EXFILTRATION, _T.COLLECTION), ()),
    ("Destruction", 6, 2, 6, 5.0, (_T.IMPACT,), (1,)),
)
ACTIVITIES: Final = len(_TABLE)
(
    NOISE,
    UPKEEP,
    LOGINS,
    SCAN,
    PROBE,
    EXPLOIT,
    PHISHING,
    ESCALATION,
    THEFT_OF_KEYS,
    LATERAL,
    BEACON,
    TRANSFER,
    DESTRUCTION,
) = range(ACTIVITIES)

TITLES: Final = tuple(row[0] for row in _TABLE)
_COUNT = np.array([row[1] for row in _TABLE], dtype=np.int64)
FIRST = np.concatenate([[0], np.cumsum(_COUNT)]).astype(np.int64)  # [ACTIVITIES + 1]
LEAST = np.array([row[2] for row in _TABLE], dtype=np.int64)
MOST = np.array([row[3] for row in _TABLE], dtype=np.int64)
REPEATS = np.array([row[4] for row in _TABLE])
_TACTICS = np.array([np.resize(row[5], 12) for row in _TABLE], dtype=np.int64)  # evenly, of 12
_LENDERS = np.array([(*row[6], -1, -1)[:2] for row in _TABLE], dtype=np.int64)
_STAGES = np.array([*(Stage.of(t) for t in Tactic), Stage.UNKNOWN], dtype=np.int64)
IN_ALL: Final = int(FIRST[-1])
_OWNERS = np.repeat(np.arange(ACTIVITIES), _COUNT)


@compiled
def activity_of(rule: int) -> int:
    """Whose own rule it is."""
    return _OWNERS[rule]


@compiled
def draw_rules(s: State) -> None:
    """Sort, tactic and stage of each rule, and whether it names both ends of a connection."""
    unlabelled = _extreme(s, AT.sensors_unlabelled_low, AT.sensors_unlabelled_extreme)
    remote = _extreme(s, AT.sensors_remote_low, AT.sensors_remote_extreme)
    mislabelled = between(s, AT.sensors_mislabelled_low)
    s.overlap = between(s, AT.sensors_overlap_low)
    signature = s.dials[AT.sensors_sorts]
    threshold = s.dials[AT.sensors_sorts + 1]
    for rule in range(IN_ALL):
        luck = dice.mixed(s.key ^ dice.mixed(np.uint64(RULES + rule)))
        sort = ANOMALY
        if dice.part(luck, 0) < signature + threshold:
            sort = SIGNATURE if dice.part(luck, 0) < signature else THRESHOLD
        tactic = int(_TACTICS[activity_of(rule), int(12 * dice.part(luck, 1))])
        if happens(s, mislabelled):
            tactic = throw(s, NO_TACTIC)
        if sort == ANOMALY or dice.part(luck, 2) < unlabelled:
            tactic = NO_TACTIC
        s.rule[rule, SORT] = sort
        s.rule[rule, TACTIC] = tactic
        s.rule[rule, STAGE] = _STAGES[tactic]
        s.rule[rule, REMOTE] = dice.part(luck, 3) < remote


@compiled
def _extreme(s: State, place: int, chance: int) -> float:
    """A share; of some sites it is all or nothing."""
    if happens(s, s.dials[chance]):
        return float(throw(s, 2))
    return between(s, place)


@compiled
def pick_rule(s: State, activity: int) -> int:
    """One of those that answer to this activity at this site."""
    own = FIRST[activity + 1] - FIRST[activity]
    for _ in range(8):
        k = throw(s, own + _lent(activity, 0) + _lent(activity, 1))
        if k < own:
            return FIRST[activity] + k
        k -= own
        lender = _LENDERS[activity, 0]
        if k >= _lent(activity, 0):
            k -= _lent(activity, 0)
            lender = _LENDERS[activity, 1]
        rule = FIRST[lender] + k
        if of_site(s, 1_000 + activity, rule) < s.overlap:
            return rule
    return FIRST[activity] + throw(s, own)


@compiled
def _lent(activity: int, which: int) -> int:
    lender = _LENDERS[activity, which]
    return 0 if lender < 0 else FIRST[lender + 1] - FIRST[lender]
