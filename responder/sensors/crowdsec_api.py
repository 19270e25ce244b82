"""Alerts of CrowdSec, polled from its local API.

As a machine, since a bouncer's API key may only read decisions: `cscli machines add countersign
--auto -f FILE` writes the credentials file (see CrowdSec's "Local API", and its
localapi_swagger.yaml for `/watchers/login` and `/alerts`). The answer is newest first and can be
limited but not continued, and its `since` goes by when an alert's events began. So we ask for a few
and, where all of them are new, for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import orjson
import requests
import yaml

from responder.errors import Permanent, Temporary
from responder.sensors.line import MAX_LINE
from responder.sensors.receiver import Receiver
from responder.sensors.spool import Spool

__all__ = ["CrowdSec"]

_POLL_SECONDS = 5.0
_SETTLED_SECONDS = 2.0  # older alerts have no late sibling with a lower number
_FEW = 50  # alerts
_ALL = 0  # CrowdSec keeps 5,000 unless told otherwise. A limit well above what it has makes it loop
# All but what the community's lists bring, thousands of decisions each. Before 1.5.3 the first also
# leaves out alerts without decisions (crowdsecurity/crowdsec#2242).
_QUERIES = ({"include_capi": "false"}, {"has_active_decision": "false"})
_AGENT = "countersign/1"  # refused without a version
_MAX_ANSWER = 64 << 20
_MISSED = f"of more than {_MAX_ANSWER >> 20} MiB only the newest {_FEW} alerts were taken"
_TIMEOUT = (5.0, 30.0)  # seconds to connect, and between bytes


class _TooMuch(Temporary):
    """An answer larger than we hold."""


class CrowdSec(Receiver):
    """Polls for alerts and spools each once, the oldest first.

    The newest spooled alert says which come next, so there is no other state to keep.
    """

    def __init__(
        self, name: str, url: str, credentials_file: Path, poll: float = _POLL_SECONDS
    ) -> None:
        super().__init__(name)
        self._url = url.rstrip("/")
        self._credentials_file = credentials_file
        self._poll = poll
        self._session = requests.Session()
        self._session.trust_env = False  # neither proxies nor netrc decide where credentials go
        self._token = ""
        self._last: tuple[int, str] = (0, "")  # number and creation of the newest spooled alert

    def open(self, spool: Spool) -> None:
        _credentials(self._credentials_file)  # a wrong file is said at once
        line = spool.last_line()
        if line is not None:
            try:
                alert = orjson.loads(line)
                _created(alert)
                self._last = (int(alert["id"]), str(alert["created_at"]))
            except (KeyError, TypeError, ValueError):
                raise Permanent(
                    f"{spool.path} does not end with an alert of CrowdSec; move it away, and its "
                    "alerts are fetched anew"
                ) from None

    def shut(self) -> None:
        self._session.close()

    def work(self, spool: Spool) -> None:
        while not self.stopping.is_set():
            new, complete = self._new()
            self._take(new, spool)
            missed = (
                f"{self.name} has more to say than {_MAX_ANSWER >> 20} MiB: older alerts are missed"
            )
            self.trouble = "" if complete else missed
            self.stopping.wait(self._poll)

    def _take(self, alerts: list[dict[str, Any]], spool: Spool) -> None:
        lines, oversized = [], 0
        for alert in alerts:
            try:
                line = orjson.dumps(alert)
            except orjson.JSONEncodeError:  # nested deeper than it writes, though not than it reads
                line = b""
            if not line or len(line) > MAX_LINE:
                oversized += 1
            else:
                lines.append(line)
        if alerts and self.put(spool, lines, kept=True):
            spool.count(oversized=oversized)
            self._last = (alerts[-1]["id"], alerts[-1]["created_at"])

    def _new(self) -> tuple[list[dict[str, Any]], bool]:
        """Alerts that are not spooled yet, by number, and whether these are all."""
        found: dict[int, dict[str, Any]] = {}
        complete, settled = True, math.inf
        for query in _QUERIES:
            alerts, until = self._alerts({**query, "limit": str(_FEW)})
            if all(self._is_new(alert) for alert in alerts) and len(alerts) >= _FEW:
                try:
                    alerts, until = self._alerts({**query, "limit": str(_ALL)})
                except _TooMuch:
                    complete = False
            new = {alert["id"]: alert for alert in alerts if self._is_new(alert)}
            found |= new
            settled = min(settled, until)
        ordered = [found[number] for number in sorted(found)]
        unsettled = (n for n, alert in enumerate(ordered) if _created(alert) > settled)
        return ordered[: next(unsettled, len(ordered))], complete

    def _is_new(self, alert: Mapping[str, Any]) -> bool:
        """Also where CrowdSec's database was made anew, and its numbers began again."""
        number, created = self._last
        if alert["id"] > number or not created:
            return True
        return _created(alert) > _created({"created_at": created}) + _SETTLED_SECONDS

    # ------------------------------------------------------------ HTTP

    def _alerts(self, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], float]:
        """The newest alerts, and until when by CrowdSec's clock they are settled."""
        if not self._token:
            self._login()
        answer, body = self._ask("GET", "/v1/alerts", params=query)
        if answer.status_code == requests.codes.unauthorized:  # tokens last an hour
            self._login()
            answer, body = self._ask("GET", "/v1/alerts", params=query)
        if answer.status_code != requests.codes.ok:
            raise Temporary(f"{self.name} answers {answer.status_code} when asked for alerts")
        try:
            alerts = orjson.loads(body) or []
            date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
            for alert in alerts:
                if not isinstance(alert["id"], int):
                    raise TypeError
                _created(alert)
        except (KeyError, TypeError, ValueError):
            raise Temporary(f"{self.name} does not answer as CrowdSec does") from None
        return alerts, date - _SETTLED_SECONDS

    def _login(self) -> None:
        login, password = _credentials(self._credentials_file)
        self._token = ""
        asked = {"machine_id": login, "password": password}
        answer, body = self._ask("POST", "/v1/watchers/login", json=asked)
        if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise Permanent(
                f"{self.name} refuses the machine in {self._credentials_file}; look at "
                "`cscli machines list`, and make one with `cscli machines add`"
            )
        try:
            token = orjson.loads(body)["token"]
            if not isinstance(token, str):
                raise TypeError("a token is text")
        except (KeyError, TypeError, ValueError):
            raise Temporary(f"{self.name} answers {answer.status_code} to our login") from None
        self._token = token

    def _ask(self, method: str, path: str, **content: Any) -> tuple[requests.Response, bytes]:
        headers = {"User-Agent": _AGENT, "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            with self._session.request(
                method,
                self._url + path,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
                **content,
            ) as answer:
                return answer, self._read(answer)
        except requests.RequestException as error:
            # Its text may quote what was sent.
            raise Temporary(f"cannot reach {self.name}: {type(error).__name__}") from None

    def _read(self, answer: requests.Response) -> bytes:
        body = bytearray()
        for piece in answer.iter_content(1 << 16):
            body += piece
            if len(body) > _MAX_ANSWER:
                raise _TooMuch(f"{self.name} answers with more than {_MAX_ANSWER >> 20} MiB")
            if self.stopping.is_set():
                raise Temporary("stopping")
        return bytes(body)


def _created(alert: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(alert["created_at"]).timestamp()


def _credentials(path: Path) -> tuple[str, str]:
    """Login and password; errors quote nothing of the file."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise Permanent(
            f"cannot read {path}: {error.strerror}; write it with `cscli machines add`"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict) or not {"login", "password"} <= set(document):
        raise Permanent(
            f"{path} holds no `login` and `password`; write it with `cscli machines add`"
        )
    return str(document["login"]), str(document["password"])
