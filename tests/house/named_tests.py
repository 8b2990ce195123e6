#!/usr/bin/env python3
"""Every test that docs/design/ledger.md names, as `Suite.name`, exists.

  named_tests.py SOURCE_DIR
"""
import pathlib
import re
import sys

NAMED = re.compile(r"`([A-Z]\w+\.[a-z]\w+)`")
GTEST = re.compile(r"TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
PYTHON_CLASS = re.compile(r"^class (\w+)\(.*?(?=^class |\Z)", re.M | re.S)
PYTHON_TEST = re.compile(r"^    def (test_\w+)\(", re.M)


def existing(source):
    names = set()
    for folder in ("src", "tests"):
        for path in (source / folder).rglob("*_test.cc"):
            names.update(".".join(found) for found in GTEST.findall(path.read_text()))
    for path in (source / "tests").rglob("*_test.py"):
        for group in PYTHON_CLASS.finditer(path.read_text()):
            names.update(f"{group.group(1)}.{test}" for test in PYTHON_TEST.findall(group.group(0)))
    return names


def main():
    source = pathlib.Path(sys.argv[1])
    section = (source / "docs/design/ledger.md").read_text().split("## What can no longer happen")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| [DW]\d+ \|", line)]
    named = set(NAMED.findall(section))
    missing = sorted(named - existing(source))
    for name in missing:
        print(f"docs/design/ledger.md names a test that does not exist: {name}")
    print(f"{len(rows)} failures, {len(named)} tests named")
    return 1 if missing or len(rows) < 37 or len(named) < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
