#!/usr/bin/env python3
"""prune: what can be made again beside finished runs, shown first, removed with --yes; never a fact, never of a live run."""
import json
import os
import time
import unittest

from sortie_test import SortieTest


class Prune(SortieTest):
    def setUp(self):
        super().setUp()
        urls, _ = self.simulate(self.provider())
        self.url = urls[0]
        self.campaign(self.url, instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", "--capture", "all", check=0)
        self.run_folder = self.folder / "runs/test"
        self.sortie("export", "test", "--format", "jsonl", check=0)
        (self.run_folder / "cache").mkdir()
        (self.run_folder / "cache/report.cache").write_bytes(bytes(1000))
        (self.run_folder / "log/run.1.jsonl").write_bytes(bytes(500))
        (self.run_folder / "notes").mkdir()
        (self.run_folder / "notes/mine.txt").write_text("mine")
        outside = self.write("outside.txt", "mine")
        (self.run_folder / "capture/link").symlink_to(outside)

    def files(self):
        return {str(path.relative_to(self.folder)) for path in (self.folder / "runs").rglob("*") if not path.is_dir()}

    def pruned(self, *arguments, check=0):
        return json.loads(self.sortie("prune", *arguments, "--json", check=check).stdout)

    def test_shows_by_default_removes_with_yes_and_keeps_every_fact(self):
        before, table = self.files(), self.table()
        shown = self.pruned("runs", "--older-than", "0")
        self.assertEqual(self.files(), before)
        self.assertEqual((shown["removed"], len(shown["runs"])), (False, 1))
        kinds = {leftover["kind"] for leftover in shown["runs"][0]["leftovers"]}
        self.assertEqual(kinds, {"cache", "captures", "logs", "export"})
        text = self.sortie("prune", "runs", "--older-than", "0d", check=0).stdout
        self.assertIn("would be removed; to do it: add --yes", text)
        gone = self.pruned("runs", "--older-than", "0", "--yes")
        self.assertEqual((gone["removed"], gone["bytes"]), (True, shown["bytes"]))
        self.assertEqual({path for path in self.files() if "ledger.db" not in path}, {"runs/test/lock", "runs/test/notes/mine.txt"})
        self.assertTrue((self.folder / "outside.txt").exists())  # no link is followed
        self.sortie("verify", "test", check=0)
        self.assertEqual(self.table(), table)
        self.assertEqual(self.pruned("test", "--older-than", "0")["bytes"], 0)

    def test_what_is_younger_stays(self):
        self.assertEqual(self.pruned("test", "--yes")["bytes"], 0)
        old = time.time() - 40 * 86400
        os.utime(self.run_folder / "cache/report.cache", (old, old))
        gone = self.pruned("test", "--yes")
        self.assertEqual([leftover["kind"] for leftover in gone["runs"][0]["leftovers"]], ["cache"])

    def test_an_export_s_folder_with_a_person_s_file_stays(self):
        (self.run_folder / "export/jsonl/notes.txt").write_text("mine")
        gone = self.pruned("test", "--older-than", "0", "--yes")
        self.assertEqual({leftover["kind"] for leftover in gone["runs"][0]["leftovers"]}, {"cache", "captures", "logs"})
        self.assertEqual((self.run_folder / "export/jsonl/notes.txt").read_text(), "mine")
        self.assertTrue((self.run_folder / "export/jsonl/manifest.json").exists())

    def test_refuses_a_run_that_is_being_written_and_leaves_it_alone_among_others(self):
        self.write("long.yaml", (self.folder / "campaign.yaml").read_text().replace("name: test", "name: long").replace(
            "instances: 1", "instances: 20"))
        process = self.start_sortie("run", "long.yaml", "--quiet", "--capture", "all", "--in-flight", "1")
        while not (self.folder / "runs/long/capture").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        refused = self.sortie("prune", "long", "--older-than", "0", "--yes", check=3)
        self.assertIn("is being written", refused.stderr)
        all_runs = self.pruned("runs", "--older-than", "0", "--yes")
        self.assertEqual({os.path.basename(run["run"]): run["running"] for run in all_runs["runs"]}, {"long": True, "test": False})
        self.assertTrue((self.folder / "runs/long/capture").exists())
        self.assertFalse((self.folder / "runs/test/capture").exists())
        self.assertEqual(self.sortie("prune", "nowhere").returncode, 2)


if __name__ == "__main__":
    unittest.main()
