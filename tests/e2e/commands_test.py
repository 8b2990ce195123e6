#!/usr/bin/env python3
"""Every command: --help with an example, --json as one document, honest exit codes; secrets never show."""
import json
import pathlib
import re
import resource
import sqlite3
import subprocess
import unittest

from sortie_test import SORTIE, SOURCE, SortieTest

ENDLESS = ["serve", "top"]  # they show what goes on until they are ended


class Commands(SortieTest):
    def test_every_command_has_help_with_an_example(self):
        overview = self.sortie("--help", check=0).stdout
        commands = re.findall(r"^  (\w+)  ", overview.split("Subcommands:")[1], re.M)
        self.assertGreater(len(commands), 15)
        for command in commands:
            words = ("bench", "schedule") if command == "bench" else (command,)
            text = self.sortie(*words, "--help", check=0).stdout
            self.assertRegex(text, "Examples?:", command)
            if command not in ENDLESS:
                self.assertIn("--json", text, command)
        self.assertRegex(self.sortie("--version", check=0).stdout, r"^\d+\.\d+\.\d+$")

    def test_a_command_that_does_not_exist_is_named_with_the_nearest_one(self):
        done = self.sortie("reprot", "x", check=2)
        self.assertEqual(done.stderr, "sortie: there is no command 'reprot'; did you mean 'report'?\n")
        self.assertIn("there is no command 'q'; expected one of: init, check,", self.sortie("q", check=2).stderr)

    def test_output_that_cannot_be_written_is_a_failure_and_an_aside_is_none(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            for command in (("suite", "list"), ("suite", "list", "--json"), ("plan", self.campaign("http://127.0.0.1:9/v1"))):
                done = subprocess.run([SORTIE, *map(str, command)], cwd=self.folder, env=self.environment, stdout=full,
                                      stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual((done.returncode, done.stderr),
                                 (3, "sortie: what was printed is incomplete: standard output cannot be written\n"), command)
            done = subprocess.run([SORTIE, "verify", "nowhere"], cwd=self.folder, stderr=full, check=False)
            self.assertEqual(done.returncode, 2)
        done = subprocess.run(f"{SORTIE} suite show simple_task-001 | true; exit ${{PIPESTATUS[0]}}", shell=True,
                              executable="/bin/bash", cwd=self.folder, check=False)
        self.assertEqual(done.returncode, 0)

    def test_numbers_without_sense_are_refused(self):
        self.campaign("http://127.0.0.1:9/v1")
        for option, word in (("--open", "0"), ("--in-flight", "0"), ("--limit", "0"), ("--limit", "-1"), ("--patience", "nan"),
                             ("--patience", "-5")):
            self.assertIn(f'found "{word}"', self.sortie("run", "campaign.yaml", option, word, check=2).stderr, option)
        self.assertFalse((self.folder / "runs").exists())

    def test_a_stopped_run_says_what_goes_on_with_it(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0])
        few = ("run", "campaign.yaml", "--quiet", "--max-tokens", "1500")
        self.assertIn(": sortie run campaign.yaml\n", self.sortie(*few, check=1).stdout)
        self.assertIn(": sortie run campaign.yaml --dir runs/test-2\n", self.sortie(*few, "--new", check=1).stdout)
        self.assertIn(": sortie run campaign.yaml --only baseline --limit 1 --dir runs/a\n",
                      self.sortie(*few, "--only", "baseline", "--limit", "1", "--dir", "runs/a", check=1).stdout)

    def test_a_report_never_takes_the_place_of_a_ledger(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        for form in ("html", "text"):
            refused = self.sortie("report", "test", "--format", form, "-o", "runs/test/ledger.db", check=3)
            self.assertIn("runs/test/ledger.db is a database, which a report never replaces", refused.stderr)
            self.sortie("report", "test", "--format", form, "-o", "mine", check=0)  # and once more over it
        self.sortie("verify", "test", check=0)

    def test_as_many_files_may_be_open_as_the_system_allows(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        process = self.start_sortie("serve", ".", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, most)))
        self.assertTrue(process.stdout.readline())  # it has begun
        limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
        self.assertRegex(limits, rf"Max open files +{most} +{most} ")

    def test_all_keys_that_are_missing_are_named_at_once(self):
        self.campaign("http://127.0.0.1:9/v1", keys=3)
        del self.environment["KEY_1"], self.environment["KEY_3"]
        for command in (("check", "endpoints.yaml"), ("run", "campaign.yaml")):
            lines = self.sortie(*command, check=2).stderr.splitlines()
            self.assertEqual(len(lines), 2, lines)
            for line, key in zip(lines, ("KEY_1", "KEY_3"), strict=True):
                self.assertIn(f"the environment variable {key} is not set; first run: export {key}=…", line)

    def test_init_writes_files_that_the_other_commands_accept_and_never_overwrites(self):
        self.environment["MY_PROVIDER_KEY"] = "canary-key-1"
        written = json.loads(self.sortie("init", "mine", "--json", check=0).stdout)
        self.sortie("plan", written["campaign"], check=0)
        before = (self.folder / written["campaign"]).read_text()
        self.sortie("init", "mine", check=2)
        self.assertEqual((self.folder / written["campaign"]).read_text(), before)

    def test_the_whole_way_with_json_and_without_a_secret_anywhere(self):
        urls, audit = self.simulate(self.provider())
        self.campaign(urls[0], keys=3)
        printed = []

        def command(*arguments, check=0):
            done = self.sortie(*arguments, check=check)
            printed.append(done.stdout + done.stderr)
            return json.loads(done.stdout)

        self.assertTrue(command("check", "endpoints.yaml", "--json")["ok"])
        plan = command("plan", "campaign.yaml", "--json")
        self.assertEqual((plan["trials"], plan["done"]), (10, 0))
        run = command("run", "campaign.yaml", "--json")
        self.assertEqual((run["end"], run["scored"]), ("complete", 10))
        self.assertEqual(command("plan", "campaign.yaml", "--json")["done"], 10)
        again = command("run", "campaign.yaml", "--json")
        self.assertEqual((again["end"], again["attempts"]), ("complete", 0))
        status = command("status", "test", "--json")
        self.assertEqual(status["models"], [{"model": "sim-large", "simulated": True, "planned": 10, "scored": 10, "lost": 0, "lost_by_outcome": {},
                                             "open": 0}])
        self.assertEqual({route["served"] for route in status["routes"]}, {"sim-large"})
        self.assertTrue(command("verify", "test", "--json")["ok"])
        groups = command("report", "test", "--json")["groups"]
        self.assertEqual([group["n"] for group in groups], [10])
        shown = command("show", "test", "1", "--json")
        self.assertEqual((shown["trial"], shown["simulated"]), (1, True))
        self.assertGreater(len(shown["messages"]), 3)
        for format in ("parquet", "json", "jsonl", "csv"):
            manifest = command("export", "test", "--format", format, "--json")
            self.assertEqual({table["name"]: table["rows"] for table in manifest["tables"]}["trials"], 10)
        printed.append(self.sortie("show", "test", "1", check=0).stdout)
        printed.append(self.sortie("report", "test", check=0).stdout)

        canary = b"canary-key"
        for text in printed:
            self.assertNotIn("canary-key", text)
        for path in (self.folder / "runs").rglob("*"):
            if path.is_file():
                self.assertNotIn(canary, path.read_bytes(), path)

    def test_score_recomputes_from_stored_answers_and_keeps_older_scores(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0])
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        table = self.table()
        again = json.loads(self.sortie("score", "test", "--json", check=0).stdout)
        self.assertEqual((again["trials"], again["unchanged"], again["added"]), (10, 10, 0))
        # As if a scorer of an older version had scored three of the trials.
        connection = sqlite3.connect(self.folder / "runs/test/ledger.db")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'score'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE score SET scorer = 'pilot-scorer/0', success = 1 - success, clean = 0, progress = 0.5 "
                           "WHERE trial <= 3")
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
        connection.close()
        self.drop_page_checksums()
        again = json.loads(self.sortie("score", "test", "--json", check=0).stdout)
        self.assertEqual((again["unchanged"], again["added"]), (7, 3))
        self.assertEqual(self.table(), table)
        self.assertEqual(self.query("SELECT count(*) FROM score"), [(13,)])

    def test_a_run_of_other_rules_is_not_played_back(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        connection = sqlite3.connect(self.folder / "runs/test/ledger.db")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'manifest'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE manifest SET value = 'another' WHERE name = 'dialogue_version'")
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
        connection.close()
        self.drop_page_checksums()
        self.assertIn("other rules", self.sortie("score", "test", check=3).stderr)

    def test_the_suite_as_data(self):
        summary = json.loads(self.sortie("suite", "list", "--json", check=0).stdout)
        self.assertEqual(summary["tools"], 30)
        self.assertEqual(len(summary["types"]), 5)
        for type in summary["types"]:
            self.assertGreaterEqual(type["tasks"], 100)
            self.assertGreaterEqual(type["eligible"], 80)
            self.assertGreaterEqual(type["sequences"], 25)
        tasks = json.loads(self.sortie("suite", "list", "--type", "data_pipeline", "--json", check=0).stdout)["tasks"]
        task = tasks[0]["task"]
        self.assertEqual(json.loads(self.sortie("suite", "show", task, "--json", check=0).stdout)["id"], task)
        self.assertIn("very_hard", self.sortie("suite", "show", task, check=0).stdout)
        self.assertTrue(json.loads(self.sortie("suite", "validate", "--json", check=0).stdout)["ok"])
        self.sortie("suite", "show", "no-such-task", check=2)
        self.sortie("suite", "generate", "made", check=0)
        for path in (SOURCE / "suites/pilot").glob("*_*.json"):
            self.assertEqual((self.folder / "made" / path.name).read_bytes(), path.read_bytes())
        self.sortie("suite", "review", "sheet", check=0)
        sheet = (self.folder / "sheet/review.md").read_text()
        self.assertEqual(sheet.count("\n   Steps: \n"), 250)
        self.assertEqual((self.folder / "sheet/review-key.md").read_text().count("`: "), 250)
        self.sortie("suite", "list", "--type", "no-such-type", check=2)

    def test_schedulers_are_compared_in_virtual_time(self):
        bench = ("bench", "schedule", "--seeds", "1", "--scale", "0.1")
        text = self.sortie("bench", "schedule", "--help", check=0).stdout
        self.assertIn("Example:", text)
        rows = json.loads(self.sortie(*bench, "--scenario", "A", "--policy", "pool-30,sortie", "--json",
                                      check=0).stdout)["policies"]
        pool, ours = rows
        self.assertEqual([pool["policy"], ours["policy"]], ["pool-30", "sortie"])
        self.assertLess(pool["eta"], ours["eta"])
        self.assertLessEqual(ours["eta"], 1)
        self.assertEqual(ours["rejected_per_accepted"] + ours["over_declared_max"] + ours["lost_max"], 0)
        multiples = json.loads(self.sortie(*bench, "--table", "multiples", "--json", check=0).stdout)["multiples"]
        self.assertEqual(len(multiples), 9)
        targets = json.loads(self.sortie(*bench, "--table", "targets", "--json", check=0).stdout)["targets"]
        for target in targets:
            if target["metric"] == "audit violations":
                self.assertEqual(target["value"], 0, target)
        self.assertIn("there are A, B", self.sortie(*bench, "--scenario", "Z", check=2).stderr)
        self.assertIn("there are serial", self.sortie(*bench, "--policy", "none", check=2).stderr)

    def test_a_changed_campaign_that_would_change_finished_trials_is_refused(self):
        urls, _ = self.simulate(self.provider())
        campaign = self.campaign(urls[0])
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        campaign.write_text(campaign.read_text().replace("seed: 7", "seed: 8"))
        done = self.sortie("run", "campaign.yaml", "--quiet", check=3)
        self.assertIn("--new", done.stderr)
        self.sortie("run", "campaign.yaml", "--quiet", "--new", check=0)
        self.assertTrue((self.folder / "runs/test-2/ledger.db").exists())
        # More instances keep every finished trial.
        campaign.write_text(campaign.read_text().replace("seed: 8", "seed: 7").replace("instances: 2", "instances: 3"))
        done = json.loads(self.sortie("run", "campaign.yaml", "--quiet", "--json", check=0).stdout)
        self.assertEqual(done["scored"], 15)
        self.assertEqual(self.query("SELECT count(*) FROM trial"), [(15,)])

    def test_a_second_writer_is_refused_with_the_owners_pid(self):
        urls, audit = self.simulate(self.provider(latency=300))
        self.campaign(urls[0], instances=4)
        first = self.start_sortie("run", "campaign.yaml", "--quiet")
        while not audit.exists() or not audit.read_text():
            self.assertIsNone(first.poll())
        done = self.sortie("run", "campaign.yaml", "--quiet", check=3)
        self.assertIn(str(first.pid), done.stderr)
        self.sortie("status", "test", check=0)  # readers always work
        first.terminate()
        self.assertEqual(first.wait(), 130)


if __name__ == "__main__":
    unittest.main()
