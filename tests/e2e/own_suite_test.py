#!/usr/bin/env python3
"""A user's own suite: broken ones are refused with file, task and rule; a run of a good one needs nothing but its ledger."""
import json
import shutil
import unittest

from sortie_test import SOURCE, SortieTest

FILES = {
    "suite.yaml": """version: 1
name: orders/1
tools: tools.json
tasks: [refunds.yaml, others.yaml]
""",
    "tools.json": """{"tools": [
  {"name": "fetch_order", "description": "Fetches one order by its number.", "kind": "order",
   "parameters": {"type": "object", "required": ["number"],
                  "properties": {"number": {"type": "integer", "x-source": true}}}},
  {"name": "compute_refund", "description": "Computes what a customer gets back.", "kind": "refund",
   "parameters": {"type": "object", "required": ["order", "percent"],
                  "properties": {"order": {"x-artifact": ["order"]},
                                 "percent": {"type": "integer", "minimum": 1, "maximum": 100}}}},
  {"name": "compare_orders", "description": "Compares two orders.", "kind": "comparison",
   "parameters": {"type": "object", "required": ["first", "second"],
                  "properties": {"first": {"x-artifact": ["order"]}, "second": {"x-artifact": ["order"]}}}},
  {"name": "pay_refund", "description": "Pays a refund out.", "kind": "payment", "effect": true,
   "parameters": {"type": "object", "required": ["refund", "to"],
                  "properties": {"refund": {"x-artifact": ["refund"]},
                                 "to": {"type": "string", "enum": ["card", "voucher"]}}}}
]}
""",
    "refunds.yaml": """tasks:
  - id: damaged
    type: simple_task
    text: Order 4711 came damaged. Pay 80 percent of it back to the card.
    plan:
      - {tool: fetch_order, arguments: {number: 4711}}
      - {tool: compute_refund, arguments: {order: {step: 1}, percent: 80}}
      - {tool: pay_refund, arguments: {refund: {step: 2}, to: card}}
  - id: late
    type: simple_task
    text: Order 4712 came too late. The customer gets 10 percent back as a voucher.
    plan:
      - {tool: fetch_order, arguments: {number: 4712}}
      - {tool: compute_refund, arguments: {order: {step: 1}, percent: 10}}
      - {tool: pay_refund, arguments: {refund: {step: 2}, to: voucher}}
""",
    "others.yaml": """tasks:
  - id: twins
    type: basic_task
    texts:
      very_easy: "fetch_order 4713 and fetch_order 4714, then compare_orders."
      easy: How does order 4713 differ from order 4714?
    plan:
      - {tool: fetch_order, arguments: {number: 4713}}
      - {tool: fetch_order, arguments: {number: 4714}}
      - {tool: compare_orders, arguments: {first: {step: 1}, second: {step: 2}}}
""",
}

# File, what is replaced, by what; then the line that reports it: where it stands, whom it is about, the rule, and how the
# command ends: 2 when the suite cannot be read, 3 when it can and a rule is broken.
BROKEN = [
    ("refunds.yaml", "{number: 4711}}", "{number: 4711}", r"refunds\.yaml:7:7: not valid YAML", None, None, 2),
    ("refunds.yaml", "id: damaged", "idd: damaged", "refunds.yaml:2:5:", "task without id", "unknown_key", 2),
    ("refunds.yaml", "    type: simple_task\n    text: Order 4711", "    text: Order 4711", "refunds.yaml:2:5:", "damaged", "missing", 2),
    ("refunds.yaml", "id: late", "id: damaged", "refunds.yaml:9:9:", "damaged", "unique", 2),
    ("refunds.yaml", "type: simple_task", "type: easy_task", "refunds.yaml:3:11:", "damaged", "type", 2),
    ("refunds.yaml", "tool: fetch_order", "tool: fetch_oder", "refunds.yaml:6:16:", "damaged", "tool", 2),
    ("refunds.yaml", ", percent: 80", "", "refunds.yaml:7:43:", "damaged", "argument", 2),
    ("refunds.yaml", "percent: 80", "percent: 800", "refunds.yaml:7:71:", "damaged", "argument", 2),
    ("refunds.yaml", "to: card", "to: cash", "refunds.yaml:8:63:", "damaged", "argument", 2),
    ("refunds.yaml", "{step: 2}", "{step: 3}", "refunds.yaml:8:48:", "damaged", "reference", 2),
    ("refunds.yaml", "{step: 2}", "{step: 1}", "refunds.yaml:8:48:", "damaged", "argument", 2),
    ("refunds.yaml", "{step: 2}", "refund#2", "refunds.yaml:8:48:", "damaged", "reference", 2),
    ("refunds.yaml", "      - {tool: pay_refund", "      - {tool: fetch_order, arguments: {number: 1}}\n      - {tool: pay_refund",
     "refunds.yaml:8:9:", "damaged", "goal", 2),
    ("refunds.yaml", "    plan:", "    goal: [{step: 2, values: [percnt]}]\n    plan:", "refunds.yaml:5:31:", "damaged", "goal", 2),
    ("others.yaml", "    texts:", "    text: Twice.\n    texts:", "others.yaml:2:5:", "twins", "texts", 2),
    ("tools.json", '"minimum": 1', '"multipleOf": 5', "tools.json:8:65:", "compute_refund", "unknown_key", 2),
    ("tools.json", '"x-artifact": ["refund"]', '"x-artifact": ["refnd"]', "tools.json:14:60:", "pay_refund", "kind", 2),
    ("suite.yaml", "others.yaml]", "other.yaml]", "suite.yaml:4:23:", "tasks", "there is no file", 2),
    ("refunds.yaml", "Pay 80 percent", "Pay most", "refunds.yaml:2:5:", "damaged", "verbatim", 3),
    ("refunds.yaml", "Pay 80", "Then pay_refund 80", "refunds.yaml:2:5:", "damaged", "names", 3),
    ("others.yaml", ", then compare_orders", ", then compare both", "others.yaml:2:5:", "twins", "names", 3),
    ("refunds.yaml", "Order 4712 came too late. The customer gets 10 percent back as a voucher.",
     "Order 4712 came damaged. Pay 10 percent of it back to the voucher.", "refunds.yaml:9:5:", "late", "unique", 3),
    ("tools.json", '"effect": true,', '"effect": true, "returns": {"at": {"argument": "too"}},', "tools.json:12:129:", "pay_refund",
     "returns", 2),
    ("refunds.yaml", "    type: simple_task", "    eligible: true\n    type: simple_task", "refunds.yaml:2:5:", "damaged", "flaws", 3),
]

