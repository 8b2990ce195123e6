#!/usr/bin/env python3
"""The words of reports and comparisons and the code agree: every phrase that the code says exists and is given just the values that
its text fills in, every phrase is said somewhere, and no table has a title or a note of its own.

  check_phrases.py SOURCE_DIR
"""
import json
import pathlib
import re
import sys

SOURCE = pathlib.Path(sys.argv[1])
PHRASES = json.loads((SOURCE / "src/analysis/phrases.en.json").read_text())
# Keys that end in a code of the data; the code says the prefix.
FAMILIES = ("agent.", "mark.", "speed.lost.")
# The same in every language: symbols, and parameters of requests.
SYMBOLS = {"n", "p", "B", "top_p", "pass@k", "pass^k"}
CALL = re.compile(r'(?:\bsay|phrases\(\)|phrases_in\([\w.:()]*\))\(\s*')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
OWN_WORDS = re.compile(r'\.title\s*=\s*"([^"]*)"|notes\.(?:emplace_back|push_back)\(\s*"([^"]*)"')


def arguments(text, start):
    """The arguments of the call whose first one begins at `start`."""
    parts, depth, begin, at = [], 0, start, start
    while depth >= 0:
        literal = LITERAL.match(text, at)
        if literal:
            at = literal.end()
            continue
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(text[at], 0)
        if (depth == 0 and text[at] == ",") or depth < 0:
            parts.append(text[begin:at].strip())
            begin = at + 1
        at += 1
    return parts


def check(name, text):
    for call in CALL.finditer(text):
        key, *values = arguments(text, call.end())
        names = {LITERAL.search(value).group(1) for value in values if value.startswith("fmt::arg(")}
        for literal in LITERAL.finditer(key):
            line = f"{name}:{text.count(chr(10), 0, call.start()) + 1}"
            if literal.group(1) not in PHRASES:
                yield f"{line}: there is no phrase '{literal.group(1)}'"
                continue
            wanted = set(re.findall(r"\{(\w+)", PHRASES[literal.group(1)]))
            if names != wanted:
                yield f"{line}: '{literal.group(1)}' fills in {sorted(wanted)}, and is given {sorted(names)}"
    for words in OWN_WORDS.finditer(text):
        if (words.group(1) or words.group(2)) not in SYMBOLS:
            line = f"{name}:{text.count(chr(10), 0, words.start()) + 1}"
            yield f"{line}: '{words.group(1) or words.group(2)}' is no phrase of the catalogues"


def main():
    errors, literals = [], set()
    for path in [*sorted(SOURCE.glob("src/analysis/*.cc")), SOURCE / "src/app/compare.cc"]:
        if not path.name.endswith("_test.cc"):
            text = re.sub(r"//[^\n]*", "", path.read_text())
            literals |= set(LITERAL.findall(text))
            errors += check(path.relative_to(SOURCE), text)
    for key in PHRASES:
        family = next((prefix for prefix in FAMILIES if key.startswith(prefix)), None)
        if (key if family is None else family) not in literals:
            errors.append(f"src/analysis/phrases.en.json: '{key}' is said nowhere")
    losses = re.search(r"(\"ramp\"[^}]*)\}", (SOURCE / "src/engine/loss_meter.cc").read_text())
    for code in LITERAL.findall(losses.group(1)):
        if "speed.lost." + code not in PHRASES:
            errors.append(f"src/engine/loss_meter.cc: '{code}' has no phrase 'speed.lost.{code}'")
    print("\n".join(errors))
    return 1 if errors else 0


sys.exit(main())
