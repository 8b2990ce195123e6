#!/usr/bin/env python3
"""Compares every #include of the tree with the map.

  check_includes.py rows SOURCE_DIR ROWS_FILE    every "sortie/<module>/…" is in the including module's own DEPS list
  check_includes.py third-party SOURCE_DIR       every third-party header stays in the module that wraps it

ROWS_FILE is written by CMake: one "module:dep,dep" a line. Dependencies of dependencies are reachable for the compiler,
which is why the rows are compared here.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)

# Third-party header prefix → modules that may include it.
WRAPPED_BY = {
    "boost/asio": {"aio", "http"},
    "boost/beast": {"http"},
    "boost/json": {"base"},
    "boost/math": {"stats"},
    "spdlog": {"base"},
    "openssl": {"base", "http"},
    "curl": {"http"},
    "sqlite3.h": {"ledger"},
    "zstd.h": {"ledger"},
    "duckdb.h": {"analysis"},
    "yaml-cpp": {"spec"},
    "coin": {"sched"},
    "Clp": {"sched"},
    "Coin": {"sched"},
    "CLI": {"app"},
}


def sources(root):
    for path in sorted((root / "src").glob("*/*")):
        if path.suffix in (".h", ".cc"):
            yield path, path.parent.name


def rows(root, rows_file):
    allowed = {}
    for line in pathlib.Path(rows_file).read_text().splitlines():
        module, _, deps = line.partition(":")
        allowed[module] = set(filter(None, deps.split(","))) | {module}
    problems = []
    for path, module in sources(root):
        if module not in allowed:
            continue  # app is the composition root: it may use everything
        for include in INCLUDE.findall(path.read_text()):
            parts = include.split("/")
            if parts[0] == "sortie" and len(parts) > 2 and parts[1] not in allowed[module]:
                problems.append(f"{path.relative_to(root)}: includes {include}, but '{parts[1]}' is not in the DEPS of '{module}'")
    return problems


def third_party(root):
    problems = []
    for path, module in sources(root):
        for include in INCLUDE.findall(path.read_text()):
            for prefix, owners in WRAPPED_BY.items():
                if include == prefix or include.startswith(prefix + "/") or (prefix in ("Clp", "Coin") and include.startswith(prefix)):
                    if module not in owners:
                        problems.append(f"{path.relative_to(root)}: includes <{include}>, which only {', '.join(sorted(owners))} may")
    return problems


def main():
    mode, root = sys.argv[1], pathlib.Path(sys.argv[2])
    problems = rows(root, sys.argv[3]) if mode == "rows" else third_party(root)
    print("\n".join(problems))
    count = sum(1 for _ in sources(root))
    if count == 0:
        problems.append("no sources found")
    print(f"{count} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
