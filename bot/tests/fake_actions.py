"""An action server for tests: answers as rasa-sdk would, or fails in the way a test asks for."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "test-secret"


class FakeActions:
    """In a thread. `behaviour`: ok, crashed, rejected, unknown, broken (a 502 page), silent (hangs up)."""

    def __init__(self) -> None:
        self.behaviour = "ok"
        self.calls: list[dict[str, Any]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.calls.append(call)
                if fake.behaviour == "silent":
                    self.close_connection = True
                    return
                allowed = self.headers.get("X-Rapport-Secret") == SECRET
                status, answer = fake.answer(call) if allowed else (401, {"error": "no"})
                body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/actions/webhook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, call: dict[str, Any]) -> tuple[int, Any]:
        name = call["next_action"]
        failed = {"crashed": 500, "rejected": 400, "unknown": 404}
        if self.behaviour in failed:
            return failed[self.behaviour], {"error": "no", "action_name": name}
        if self.behaviour == "broken":
            return 502, "<html>Bad gateway</html>"
        if name.startswith("validate_"):
            value = call["tracker"]["slots"].get("complaint_text")
            slot = {"event": "slot", "name": "complaint_text", "value": value, "timestamp": None}
            return 200, {"events": [slot] if value else [], "responses": []}
        number = call["tracker"]["slots"].get("order_number") or "FJ-1"
        response: dict[str, Any] = {
            "response": "utter_order",
            "number": number,
            "custom": {"type": "card"},
            "buttons": [],
        }
        return 200, {"events": [], "responses": [response]}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
