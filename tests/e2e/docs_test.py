#!/usr/bin/env python3
"""The documents are true: every command they show exists with its flags, every link leads somewhere, the guide runs."""
import re
import shlex
import shutil
import time
import unittest

from sortie_test import SOURCE, SortieTest

DOCUMENTS = [path for path in [*SOURCE.glob("*.md"), *SOURCE.glob("docs/**/*.md")] if "node_modules" not in path.parts]
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
WITH_SUBCOMMANDS = ("bench", "suite")
FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```", re.M | re.S)


def anchors(document):
    """The names that GitHub gives to a document's headings."""
    text = FENCE.sub("", document.read_text())
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)", text, re.M)]


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
            for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", document.read_text()):
                path = document.parent / target if target else document
                self.assertTrue(path.exists(), f"{document.name} links to {target}")
                if anchor:
                    self.assertIn(anchor, anchors(path), f"{document.name} links to {target}#{anchor}")

    @staticmethod
    def messages_of_the_sources():
        """Every text of the program, with adjacent literals joined and what is put in left out."""
        texts = []
        for path in sorted((SOURCE / "src").glob("*/*.cc")):
            if not path.name.endswith("_test.cc"):
                for run in re.findall(rf"(?:{LITERAL}\s*)+", path.read_text()):
                    joined = "".join(part[1:-1] for part in re.findall(LITERAL, run))
                    texts.append(re.sub(r"\{[^{}]*\}", "…", joined.replace('\\"', '"').replace("\\n", "\n").replace("{{", "{").replace("}}", "}")))
        return "\n".join(texts)

    def messages_that_are_made_here(self):
        """What the binary says to a few mistakes, whose messages are put together from parts."""
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=2)
        endpoints = (self.folder / "endpoints.yaml").read_text()
        self.write("endpoints.yaml", endpoints + "      - {model: sim-large, api_name: nowhere, keys: [key-1], served_as: [x]}\n")
        self.environment["KEY_2"] = "canary-wrong-key"
        said = self.sortie("check", "endpoints.yaml", check=1).stdout
        for old, new in (("simulated: true", "simulated: yes"), ("simulated: true", "simulate: true"), ("simulated: true", "zzz: 1"),
                         ("size_b: 72", 'size_b: "72"')):
            self.assertIn(old, endpoints)
            self.write("endpoints.yaml", endpoints.replace(old, new))
            said += self.sortie("plan", "campaign.yaml", check=2).stderr
        return said

    def test_every_message_of_the_troubleshooting_is_one_of_the_program(self):
        known = self.messages_of_the_sources() + self.messages_that_are_made_here()
        document = (SOURCE / "docs/guide/troubleshooting.md").read_text()
        messages = [line for language, _, block in FENCE.findall(document) if language == "text" for line in block.splitlines()]
        self.assertGreater(len(messages), 30)
        for message in messages:
            pieces = [piece.strip() for piece in message.split("…") if re.search(r"\w{3}", piece)]
            self.assertTrue(pieces, message)
            for piece in pieces:
                self.assertTrue(piece in known, f"no part of the program says {piece!r} of {message!r}")

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
                    elif words[0] == "chmod":
                        (self.folder / words[2]).chmod(int(words[1], 8))
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
        self.assertIn("置信区间", (self.folder / "runs/first/report.zh.html").read_text())

    def test_the_guide_to_own_endpoints_runs_as_it_is_written(self):
        self.run_guide("own-endpoints.md")
        used = self.query("SELECT DISTINCT route FROM attempt", "runs/endpoints")
        self.assertEqual(len(used), 2 + 3 + 1)
        self.assertEqual(self.query("SELECT count(*) FROM score", "runs/endpoints"), [(3 * 5 * 2,)])

    def test_the_guide_to_an_own_suite_runs_as_it_is_written_and_is_short(self):
        lines = self.run_guide("own-suite.md")
        self.assertLess(lines, 60)
        self.assertTrue((self.folder / "runs/orders/report.html").exists())
        self.assertEqual(self.query("SELECT count(*) FROM score", "runs/orders"), [(3 * 4 * 2,)])


# What the guide for users of the old system runs its commands on.
OLD_PROVIDER = """version: 1
seed: 3
providers:
  pool:
    listen: 127.0.0.1:0
    models: {sim-a: {skill: 0.8, ttft_ms: 5}, sim-b: {skill: 0.5, ttft_ms: 5}}
    keys: {key-1: {key: canary-key-1}, key-2: {key: canary-key-2}}
  slow:
    listen: 127.0.0.1:0
    models: {sim-a: {skill: 0.8, ttft_ms: 400}}
    keys: {key-1: {key: canary-key-1}, key-2: {key: canary-key-2}}
"""
OLD_ENDPOINTS = """version: 1
models: {{{models}}}
endpoints:
  pool:
    dialect: openai
    base_url: {url}
    simulated: true
    keys: {{key-1: "env:KEY_1", key-2: "env:KEY_2"}}
    routes: [{routes}]
    limits: [{{per: [endpoint], requests_per_minute: 60000}}]
"""
OLD_CAMPAIGN = """version: 1
name: {name}
endpoints: {endpoints}
models: [{models}]
scenarios: [{scenarios}]
instances: {instances}
"""


class FromTheOldSystem(SortieTest):
    """Each command of the guide is run, in its order. What goes on for ever is ended once it has begun; `nightly` is running when
    the commands speak of it."""

    def setUp(self):
        super().setUp()
        profile = self.write("providers.yaml", OLD_PROVIDER)
        process = self.start_sortie("simulate", profile)
        urls = [process.stdout.readline().split()[-1] for _ in range(2)]
        # rehearse finds the provider by its address.
        ports = iter(url.rsplit(":", 1)[1].split("/")[0] for url in urls)
        self.write("providers.yaml", re.sub("127.0.0.1:0", lambda _: f"127.0.0.1:{next(ports)}", OLD_PROVIDER))
        both = "sim-a: {price: {input: 1, output: 1}}, sim-b: {price: {input: 1, output: 1}}"
        self.write("endpoints.yaml", OLD_ENDPOINTS.format(url=urls[0], models=both, routes="sim-a, sim-b"))
        self.write("slow.yaml", OLD_ENDPOINTS.format(url=urls[1], models="sim-a: ", routes="sim-a"))
        for name, models, scenarios, instances in (("sortie", "sim-a, sim-b", "baseline, reliability", 1),
                                                   ("wider", "sim-a, sim-b", "baseline", 2), ("urgent", "sim-a", "baseline", 1)):
            self.write(f"{name}.yaml", OLD_CAMPAIGN.format(name="my-campaign" if name == "sortie" else name, models=models,
                                                           scenarios=scenarios, instances=instances, endpoints="endpoints.yaml"))
        self.write("nightly.yaml", OLD_CAMPAIGN.format(name="nightly", models="sim-a", scenarios="baseline", instances=1,
                                                       endpoints="endpoints.yaml"))
        self.write("long.yaml", OLD_CAMPAIGN.format(name="nightly", models="sim-a", scenarios="baseline", instances=20,
                                                    endpoints="slow.yaml"))
        shutil.copytree(SOURCE / "examples/own-suite/library", self.folder / "orders")

    def test_every_command_does_what_it_says(self):
        document = (SOURCE / "docs/guide/from-the-old-system.md").read_text()
        commands = list(dict.fromkeys(re.findall(r"`(sortie [^`]+)`", document)))
        self.assertGreater(len(commands), 40)
        steered = None
        for command in commands:
            words = shlex.split(command)[1:]
            if "nightly" in words and steered is None:
                shutil.rmtree(self.folder / "runs/nightly")
                steered = self.start_sortie("run", "long.yaml", "--share-key", "--quiet")
                self.wait_for(self.folder / "runs/nightly/control.sock", steered)
            with self.subTest(command=command):
                if words[0] in ("serve", "simulate"):
                    process = self.start_sortie(*words)
                    self.assertIn("http://127.0.0.1:", process.stdout.readline() + process.stdout.readline())
                    self.end(process)
                else:
                    self.sortie(*words, check=0)
            if words[-1] == "drain":
                self.assertIn(steered.wait(timeout=60), (0, 1))
        self.assertTrue((self.folder / "runs/my-campaign/report.html").exists())

    def wait_for(self, path, process):
        while not path.exists():
            self.assertIsNone(process.poll(), "the run ended")
            time.sleep(0.01)


class Newcomer(SortieTest):
    """A suite of one's own with --help and what the commands print alone, and with the guide: both are the same files."""

    def test_init_prints_the_way_to_a_first_transcript(self):
        self.assertIn("own-suite", self.sortie("init", "--help", check=0).stdout)
        said = self.sortie("init", "mine", "--template", "own-suite", check=0).stdout
        commands = re.findall(r"^  sortie (.*)$", said, re.M)
        self.assertEqual([command.split()[0] for command in commands], ["suite", "simulate", "check", "run", "report", "show"])
        for command in commands:
            words = shlex.split(command)
            if words[-1] == "&":
                self.assertIn("listening", self.start_sortie(*words[:-1]).stdout.readline())
            else:
                shown = self.sortie(*words, check=0).stdout
        self.assertIn("Order 47", shown)
        self.assertRegex(shown, r"outcome scored")
        self.assertEqual(self.query("SELECT count(*) FROM score", "runs/orders"), [(3 * 4 * 2,)])
        self.assertIn("exists already", self.sortie("init", "mine", "--template", "own-suite", check=2).stderr)

    def test_the_guide_shows_the_files_that_init_writes(self):
        self.sortie("init", "mine", "--template", "own-suite", check=0)
        shown = {file: block for _, file, block in FENCE.findall((SOURCE / "docs/guide/own-suite.md").read_text()) if file}
        self.assertEqual(len(shown), 4)
        for file, block in shown.items():
            written = (self.folder / "mine" / file.replace("campaign.yaml", "own-suite.yaml")).read_text()
            self.assertEqual([line for line in (re.sub(r"(^|\s+)# .*", "", line) for line in written.splitlines()) if line.strip()],
                             block.splitlines())


if __name__ == "__main__":
    unittest.main()
