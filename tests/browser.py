"""A real browser for the tests of pages: Chromium without a window, spoken to over its debugging pipe.

`SNNC_CHROMIUM` names the program; else it is looked for under its usual names.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0
"""Seconds for an answer: a loaded machine is slow, a browser that hangs is not worth waiting for."""

KEYS = {"Enter": 13, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, " ": 32}


def find_browser() -> str | None:
    """The program, if there is one."""
    named = os.environ.get("SNNC_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One browser process; `open` gives pages of it."""

    def __init__(self, program: str, folder: Path) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Above the numbers that they are to have over there.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]

        def place() -> None:
            for number, end in zip((3, 4), ends, strict=True):
                os.dup2(end, number)

        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--no-first-run"]
        self._process = subprocess.Popen(
            [program, *options, "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=place,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, *ends):
            os.close(end)
        self._number = 0
        self._rest = b""
        self._events: list[dict[str, Any]] = []

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError, AssertionError):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer; what happens meanwhile is kept for `events`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next(time.monotonic() + PATIENCE)
            assert found is not None, f"no answer to {method}"
            if found.get("id") == self._number:
                assert "error" not in found, f"{method}: {found['error']}"
                result: dict[str, Any] = found["result"]
                return result
            self._events.append(found)

    def events(self, session: str) -> list[dict[str, Any]]:
        """What happened in a page so far."""
        return [event for event in self._events if event.get("sessionId") == session]

    def wait_for(self, session: str, method: str) -> None:
        """Until it has happened in a page."""
        until = time.monotonic() + PATIENCE
        while not any(event["method"] == method for event in self.events(session)):
            found = self._next(until)
            assert found is not None, f"no {method}"
            self._events.append(found)

    def _next(self, until: float) -> dict[str, Any] | None:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            data = os.read(self._in, 1 << 16)
            assert data, "the browser has ended"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    @contextlib.contextmanager
    def open(self, path: Path, *, width: int = 1400, dark: bool = False) -> Iterator[Page]:
        """A page from a file, at so many pixels."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable", session)
        self.call(
            "Emulation.setDeviceMetricsOverride", session, width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", session, features=features)
        begun = time.monotonic()
        self.call("Page.navigate", session, url=path.resolve().as_uri())
        self.wait_for(session, "Page.loadEventFired")
        page.seconds = time.monotonic() - begun
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)


class Page:
    """A page that is open; `seconds` is what it took to load."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.seconds = 0.0

    def value(self, expression: str) -> Any:
        """Of a JavaScript expression, which may be a promise."""
        found = self._browser.call(
            "Runtime.evaluate", self._session, expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    @property
    def errors(self) -> list[str]:
        """Exceptions, and what the console calls an error."""
        self.value("0")
        return [
            json.dumps(event["params"])
            for event in self._browser.events(self._session)
            if event["method"] == "Runtime.exceptionThrown"
            or (event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error")
            or (event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] == "error")
        ]

    def point(self, selector: str) -> None:
        """Move the mouse over the middle of an element."""
        self._mouse("mouseMoved", *self._middle(selector))

    def click(self, selector: str) -> None:
        """Press and release the mouse there."""
        x, y = self._middle(selector)
        self._mouse("mouseMoved", x, y)
        self._mouse("mousePressed", x, y, button="left", clickCount=1)
        self._mouse("mouseReleased", x, y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """A key, where the focus is."""
        code = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self._browser.call("Input.dispatchKeyEvent", self._session, type="keyDown", **code, **text)
        self._browser.call("Input.dispatchKeyEvent", self._session, type="keyUp", **code)

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        found = self._browser.call("Page.captureScreenshot", self._session, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def _middle(self, selector: str) -> tuple[float, float]:
        element = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{element}.scrollIntoView({{block: 'center'}})")
        box = self.value(f"{element}.getBoundingClientRect().toJSON()")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def _mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self._browser.call("Input.dispatchMouseEvent", self._session, type=kind, x=x, y=y, **more)
