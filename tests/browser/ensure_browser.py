"""Find a Chromium for the browser tests, or get one.

`make test` runs this file first: a machine without a browser is noticed before the first test, with one clear line.
The tests import `find_chromium` and `browser_tests_are_off` from here:

    from tests.browser.ensure_browser import browser_tests_are_off, find_chromium

Environment:
    GUESTWIRE_CHROMIUM: Path of the Chromium or Chrome to use.
    NO_BROWSER: `1` leaves the browser tests out. Refused when `CI=true`, where nobody would notice.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
PLACES = (
    "/usr/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
HOW_TO = (
    "No Chromium for the browser tests: run `sudo apt-get install chromium` or "
    "`.venv/bin/python -m playwright install --with-deps chromium` (or set NO_BROWSER=1 to leave them out)."
)
# Playwright's download is 150 MB or so; a connection that needs longer than this is not going to make it.
DOWNLOAD_TIMEOUT_S = 600


def browser_tests_are_off() -> bool:
    """Tell whether the person asked to leave the browser tests out."""
    return os.environ.get("NO_BROWSER") == "1"


def find_chromium() -> str | None:
    """Return the path of the system's Chromium or Chrome; None means Playwright's own.

    Raises:
        FileNotFoundError: GUESTWIRE_CHROMIUM names something that cannot be run.
    """
    if wanted := os.environ.get("GUESTWIRE_CHROMIUM"):
        if found := shutil.which(wanted):
            return found
        msg = f"GUESTWIRE_CHROMIUM is {wanted!r}, and no program is there."
        raise FileNotFoundError(msg)
    return next((found for name in (*NAMES, *PLACES) if (found := shutil.which(name))), None)


def playwright_has_chromium() -> bool:
    """Start Playwright's own Chromium: it may be there and still lack a system library."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            playwright.chromium.launch().close()
        except Error:
            return False
    return True


def download_chromium() -> bool:
    """Let Playwright download its Chromium; its own output tells how that goes."""
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        return subprocess.run(command, check=False, timeout=DOWNLOAD_TIMEOUT_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> str | None:
    """Make sure that there is a browser; return what is wrong, None if nothing is."""
    if browser_tests_are_off():
        if os.environ.get("CI") == "true":
            return "NO_BROWSER=1 is refused when CI=true: the browser tests are part of the result."
        print("NO_BROWSER=1: the browser tests are SKIPPED.")
        return None
    try:
        chromium = find_chromium()
    except FileNotFoundError as error:
        return str(error)
    if chromium:
        print(f"Browser tests use {chromium}")
        return None
    if playwright_has_chromium() or (download_chromium() and playwright_has_chromium()):
        print("Browser tests use Playwright's own Chromium")
        return None
    return HOW_TO


if __name__ == "__main__":
    sys.exit(main())
