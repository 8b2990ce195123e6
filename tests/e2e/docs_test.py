#!/usr/bin/env python3
"""The documents are true: every command they show exists with its flags, every link leads somewhere, the guide runs."""
import re
import shlex
import unittest

from sortie_test import SOURCE, SortieTest

DOCUMENTS = [path for path in [*SOURCE.glob("*.md"), *SOURCE.glob("docs/**/*.md")] if "node_modules" not in path.parts]
WITH_SUBCOMMANDS = ("bench", "suite")
FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```", re.M | re.S)


class Docs(SortieTest):
    def shown_commands(self):
        for document in DOCUMENTS:
            for _, _, block in FENCE.findall(document.read_text()):
                for line in block.splitlines():
                    line = line.removeprefix("$ ").strip()
                    if re.match(r"(build/release/)?sortie [a-z]", line):
                        # Two spaces begin the explanation beside a command.
                        yield document.name, re.split(r"\s{2,}|\s+#", line)[0]

    def test_every_shown_command_exists_with_its_flags(self):
        commands = list(self.shown_commands())
        self.assertGreater(len(commands), 10)
        helps = {}
        for document, line in commands:
            words = shlex.split(line)[1:]
            # Flags of a subcommand may be its own or its parent's.
            levels = [tuple(words[:n]) for n in ((1, 2) if words[0] in WITH_SUBCOMMANDS else (1,))]
            for level in levels:
                if level not in helps:
                    helps[level] = self.sortie(*level, "--help")
                self.assertEqual(helps[level].returncode, 0, f"{document}: {line}")
            shown = "".join(helps[level].stdout for level in levels)
            for word in words[1:]:
                if word.startswith("--"):
                    self.assertIn(word.split("=")[0], shown, f"{document}: {line}")

    def test_every_relative_link_leads_somewhere(self):
        for document in DOCUMENTS:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
                self.assertTrue((document.parent / target).exists(), f"{document.name} links to {target}")

    def run_guide(self, name):
        """Blocks with a file name are files, `sh` blocks are commands. Returns the number of lines of the files."""
        lines = 0
        simulated = False
        for language, file, block in FENCE.findall((SOURCE / "docs/guide" / name).read_text()):
            if file:
                (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
                self.write(file, block)
                lines += len(block.splitlines())
            elif language == "sh":
                for line in block.splitlines():
                    words = shlex.split(re.split(r"\s{2,}", line)[0])
                    if words[0] == "export":
                        key, value = words[1].split("=", 1)
                        self.environment[key] = value
                    elif words[-1] == "&":
                        simulated = True
                        self.assertIn("listening", self.start_sortie(*words[1:-1]).stdout.readline())
                    else:
                        self.assertEqual(words[0], "sortie")
                        self.sortie(*words[1:], check=0)
        self.assertTrue(simulated)
        return lines

    def test_the_first_guide_runs_as_it_is_written(self):
        self.run_guide("first-campaign.md")
        self.assertTrue((self.folder / "runs/first/report.html").exists())

    def test_the_guide_to_an_own_suite_runs_as_it_is_written_and_is_short(self):
        lines = self.run_guide("own-suite.md")
        self.assertLess(lines, 60)
        self.assertTrue((self.folder / "runs/orders/report.html").exists())
        self.assertEqual(self.query("SELECT count(*) FROM score", "runs/orders"), [(3 * 4 * 2,)])


if __name__ == "__main__":
    unittest.main()
