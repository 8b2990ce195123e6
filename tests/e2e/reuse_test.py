#!/usr/bin/env python3
"""run --reuse: another run's scored trials count here too, once, with their origin, and are not paid for again."""
import json
import signal
import sqlite3
import time
import unittest

from sortie_test import FULL, SortieTest

KILLS = 20 if FULL else 6
FAULT = "    faults:\n      - {kind: wrong_model, from_request: 25, served_as: tiny-7b}\n"
FACTS_OF_A_TRIAL = ("SELECT lower(hex(t.key)), u.turn, lower(hex(m.digest)), u.served_model, u.input_tokens FROM trial t JOIN turn u "
                    "ON u.trial = t.id JOIN message m ON m.id = u.answer ORDER BY 1, 2")


class Reuse(SortieTest):
    def start(self, instances, rest="", seed=7):
        """A simulator, and the run `first` of a small campaign."""
        urls, self.audit = self.simulate(self.provider(rest=rest))
        self.campaign(urls[0], instances=instances)
        path = self.folder / "campaign.yaml"
        path.write_text(path.read_text().replace("name: test", "name: first").replace("seed: 7", f"seed: {seed}"))

    def wider(self, instances, name="wider"):
        """The same campaign with more instances, under another name."""
        text = (self.folder / "campaign.yaml").read_text()
        text = text.replace("name: first", f"name: {name}")
        head, _, _ = text.partition("instances:")
        return self.write(f"{name}.yaml", f"{head}instances: {instances}\n")

    def json(self, *arguments, check=0):
        return json.loads(self.sortie(*arguments, "--json", check=check).stdout)

    def groups(self, run):
        """The scored table without the name and the content mark of its run."""
        document = json.loads(self.table(run))
        return {name: value for name, value in document.items() if name not in ("run", "high_water_mark")}

    def test_a_wider_campaign_takes_what_the_first_paid_for_and_asks_the_rest(self):
        self.start(instances=2)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.wider(4)
        plan = self.json("plan", "wider.yaml", "--reuse", "first")
        self.assertEqual([(line["run"], line["trials"]) for line in plan["reuse"]], [("runs/first", 10)])
        self.assertEqual((plan["models"][0]["done"], plan["models"][0]["reused"]), (0, 10))
        self.assertIn("reuses 10 of 20 trials from runs/first ($", self.sortie("plan", "wider.yaml", "--reuse", "first", check=0).stdout)
        self.assertFalse((self.folder / "runs/wider").exists())  # a plan writes nothing

        before = len(self.audit_entries(self.audit))
        done = self.sortie("run", "wider.yaml", "--reuse", "runs/first", check=0)
        self.assertIn("reuses 10 of 20 trials from runs/first ($", done.stderr)
        self.assertIn("Trials reused from other runs", done.stdout)
        own = self.audit_entries(self.audit)[before:]

        # The bill is that of the requests that this run sent; what was reused is shown apart.
        cost, tokens = self.query("SELECT sum(cost), sum(input_tokens + output_tokens) FROM attempt_full", "runs/wider")[0]
        self.assertEqual(tokens, sum(entry["input_tokens"] + entry["output_tokens"] for entry in own))
        paid = self.query("SELECT sum(cost) FROM attempt_full", "runs/first")[0][0]
        self.assertGreater(paid, 0)
        status = self.json("status", "wider")
        self.assertEqual(status["costs"]["total"]["cost_micro_usd"], cost)
        self.assertEqual(status["costs"]["total"]["attempts"], len(own))
        self.assertEqual([(line["directory"], line["trials"], line["cost_micro_usd"]) for line in status["reused"]],
                         [("runs/first", 10, paid)])
        key = self.query("SELECT lower(hex(key)) FROM run", "runs/first")[0][0]
        self.assertEqual({line["run"] for line in status["reused"]}, {key})

        # The new ledger is whole in itself, and its table is that of a run without reuse.
        (self.folder / "runs/first").rename(self.folder / "gone")
        self.assertEqual(self.json("verify", "wider")["ok"], True)
        self.assertEqual(self.json("score", "wider")["unchanged"], 20)
        shown = self.json("show", "wider", "1")
        self.assertEqual(shown["reused_from"], "runs/first, trial 1 there")
        self.assertIn("reused from runs/first", self.sortie("show", "wider", "1", check=0).stdout)
        tables = {table["name"]: table["rows"] for table in self.json("export", "wider", "--format", "jsonl")["tables"]}
        self.assertEqual((tables["trials"], tables["reused"]), (20, 10))
        self.assertIn("Trials reused from other runs", self.sortie("report", "wider", "--format", "text", check=0).stdout)
        html = self.folder / "page.html"
        self.sortie("report", "wider", "--format", "html", "-o", html, check=0)
        self.assertIn("Trials reused from other runs", html.read_text())
        self.sortie("run", self.wider(4, "plain"), "--quiet", check=0)
        self.assertEqual(self.groups("runs/wider"), self.groups("runs/plain"))
        self.assertEqual(self.query(FACTS_OF_A_TRIAL, "runs/wider"), self.query(FACTS_OF_A_TRIAL, "runs/plain"))

    def test_the_same_command_again_takes_nothing_twice_and_a_third_run_names_who_paid(self):
        self.start(instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.wider(1, "second")
        run = self.json("run", "second.yaml", "--quiet", "--reuse", "first")
        self.assertEqual((run["end"], run["attempts"], [line["trials"] for line in run["reused"]]), ("complete", 0, [5]))
        facts = self.query("SELECT facts FROM run", "runs/second")
        again = self.sortie("run", "second.yaml", "--reuse", "first", check=0)
        self.assertIn("reuses 0 of 5 trials from runs/first ($0.0000 paid there); 5 more are here already", again.stderr)
        manifest = self.query("SELECT count(*) FROM manifest WHERE generation = 1", "runs/second")[0][0]
        events = self.query("SELECT count(*) FROM event", "runs/second")[0][0]
        self.assertLessEqual(self.query("SELECT facts FROM run", "runs/second")[0][0], facts[0][0] + manifest + events)
        self.assertEqual(self.query("SELECT count(*) FROM trial", "runs/second"), [(5,)])

        self.wider(1, "third")
        self.sortie("run", "third.yaml", "--quiet", "--reuse", "second", "first", check=0)
        paid = self.query("SELECT sum(cost) FROM attempt_full", "runs/first")[0][0]
        self.assertEqual(self.query("SELECT directory, sum(cost), count(*) FROM reuse GROUP BY 1", "runs/third"), [("runs/first", paid, 5)])
        self.sortie("verify", "third", check=0)

    def test_losses_are_not_taken_nor_answers_of_a_model_that_is_no_longer_declared(self):
        self.start(instances=2, rest=FAULT)
        path = self.folder / "endpoints.yaml"
        strict = path.read_text()
        self.sortie("run", "campaign.yaml", "--quiet", "--open", "1", check=1)
        scored = self.query("SELECT count(*) FROM outcome WHERE outcome = 'scored'", "runs/first")[0][0]
        self.assertTrue(0 < scored < 10, scored)
        self.wider(2, "second")
        self.assertEqual(self.json("plan", "second.yaml", "--reuse", "first")["reuse"][0]["trials"], scored)
        # The same names, but only another one is declared now.
        path.write_text(strict.replace("api_name: sim-large", "api_name: sim-large, served_as: [sim-large-2027]"))
        line = self.json("plan", "second.yaml", "--reuse", "first")["reuse"][0]
        self.assertEqual((line["trials"], line["other_served"]), (0, scored))
        self.assertIn(f"{scored} more were answered by a model that no route declares today",
                      self.sortie("plan", "second.yaml", "--reuse", "first", check=0).stdout)

    def test_other_trials_and_the_run_itself_are_told_from_a_source(self):
        self.start(instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        path = self.folder / "campaign.yaml"
        self.write("other.yaml", path.read_text().replace("seed: 7", "seed: 8").replace("name: first", "name: other"))
        text = self.sortie("plan", "other.yaml", "--reuse", "first", check=0).stdout
        self.assertIn("reuses 0 of 5 trials", text)
        self.assertIn("none of its 5 scored trials is one of this campaign", text)
        own = self.sortie("run", "campaign.yaml", "--quiet", "--reuse", "first", check=2)
        self.assertIn("names the run directory of this campaign itself", own.stderr)
        self.assertIn("--reuse: ", self.sortie("run", "campaign.yaml", "--quiet", "--reuse", "nowhere", check=2).stderr)

    def test_a_run_over_the_same_trials_leaves_the_other_as_it_was(self):
        self.start(instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        before = (self.folder / "runs/first/ledger.db").read_bytes()
        self.sortie("run", self.wider(1, "same"), "--quiet", check=0)  # asks the same trials anew
        self.sortie("run", self.wider(2, "more"), "--quiet", "--reuse", "first", check=0)
        self.assertEqual((self.folder / "runs/first/ledger.db").read_bytes(), before)
        keys = [self.query("SELECT key FROM trial ORDER BY 1", f"runs/{run}") for run in ("first", "same")]
        self.assertEqual(keys[0], keys[1])
        logs = [{json.loads(line)["run"] for line in (self.folder / f"runs/{run}/log/run.jsonl").read_text().splitlines()}
                for run in ("first", "same", "more")]
        self.assertEqual([len(names) for names in logs], [1, 1, 1])
        self.assertEqual(len(set.union(*logs)), 3)  # each log speaks of its own run alone

    def test_several_campaigns_of_one_process_each_take_what_is_theirs(self):
        self.start(instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.wider(2, "a")
        self.wider(3, "b")
        done = self.sortie("run", "a.yaml", "b.yaml", "--reuse", "first", check=0)
        self.assertIn("a: reuses 5 of 10 trials from runs/first", done.stderr)
        self.assertIn("b: reuses 5 of 15 trials from runs/first", done.stderr)
        for run, trials in (("runs/a", 10), ("runs/b", 15)):
            self.assertEqual(self.query("SELECT count(*) FROM score", run), [(trials,)])
            self.assertEqual(self.query("SELECT count(*) FROM reuse", run), [(5,)])
            self.sortie("verify", run, check=0)

    def test_a_source_whose_answer_was_changed_gives_nothing_and_says_so(self):
        self.start(instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        connection = sqlite3.connect(self.folder / "runs/first/ledger.db")
        trigger, sql = connection.execute("SELECT name, sql FROM sqlite_schema WHERE name = 'message_keeps_values'").fetchone()
        connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE message SET encoding = 'plain', content = ?, size = ? WHERE id = (SELECT answer FROM turn WHERE trial = 3 AND "
                           "turn = 0)", (b'{"text":"finish"}', 17))
        connection.execute(sql)
        connection.commit()
        connection.close()
        self.drop_page_checksums("runs/first")
        self.wider(1, "second")
        done = self.sortie("run", "second.yaml", "--quiet", "--reuse", "first", check=3)
        self.assertIn("runs/first gives no trial 3 (prove it with: sortie verify runs/first)", done.stderr)
        self.assertLess(self.query("SELECT count(*) FROM reuse", "runs/second")[0][0], 5)
        self.sortie("verify", "second", check=0)

    def test_who_is_killed_while_copying_goes_on_with_the_same_command(self):
        self.start(instances=12)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.wider(14)
        midst = 0
        for kill in range(KILLS):
            process = self.start_sortie("run", "wider.yaml", "--quiet", "--reuse", "first")
            while process.poll() is None:
                if self.copied() > 60 * (kill + 1) // KILLS:
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.0005)
            process.wait()
            if (self.folder / "runs/wider/ledger.db").exists():
                midst += 0 < self.copied() < 60
                self.sortie("verify", "wider", check=0)
                self.assertEqual(self.query("SELECT count(*) FROM trial t WHERE NOT EXISTS (SELECT 1 FROM reuse WHERE trial = t.id) AND EXISTS "
                                            "(SELECT 1 FROM attempt WHERE trial = t.id AND number = 0 AND reserved_cost = 0)", "runs/wider"), [(0,)])
        self.assertGreater(midst, 0)
        self.sortie("run", "wider.yaml", "--quiet", "--reuse", "first", check=0)
        self.assertEqual(self.copied(), 60)
        self.sortie("verify", "wider", check=0)
        self.sortie("run", self.wider(14, "plain"), "--quiet", check=0)
        self.assertEqual(self.groups("runs/wider"), self.groups("runs/plain"))

    def copied(self):
        try:
            return self.query("SELECT count(*) FROM reuse", "runs/wider")[0][0]
        except sqlite3.OperationalError:
            return 0  # not there yet


if __name__ == "__main__":
    unittest.main()
