"""Pictures of a page: `screenshot.py PAGE.html OUT.webp [light|dark|phone]`. The ending of the name says how it is kept."""

import base64
import pathlib
import sys
import tempfile
import time

import browser


def main(page, out, kind="light"):
    with tempfile.TemporaryDirectory() as profile:
        tab = browser.Browser(profile)
        try:
            tab.size(*((390, 844) if kind == "phone" else (1280, 1290)), phone=kind == "phone")
            tab.scheme("dark" if kind == "dark" else "light")
            tab.open(page if "://" in page else pathlib.Path(page).resolve().as_uri())
            time.sleep(1)
            form = pathlib.Path(out).suffix[1:]
            quality = {"quality": 82} if form == "webp" else {}
            pathlib.Path(out).write_bytes(base64.b64decode(tab.send("Page.captureScreenshot", format=form, **quality)["data"]))
            assert not tab.complaints, tab.complaints
        finally:
            tab.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
