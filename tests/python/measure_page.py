"""How the live page does with a large study: first paint, sorting, hovering, memory of the server.

`cargo xtask bench page` makes the study and calls this with the program, the database and an empty folder.
"""

import pathlib
import subprocess
import sys
import time
import urllib.request

import browser


def memory(process):
    """Resident memory in MB: now, and at its highest."""
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) / 1e3 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return found["VmRSS"], found["VmHWM"]


FRAMES = """new Promise((done) => { const times = []; let last = performance.now(); const end = last + 3000;
    const step = (now) => { times.push(now - last); last = now; now < end ? requestAnimationFrame(step) : done(times); };
    requestAnimationFrame(step); })"""


def main(lehr, database, folder):
    server = subprocess.Popen([lehr, "serve", "--port", "0", "--storage", database], stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().strip()
        start = time.monotonic()
        size = len(urllib.request.urlopen(url + "api/studies/1/view", timeout=300).read())
        print(f"first view of a server that has just started: {time.monotonic() - start:.2f} s, {size / 1e6:.2f} MB")
        tab = browser.Browser(folder, 1280, 900)
        try:
            for attempt in ("first", "second"):
                tab.open(url + "study/1")
                paint = tab.run("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
                ready = tab.run("window.lehrReadyAt")
                print(f"{attempt} visit: first paint {paint:.0f} ms, all of the first screen {ready:.0f} ms after the click")
            sort = "(() => { const t = performance.now(); document.querySelector('th[data-key=took] button, th[data-key=value] button').click(); return performance.now() - t; })()"
            print(f"sorting the table: {tab.run(sort):.0f} ms")
            frames = tab.send("Runtime.evaluate", expression=f"window.frames_ = {FRAMES}; 0")
            for i in range(150):
                tab.mouse(120 + 4 * i, 560 + (i % 40))
            frames = sorted(tab.run("window.frames_"))
            print(f"frames while the mouse moves over a picture: median {frames[len(frames) // 2]:.0f} ms, 95 % below {frames[int(len(frames) * 0.95)]:.0f} ms")
            print(f"complaints of the browser: {tab.complaints or 'none'}")
        finally:
            tab.close()
        now, highest = memory(server)
        print(f"memory of the server: {now:.0f} MB, {highest:.0f} MB at its highest")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
