"""Headless Chromium by its own protocol: opens a page, says what it complained of and asked for, takes pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium")
_STARTING_S = 30.0


class Page:
    """A tab. `told` are the events of the protocol since the last `open`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.told: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Performance.enable", timeDomain="threadTicks")

    def send(self, method: str, **parameters: object) -> Any:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=60))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.told.append(answer)

    def open(self, path: Path, *, fragment: str = "") -> float:
        """Seconds that the page's thread worked until it was there and had been drawn, whatever else was going on."""
        # From the same page, another fragment would be no new page.
        self._go("about:blank")
        started = self._worked_s()
        self._go(path.as_uri() + fragment)
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        return self._worked_s() - started

    def _go(self, address: str) -> None:
        self.told.clear()
        self.send("Page.navigate", url=address)
        while not any(one["method"] == "Page.loadEventFired" for one in self.told):
            self.told.append(json.loads(self._connection.recv(timeout=60)))

    def _worked_s(self) -> float:
        metrics = self.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    def evaluate(self, script: str) -> Any:
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        texts, codes = {"Enter": "\r"}, {"Tab": 9}
        text = texts.get(key, key if len(key) == 1 else "")
        code = codes.get(key, 0)
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def look(self, *, width: int, height: int, dark: bool = False) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def picture(self) -> bytes:
        return b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    @property
    def complaints(self) -> list[str]:
        """What the console would show in red or yellow, and what broke the page's policy."""
        texts = []
        for one in self.told:
            if one["method"] == "Log.entryAdded":
                texts.append(one["params"]["entry"]["text"])
            if one["method"] in ("Runtime.exceptionThrown", "Page.javascriptDialogOpening"):
                texts.append(json.dumps(one["params"]))
            if one["method"] == "Runtime.consoleAPICalled":
                texts.append(json.dumps(one["params"]["args"]))
        return texts

    @property
    def requests(self) -> list[str]:
        asked = [one["params"]["request"]["url"] for one in self.told if one["method"] == "Network.requestWillBeSent"]
        return asked[1:]  # the first is the page itself


@contextmanager
def open_chromium() -> Iterator[Page]:
    assert PROGRAM is not None
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        process = subprocess.Popen(
            [PROGRAM, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_find_tab(Path(profile)), max_size=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _find_tab(profile: Path) -> str:
    deadline = time.monotonic() + _STARTING_S
    file = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if file.exists() and "\n" in (text := file.read_text()):
            with urlopen(f"http://127.0.0.1:{text.splitlines()[0]}/json/list", timeout=10) as answer:
                for one in json.load(answer):
                    if one["type"] == "page":
                        return str(one["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise TimeoutError("Chromium did not start")
