"""Sessions from a seed: what an editor does, what a broken one does, and an engine in trouble."""

import random
from collections.abc import Callable
from typing import Any

from tests.fuzz import oddities
from tests.fuzz.case import Case, Step
from tests.fuzz.oddities import LARGEST

URIS = ["file:///w/a.py", "untitled:Untitled-1", "file:///w/%C3%A9%20b.md", "file:///w/\ud83d.c"]
ENCODINGS = ["utf-8", "utf-16", "utf-32"]
COMMANDS = [
    *("explain", "chat", "chat", "accepted", "status", "conversations", "conversation"),
    *("conversation.delete", "conversation.rename", "conversation.export"),
]
METHODS = ["$/x", "textDocument/hover", "x", "", "initialized", "textDocument/didOpen", "shutdown "]


class Generator:
    """Makes one session."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._steps: list[Step] = []
        self._next_id = 0
        self._ids: list[int | str] = []
        self._versions = dict.fromkeys(URIS, 0)

    def case(self) -> Case:
        """Make it."""
        if self._dice.random() < 0.9:
            self._initialize()
        else:
            self._many(5)
            self._initialize()
        self._many(self._dice.choice([10, 40, 40, 120]))
        if self._dice.random() < 0.6:
            self._steps.append(["settle"])
        if self._dice.random() < 0.7:
            self._request("shutdown", None)
            if self._dice.random() < 0.3:
                self._many(3)
        return Case(self._steps, self._dice.choice(["exit", "exit", "eof"]))

    def _many(self, count: int) -> None:
        kinds: dict[Callable[[], None], int] = {
            self._open: 6,
            self._change: 30,
            self._close: 3,
            self._complete: 16,
            self._cancel: 12,
            self._command: 8,
            self._other: 8,
            self._spoilt: 14,
            self._body: 2,
            self._noise: 2,
            self._engine: 9,
            self._respond: 2,
            self._turn: 12,
            self._settle: 4,
            self._initialize_again: 1,
        }
        for kind in self._dice.choices(list(kinds), list(kinds.values()), k=count):
            kind()

    # Steps.

    def _send(self, message: Any) -> None:
        self._steps.append(["send", message])

    def _notify(self, method: str, params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _request(self, method: str, params: Any, *, again: bool = False) -> None:
        if again and self._ids and self._dice.random() < 0.05:
            id = self._dice.choice(self._ids)
        else:
            self._next_id += 1
            id = self._next_id if self._dice.random() < 0.8 else str(self._next_id)
            self._ids.append(id)
        self._send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})

    def _initialize(self) -> None:
        self._request("initialize", self._initialize_params())
        self._notify("initialized", {})

    def _initialize_again(self) -> None:
        params = self._initialize_params()
        message = {"jsonrpc": "2.0", "method": "initialize", "params": params}
        if self._dice.random() < 0.7:
            self._request("initialize", params)
        else:
            self._send(message)

    def _initialize_params(self) -> dict[str, Any]:
        capabilities: dict[str, Any] = {"window": {}, "workspace": {}, "textDocument": {}}
        if self._dice.random() < 0.7:
            encodings = self._dice.sample(ENCODINGS, self._dice.randint(1, 3))
            capabilities["general"] = {"positionEncodings": encodings}
        if self._dice.random() < 0.7:
            capabilities["textDocument"]["inlineCompletion"] = {}
        for name in ("workDoneProgress", "showDocument"):
            if self._dice.random() < 0.5:
                capabilities["window"][name] = {"support": True} if "show" in name else True
        if self._dice.random() < 0.3:
            capabilities["workspace"] = {
                "configuration": True,
                "didChangeConfiguration": {"dynamicRegistration": True},
                "textDocumentContent": {},
            }
        options = {"statusNotifications": self._dice.random() < 0.5}
        return {
            "processId": None,
            "rootUri": None,
            "capabilities": capabilities,
            "initializationOptions": options,
        }

    def _uri(self) -> str:
        return self._dice.choices(URIS, [8, 2, 1, 1])[0]

    def _open(self) -> None:
        uri = self._uri()
        self._versions[uri] = version = self._dice.choice([0, 1, 1, 7])
        text = oddities.text(self._dice, 60)
        language = self._dice.choices(["python", "\ud83d"], [9, 1])[0]
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": item})

    def _change(self) -> None:
        uri = self._uri()
        step = self._dice.choices([1, 0, 5, -1], [30, 2, 2, 1])[0]
        self._versions[uri] += step
        changes = [self._one_change() for _ in range(self._dice.choice([1, 1, 1, 2, 5, 0]))]
        identifier = {"uri": uri, "version": self._versions[uri]}
        self._notify(
            "textDocument/didChange", {"textDocument": identifier, "contentChanges": changes}
        )

    def _one_change(self) -> dict[str, Any]:
        if self._dice.random() < 0.08:
            return {"text": oddities.text(self._dice, 60)}
        span = self._range() if self._dice.random() < 0.7 else self._point()
        text = oddities.text(self._dice, self._dice.choice([1, 1, 12]))
        change: dict[str, Any] = {"range": span, "text": text}
        if self._dice.random() < 0.3:
            change["rangeLength"] = self._dice.choice([0, 3, LARGEST])
        return change

    def _close(self) -> None:
        self._notify("textDocument/didClose", {"textDocument": {"uri": self._uri()}})

    def _position(self) -> dict[str, int]:
        line = self._dice.choice([0, 0, 1, 2, 3, 5, 12, LARGEST])
        character = self._dice.choice([0, 1, 2, 3, 5, 8, 20, LARGEST])
        return {"line": line, "character": character}

    def _range(self) -> dict[str, Any]:
        return {"start": self._position(), "end": self._position()}

    def _point(self) -> dict[str, Any]:
        place = self._position()
        return {"start": place, "end": place}

    def _complete(self) -> None:
        method = self._dice.choice(
            ["textDocument/inlineCompletion"] * 4 + ["textDocument/completion"]
        )
        params: dict[str, Any] = {
            "textDocument": {"uri": self._uri()},
            "position": self._position(),
            "context": {"triggerKind": self._dice.choice([1, 1, 0, 2])},
        }
        if self._dice.random() < 0.2:
            params["workDoneToken"] = self._dice.choice([5, "token", -1])
        if method.endswith("/completion"):
            params["context"] = {"triggerKind": 1}
        self._request(method, params, again=True)

    def _cancel(self) -> None:
        recent = self._ids[-6:] or [0]
        id = self._dice.choice([*recent, *recent, 999_999, "nobody"])
        self._notify("$/cancelRequest", {"id": id})

    def _command(self) -> None:
        name = self._dice.choice(COMMANDS)
        document = {"uri": self._uri(), "range": self._range()}
        known: dict[str, dict[str, Any]] = {
            "explain": {**document, "show": self._dice.random() < 0.5},
            "chat": {"message": "@a.py " + oddities.text(self._dice), "attachments": [document]},
            "conversation.delete": {"conversationId": oddities.text(self._dice, 3)},
            "conversation.rename": {"conversationId": "x", "title": oddities.text(self._dice)},
            "conversation.export": {"conversationId": "x", "format": "json"},
            "accepted": {"suggestionId": "x", "acceptedLength": 3},
        }
        arguments = known.get(name, {})
        if self._dice.random() < 0.4:
            arguments["token"] = self._dice.choice([1, "stream"])
        params = {"command": f"opencoder.{name}", "arguments": [arguments]}
        if self._dice.random() < 0.2:
            params["workDoneToken"] = "work"
        self._request("workspace/executeCommand", params, again=True)

    def _other(self) -> None:
        section: Any = self._dice.choice(
            [None, {}, {"completion": {"enabled": self._dice.random() < 0.7}}, {"x": 1}, 5]
        )
        document = {"textDocument": {"uri": self._uri()}}
        context = {"diagnostics": [], "triggerKind": self._dice.choice([1, 2])}
        action = {**document, "range": self._range(), "context": context}
        folders = {"event": {"added": [{"uri": "file:///w", "name": "w"}], "removed": []}}
        method = self._dice.choice(METHODS)
        params = self._dice.choice([None, {}, [], oddities.odd(self._dice)])
        token = self._dice.choice(["work", 5, "none"])
        configuration = {"settings": {"opencoder": section}}
        match self._dice.randrange(7):
            case 0:
                self._request("textDocument/codeAction", action, again=True)
            case 1:
                self._request(method, params, again=True)
            case 2:
                self._notify(method, params)
            case 3:
                self._notify("workspace/didChangeConfiguration", configuration)
            case 4:
                self._notify("workspace/didChangeWorkspaceFolders", folders)
            case 5:
                self._notify("window/workDoneProgress/cancel", {"token": token})
            case 6:
                self._send({"jsonrpc": "2.0", "id": 3, "result": None})

    def _spoilt(self) -> None:
        """Make something else, and spoil it."""
        self._dice.choice([self._open, self._change, self._complete, self._command, self._close])()
        step = self._steps[-1]
        step[1] = oddities.spoilt(self._dice, step[1])

    def _body(self) -> None:
        self._steps.append(["body", oddities.body(self._dice)])

    def _noise(self) -> None:
        self._steps.append(["noise", oddities.noise(self._dice)])

    def _engine(self) -> None:
        steps: list[Step] = [
            ["answer", oddities.text(self._dice, 20).encode("utf-8", "replace").decode()],
            ["answer", "word " * 20],
            ["pause", self._dice.randint(0, 3)],
            ["hold"],
            ["resume"],
            ["resume"],
            ["fail", self._dice.choice([400, 404, 429, 500, 503])],
            ["die"],
            ["error"],
            ["no_done"],
            ["cut"],
        ]
        self._steps.append(["engine", *self._dice.choice(steps)])

    def _respond(self) -> None:
        how = self._dice.choice(["null", "error", "odd", "twice", "late"])
        self._steps.append(["respond", how])

    def _turn(self) -> None:
        self._steps.append(["turn", self._dice.choice([1, 3, 10, 50])])

    def _settle(self) -> None:
        self._steps.append(["settle"])
