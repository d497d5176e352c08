"""A headless Chromium, driven over its DevTools pipe: nothing but the standard library is needed."""

import base64
import json
import os
import queue
import shutil
import subprocess
import threading
import time


def find():
    """The program, or None."""
    names = [os.environ.get("LEHR_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome"]
    return next((path for path in map(shutil.which, filter(None, names)) if path), None)


class Browser:
    """A browser with one tab. What the page complains about is kept in `complaints`."""

    def __init__(self, profile, width=1280, height=800):
        # The browser reads commands from its file descriptor 3 and answers on 4.
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()

        def connect():
            os.dup2(read_there, 103), os.dup2(write_there, 104)
            os.dup2(103, 3), os.dup2(104, 4)

        arguments = [
            find(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", f"--window-size={width},{height}",
            "--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "about:blank",
        ]
        if os.geteuid() == 0:
            arguments.insert(1, "--no-sandbox")
        self.process = subprocess.Popen(arguments, close_fds=False, preexec_fn=connect, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_there), os.close(write_there)
        self.output, self.input = os.fdopen(write_here, "wb", 0), os.fdopen(read_here, "rb", 0)
        self.number, self.answers, self.complaints, self.events = 0, {}, [], queue.Queue()
        self.lock = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.size(width, height)

    session = None

    def _listen(self):
        held = b""
        while chunk := self.input.read(1 << 16):
            *messages, held = (held + chunk).split(b"\0")
            for message in map(json.loads, messages):
                with self.lock:
                    if "id" in message:
                        self.answers[message["id"]] = message
                        self.lock.notify_all()
                    else:
                        self._event(message)

    def _event(self, message):
        method, given = message["method"], message.get("params", {})
        if method == "Runtime.exceptionThrown":
            detail = given["exceptionDetails"]
            self.complaints.append(detail.get("exception", {}).get("description") or detail["text"])
        elif method == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(part.get("value", part.get("description"))) for part in given["args"]))
        elif method == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"a dialog: {given['message']}")
        self.events.put(message)

    def send(self, method, **params):
        """Sends a command and gives its result."""
        with self.lock:
            self.number += 1
            number = self.number
            message = {"id": number, "method": method, "params": params}
            if self.session:
                message["sessionId"] = self.session
            self.output.write(json.dumps(message).encode() + b"\0")
            arrived = self.lock.wait_for(lambda: number in self.answers or self.process.poll() is not None, timeout=120)
            assert arrived and number in self.answers, f"the browser does not answer {method}"
            answer = self.answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def size(self, width, height, scale=1, phone=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)

    def scheme(self, name):
        """`light` or `dark`, as the system would ask for it."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, url, ready="window.lehrReady"):
        self.send("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && ({ready})")

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        given = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in given, given["exceptionDetails"]
        return given["result"].get("value")

    def wait(self, script, seconds=60):
        """Waits until an expression holds; its value."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                value = self.run(script)
            except AssertionError as error:  # The page is just being replaced.
                value, last = None, error
            else:
                last = value
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"after {seconds} s still not: {script} ({last}); complaints: {self.complaints}")

    def key(self, key, text=None):
        codes = {"Enter": 13, "Escape": 27, "ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "ArrowUp": 38}
        more = {"text": text or key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=codes.get(key, 0), **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=codes.get(key, 0))

    def mouse(self, x, y, click=False):
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if click:
            for kind in ("mousePressed", "mouseReleased"):
                self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path, whole=True):
        given = {}
        if whole:
            # The whole height as a viewport, so that what is drawn when it comes in sight is drawn.
            width, height = self.run("[innerWidth, document.documentElement.scrollHeight]")
            given = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": min(height, 12000), "scale": 1}}
        data = self.send("Page.captureScreenshot", format="png", **given)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        try:
            self.send("Browser.close")
        except (AssertionError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
