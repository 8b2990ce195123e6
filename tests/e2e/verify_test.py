#!/usr/bin/env python3
"""verify as a person uses it: which page is damaged and what it held, the suite's hash, --repair on a copy."""
import json
import signal
import sqlite3
import time
import unittest

from sortie_test import SortieTest

PAGE = 4096


class Verify(SortieTest):
    def setUp(self):
        super().setUp()
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], instances=4)
        self.run_folder = self.folder / "runs/test"
        self.ledger = self.run_folder / "ledger.db"

    def checks(self, run="test", check=0):
        document = json.loads(self.sortie("verify", run, "--json", check=check).stdout)
        self.assertEqual(document["ok"], check == 0)
        return {line["check"]: line for line in document["checks"]}

    def change(self, table, column, value, where):
        """As another program changes a ledger: by a statement that no trigger hears of."""
        connection = sqlite3.connect(self.ledger)
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        columns = ", ".join("?" if name == column else name for name in names)
        changed = connection.execute(f"REPLACE INTO {table} SELECT {columns} FROM {table} WHERE {where}", (value,))
        self.assertGreater(changed.rowcount, 0)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def leaf_page(self, table, last=True):
        connection = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        pages = [row[0] for row in connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,))]
        connection.close()
        return pages[-1 if last else 0]

    def flip(self, page, at=PAGE - 20):
        with open(self.ledger, "r+b") as file:
            file.seek((page - 1) * PAGE + at)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 0x55]))

    def test_names_the_page_and_the_rows_that_were_on_it(self):
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertTrue(self.checks()["pages_match_their_checksums"]["ok"])
        page = self.leaf_page("turn")
        last = self.query("SELECT max(attempt) FROM turn")[0][0]
        self.flip(page)
        detail = self.checks(check=3)["pages_match_their_checksums"]["detail"]
        self.assertRegex(detail, rf"^page {page} \(table turn, rows \d+ to {last}\): the disk or another program changed the file\. Restore the run from a copy")
        text = self.sortie("verify", "test", check=3).stdout
        self.assertIn(f"FAILED pages_match_their_checksums: page {page} (table turn", text)
        # Every other command says where to look.
        self.assertIn("sortie verify RUN says which", self.sortie("report", "test", check=3).stderr)
        index = self.leaf_page("attempt_by_turn")
        self.flip(index)
        self.assertIn(f"page {index} (index attempt_by_turn)", self.checks(check=3)["pages_match_their_checksums"]["detail"])

    def test_a_row_that_another_program_changed_is_named_by_its_page(self):
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.change("score", "progress", 0.125, "trial = 2")
        detail = self.checks(check=3)["pages_match_their_checksums"]["detail"]
        self.assertRegex(detail, r"\(table score, rows? 1( to \d+)?\)")

    def test_a_ledger_that_cannot_even_be_opened_is_examined_all_the_same(self):
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.flip(1, at=2000)
        checks = self.checks(check=3)
        self.assertIn("page 1", checks["pages_match_their_checksums"]["detail"])
        self.assertIn("does not match its checksum", checks["ledger_can_be_read"]["detail"])
        self.assertIn("FAILED ledger_can_be_read", self.sortie("verify", "test", check=3).stdout)

    def test_the_hash_of_the_suite_is_that_of_the_run(self):
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertEqual(self.checks()["suite_matches_its_hash"], {"check": "suite_matches_its_hash", "ok": True, "detail": ""})
        self.change("manifest", "value", "00112233445566778899aabbccddeeff", "name = 'suite_hash'")
        self.drop_page_checksums()
        checks = self.checks(check=3)
        self.assertIn("had the hash 00112233445566778899aabbccddeeff in this run", checks["suite_matches_its_hash"]["detail"])
        self.change("manifest", "name", "another_hash", "name = 'suite_hash'")
        self.drop_page_checksums()
        self.assertIn("no hash was recorded", self.checks(check=3)["suite_matches_its_hash"]["detail"])

    def test_a_task_is_of_the_type_that_the_suite_says(self):
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertTrue(self.checks()["trials_have_the_types_of_their_tasks"]["ok"])
        self.change("trial", "task_type", "file_processing", "task_type = 'basic_task' AND id = (SELECT min(id) FROM trial WHERE task_type = 'basic_task')")
        self.drop_page_checksums()
        self.assertRegex(self.checks(check=3)["trials_have_the_types_of_their_tasks"]["detail"], r"^1 of 20 trials, e\.g\. trial \d+$")

    def killed_with_a_torn_log(self):
        process = self.start_sortie("run", "campaign.yaml", "--quiet")
        log = self.run_folder / "ledger.db-wal"

        def until(condition):
            while not condition():
                self.assertIsNone(process.poll(), "it ended before it was killed")
                time.sleep(0.002)
        until(lambda: log.exists() and log.stat().st_size > 300_000 and self.query("SELECT count(*) FROM turn")[0][0] > 0)
        held = log.stat().st_size
        until(lambda: log.stat().st_size > held)  # a further commit, which is then torn
        process.send_signal(signal.SIGKILL)
        process.wait()
        data = log.read_bytes()
        frames = [32 + i * (24 + PAGE) for i in range((len(data) - 32) // (24 + PAGE))]
        last_commit = max(at for at in frames if data[at + 4:at + 8] != bytes(4))
        with open(log, "r+b") as file:
            file.seek(last_commit + 24 + 700)
            file.write(bytes([data[last_commit + 24 + 700] ^ 4]))
        (self.run_folder / "ledger.db-shm").unlink()  # the memory that a crash of the machine takes along

    def test_repair_makes_a_proved_copy_of_a_run_with_a_torn_log_and_leaves_the_run(self):
        self.killed_with_a_torn_log()
        before = {path.name: path.read_bytes() for path in self.run_folder.glob("ledger.db*") if not path.name.endswith("-shm")}
        done = self.sortie("verify", "test", "--repair", check=0)
        self.assertIn("wrote runs/test.repaired: all whole commits, and every check holds. runs/test is as it was", done.stdout)
        self.assertEqual({path.name: path.read_bytes() for path in self.run_folder.glob("ledger.db*") if not path.name.endswith("-shm")}, before)
        checks = self.checks("runs/test.repaired")
        self.assertTrue(all(line["ok"] for line in checks.values()))
        self.assertGreater(self.query("SELECT count(*) FROM turn", "runs/test.repaired")[0][0], 0)
        self.assertIn("is there already", self.sortie("verify", "test", "--repair", check=2).stderr)
        again = json.loads(self.sortie("verify", "test", "--repair", "--out", "other", "--json", check=0).stdout)
        self.assertEqual((again["ok"], again["repaired"]), (True, "other"))
        # The run itself goes on, and ends as whole as the copy is.
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.sortie("verify", "test", check=0)
        self.assertIn("nothing is torn", self.sortie("verify", "test", "--repair", "--out", "third", check=0).stdout)
        self.assertFalse((self.folder / "third").exists())

    def test_repair_refuses_every_other_damage(self):
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.flip(self.leaf_page("turn"))
        done = self.sortie("verify", "test", "--repair", check=3)
        self.assertIn("this is no torn tail, and no repair", done.stderr)
        self.assertFalse((self.folder / "runs/test.repaired").exists())
        self.assertEqual(self.sortie("verify", "test", "--out", "x").returncode, 2)


if __name__ == "__main__":
    unittest.main()
