"""CrowdSec's local API as its swagger file and CrowdSec 1.4.6 have it, so far as we use it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOGIN, PASSWORD = "countersign", "a-machine's-password"


class Lapi:
    """Keeps alerts; `now` is its clock."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
        self.tokens = 0  # only the last counts
        self.queries: list[dict[str, str]] = []
        self.status = 200
        lapi = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known = asked == {"machine_id": LOGIN, "password": PASSWORD}
                if not known or "/" not in self.headers["User-Agent"]:
                    self._say(401, {"code": 401, "message": "incorrect Username or Password"})
                    return
                lapi.tokens += 1
                self._say(200, {"code": 200, "expire": "", "token": f"token-{lapi.tokens}"})

            def do_GET(self) -> None:
                if self.headers.get("Authorization") != f"Bearer token-{lapi.tokens}":
                    self._say(401, {"message": "Token is expired"})
                    return
                query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                lapi.queries.append(query)
                self._say(lapi.status, lapi.answer(query))

            def _say(self, status: int, document: Any) -> None:
                body = json.dumps(document).encode()
                self.send_response_only(status)
                self.send_header("Date", format_datetime(lapi.now, usegmt=True))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Lapi:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, count: int = 1, decided: bool = False, **more: Any) -> list[int]:
        """Alerts made now, which settle later; returns their numbers."""
        numbers = []
        for _ in range(count):
            number = max((alert["id"] for alert in self.alerts), default=0) + 1
            created = self.now.isoformat().replace("+00:00", "Z")
            alert = {"id": number, "created_at": created, "scenario": "crowdsecurity/ssh-bf"}
            decisions = [{"origin": "crowdsec"}] if decided else None
            self.alerts.append({**alert, "decisions": decisions, **more})
            numbers.append(number)
        return numbers

    def later(self, seconds: float = 10.0) -> None:
        self.now += timedelta(seconds=seconds)

    def answer(self, query: dict[str, str]) -> list[dict[str, Any]] | None:
        """As 1.4.6: `include_capi=false` shows only alerts that have decisions."""
        wanted = [
            alert
            for alert in reversed(self.alerts)
            if bool(alert["decisions"]) == (query.get("include_capi") == "false")
        ]
        limit = int(query["limit"])
        assert limit <= 100  # see crowdsec_api: more, and the real one may never answer
        return wanted[: limit or None] or None
