"""Sites in numbers: what exists, who reaches whom, who works with what; the same for all episodes.

`Sites` holds `K` of them, padded to the largest. Everything is int32 unless said, -1 or 0 where
there is nothing, and is read by compiled code alone; `rl_env.network` draws them or makes them of
an inventory.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEEDS", "OPENS", "Sites"]

Ints = NDArray[np.int32]
Addresses = NDArray[np.int64]

NEEDS: Final = 4  # servers that a user may need
OPENS: Final = 16  # hosts that a credential may open

# size[k, ...]
HOSTS, CREDENTIALS, USERS, ZONES, PARTNERS, SHIELDS = range(6)
# host[k, h, ...]
CRITICALITY, PROTECTED, ROLE, EXPOSED, POOL, JEWEL, SERVICES = range(7)
# role of a host
WORKSTATION, SERVER, DATABASE, DIRECTORY, GATEWAY, CONTROLLER = range(6)
# credential[k, c, ...]; the hosts it opens follow from OPENED on
WORTH, GUARDED, OWNER, OPENED = range(4)
# user[k, u, ...]; the servers needed follow from NEEDED on
HOST, PARTNER, NEEDED = range(3)
# zone[k, z, ...]
REACH, ASSETS, MAX_SHARE, EXTRA, FROZEN_FROM, FROZEN_UNTIL, OPENS_AT, OPEN_FOR = range(8)
# pool[k, q, ...]
MEMBERS, KEEP = range(2)


class Sites(NamedTuple):
    """`N` hosts, `C` credentials, `U` users, `Z` zones, `Q` pools, `P` partners, `S` shields at
    most.
    """

    size: Ints  # [K, 6] how many of each there are
    zones: Ints  # [K, N] zone of each host
    host: Ints  # [K, N, 7] criticality 0..3, 0/1, role, 0/1, pool or -1, 0/1, open services
    credential: Ints  # [K, C, 3 + OPENS] criticality, 0/1, user or -1, hosts or -1
    user: Ints  # [K, U, 2 + NEEDS] own host, partner or -1, servers or -1
    zone: Ints  # [K, Z, 8] bits of the zones it reaches, assets, and its rule: percent,
    #   approvals more while frozen from/until (minutes of the episode), weekly change window
    #   (second of the week, seconds)
    pool: Ints  # [K, Q, 2] members, how many of them must stay reachable
    partner: Addresses  # int64 [K, P] IPv4 addresses that users need
    shield: Addresses  # int64 [K, S, 2] first and last IPv4 address of protected networks
