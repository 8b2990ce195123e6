#!/usr/bin/env python3
"""Pictures of the page, into the folder given. No test: scripts/screenshots runs it."""
import os
import pathlib
import subprocess
import sys

from browser_test import SOURCE, Browser

FOLDER = pathlib.Path(sys.argv.pop()).resolve()


class Screenshots(Browser):
    def shoot(self, what, link):
        subprocess.run([os.environ["NODE"], SOURCE / "tests/browser/screenshots.mjs", what, link, FOLDER], check=True, timeout=300)

    def runTest(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        run, link = self.throttled_run(instances=4)
        self.shoot("live", link)
        run.communicate(timeout=300)
        self.shoot("finished", self.link_of(self.start_sortie("serve", "runs")))


if __name__ == "__main__":
    test = Screenshots()
    result = test.run()
    for _, text in result.errors + result.failures:
        print(text, file=sys.stderr)
    sys.exit(0 if result.wasSuccessful() else 1)