PROVIDER = """version: 1
suite: orders
seed: 3
providers:
  pool: {listen: "127.0.0.1:0", models: {sim-a: {skill: 0.7}}}
"""

ENDPOINTS = """version: 1
models: {{sim-a: }}
endpoints:
  pool: {{dialect: openai, base_url: "{url}", simulated: true, routes: [sim-a]}}
"""

CAMPAIGN = """version: 1
name: test
suite: orders
models: [sim-a]
repeats: 5
scenarios:
  - {id: plans, vary: {prompt: [optimal, baseline]}}
"""


class OwnSuite(SortieTest):
    def setUp(self):
        super().setUp()
        self.write_suite()

    def write_suite(self):
        shutil.rmtree(self.folder / "orders", ignore_errors=True)
        (self.folder / "orders").mkdir()
        for name, text in FILES.items():
            self.write(f"orders/{name}", text)

    def change(self, name, old, new):
        text = (self.folder / "orders" / name).read_text()
        self.assertIn(old, text)
        self.write(f"orders/{name}", text.replace(old, new, 1))

    def start_provider(self):
        urls, _ = self.simulate(PROVIDER)
        self.write("endpoints.yaml", ENDPOINTS.format(url=urls[0]))
        self.write("campaign.yaml", CAMPAIGN)

    def test_a_good_suite_has_no_findings(self):
        done = self.sortie("suite", "validate", "orders", check=0)
        lines = done.stdout.splitlines()
        # Four tools leave little to confuse: that is advice.
        self.assertRegex(lines[-1], r"^orders/1: 3 tasks, 0 findings(, \d+ pieces of advice)?$")
        for line in lines[:-1]:
            self.assertRegex(line, r"^orders/\w+\.yaml:(\d+:\d+:)? .* \(advice\)$")

    def test_broken_suites_are_refused_with_file_task_and_rule(self):
        self.assertGreaterEqual(len(BROKEN), 20)
        for name, old, new, place, who, rule, code in BROKEN:
            with self.subTest(file=name, new=new):
                self.write_suite()
                before = sorted(self.folder.rglob("*"))
                self.change(name, old, new)
                done = self.sortie("suite", "validate", "orders")
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, code, said)
                if rule is None:
                    self.assertRegex(said, "orders/" + place)
                else:
                    line = [line for line in said.splitlines() if f"orders/{place}" in line and rule in line]
                    self.assertTrue(line, f"expected {place} {who} {rule}, found:\n{said}")
                    self.assertIn(who, line[0])
                self.assertEqual(sorted(self.folder.rglob("*")), before, "something was written")

    def test_findings_as_a_document(self):
        self.change("refunds.yaml", "Pay 80 percent", "Pay most")
        document = json.loads(self.sortie("suite", "validate", "orders", "--json", check=3).stdout)
        self.assertEqual(document["suite"], "orders/1")
        finding, = [row for row in document["findings"] if not row["advice"]]
        self.assertEqual((finding["file"], finding["line"], finding["task"], finding["rule"]),
                         ("orders/refunds.yaml", 2, "damaged", "verbatim"))

    def test_the_suite_commands_show_it(self):
        listed = json.loads(self.sortie("suite", "list", "--suite", "orders", "--json", check=0).stdout)
        self.assertEqual([(t["type"], t["tasks"]) for t in listed["types"]], [("simple_task", 2), ("basic_task", 1)])
        self.assertEqual(listed["levels"], [{"level": "very_easy", "texts": 1, "reviewed": False},
                                            {"level": "easy", "texts": 3, "reviewed": False}])
        self.change("suite.yaml", "version: 1", "version: 1\nreviewed: [easy]")
        card = self.sortie("suite", "list", "--suite", "orders", check=0).stdout
        self.assertIn(f"orders/1, 4 tools, 3 tasks, version {listed['version']}", card)
        self.assertRegex(card, r"(?m)^very_easy +1 +not reviewed by people")
        self.assertRegex(card, r"(?m)^easy +3 +reviewed")
        shown = self.sortie("suite", "show", "twins", "--suite", "orders", check=0).stdout
        self.assertIn("How does order 4713 differ", shown)
        self.assertNotIn("medium", shown)
        self.sortie("suite", "review", "sheet", "--suite", "orders", check=0)
        self.assertIn("fetch_order 4713", (self.folder / "sheet/review.md").read_text())
        self.assertNotIn("## hard", (self.folder / "sheet/review.md").read_text())
        self.sortie("suite", "list", "--suite", "nowhere", check=2)

    def test_a_run_needs_its_ledger_alone(self):
        self.start_provider()
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        # Two types, one task each (the rarer type decides), two prompts, five repeats.
        self.assertEqual(self.query("SELECT count(*), sum(success) > 0 FROM score"), [(20, 1)])
        self.assertEqual(self.query("SELECT count(*) FROM manifest WHERE name = 'suite_text'"), [(1,)])
        before = self.table()
        shown = self.sortie("show", "test", "1", check=0).stdout
        shutil.rmtree(self.folder / "orders")
        self.assertEqual(self.sortie("show", "test", "1", check=0).stdout, shown)
        self.assertEqual(self.table(), before)
        self.assertIn("ok     scores_follow_from_answers", self.sortie("verify", "test", check=0).stdout)
        self.assertIn("0 scored now", self.sortie("score", "test", check=0).stdout)
        done = self.sortie("run", "campaign.yaml", check=2)
        self.assertRegex(done.stderr, r"campaign\.yaml:3:8: suite: expected pilot/1 or the folder of a suite")

    def test_a_changed_task_changes_its_own_trials_alone(self):
        self.start_provider()
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        def keys(run):
            return set(self.query("SELECT task, lower(hex(key)) FROM trial", run))
        self.change("others.yaml", "How does order", "In which way does order")
        refused = self.sortie("run", "campaign.yaml", "--quiet", check=3)
        self.assertIn("--new", refused.stderr)
        # The simulator still knows the old text only: it answers something, and that is enough here.
        self.sortie("run", "campaign.yaml", "--quiet", "--new", check=0)
        old, new = keys("runs/test"), keys("runs/test-2")
        self.assertEqual({task for task, _ in old - new}, {"twins"})
        self.assertEqual({task for task, _ in new - old}, {"twins"})
        self.assertEqual(len(old & new), 10)
        # The old run is played back as it was.
        self.sortie("verify", "test", check=0)
        self.sortie("verify", "test-2", check=0)

    def test_a_campaign_gets_no_level_and_no_flaw_that_its_tasks_do_not_have(self):
        self.start_provider()
        self.write("campaign.yaml", CAMPAIGN.replace("repeats: 5", "difficulty: medium"))
        done = self.sortie("plan", "campaign.yaml", check=2)
        self.assertRegex(done.stderr, r"campaign\.yaml:7:5: difficulty medium: the drawn task \w+ has no text at this level")
        self.write("campaign.yaml", CAMPAIGN.replace("optimal, baseline", "flawed_semantic_drift"))
        done = self.sortie("plan", "campaign.yaml", check=2)
        self.assertRegex(done.stderr, r"campaign\.yaml:7:5: flaw semantic_drift .* does not exist for")
        self.write("campaign.yaml", CAMPAIGN.replace("optimal, baseline", "flawed_missing_step"))
        self.sortie("plan", "campaign.yaml", check=0)

    def test_the_example_has_all_flaws_and_runs(self):
        example = SOURCE / "examples/own-suite"
        shutil.copytree(example, self.folder, dirs_exist_ok=True)
        self.sortie("suite", "validate", "library", check=0)
        listed = json.loads(self.sortie("suite", "list", "--suite", "library", "--json", check=0).stdout)
        for row in listed["types"]:
            self.assertEqual(row["eligible"], row["tasks"])
        profile = (example / "provider.yaml").read_text()
        urls, _ = self.simulate(profile.replace(":18897", ":0"))
        self.write("endpoints.yaml", (example / "endpoints.yaml").read_text().replace("http://127.0.0.1:18897/v1", urls[0]))
        self.sortie("run", "campaign.yaml", "--limit", "1", "--quiet", check=0)
        prompts = {prompt for prompt, in self.query("SELECT DISTINCT prompt FROM cell", "runs/library")}
        self.assertEqual(len(prompts), 3 + 7)
        self.sortie("report", "library", check=0)
        self.assertIn("ok     scores_follow_from_answers", self.sortie("verify", "library", check=0).stdout)


if __name__ == "__main__":
    unittest.main()
