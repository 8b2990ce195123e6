#!/usr/bin/env python3
"""A disk without room stops a run with a message and a code, loses nothing, and the same command goes on when there is room;
eight readers beside a run never fail, and a second writer is refused."""
import os
import resource
import signal
import threading
import time
import unittest

from sortie_test import FULL, SortieTest

STOPS = 20 if FULL else 4


class Disk(SortieTest):
    def start_with_room_for(self, file_bytes):
        """`sortie run` that can make no file longer than this."""
        def limit():
            # So that the write fails, as on a full disk, instead of ending the process.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        return self.start_sortie("run", "campaign.yaml", "--quiet", preexec_fn=limit)

    def test_a_full_disk_stops_a_run_cleanly_and_it_goes_on(self):
        urls, _ = self.simulate(self.provider(latency=2))
        self.campaign(urls[0], instances=2)
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/calm", check=0)
        calm = self.table("runs/calm")
        held = 0
        for stop in range(STOPS):
            stopped = self.start_with_room_for(260_000 + 90_000 * stop)
            printed = stopped.communicate(timeout=120)[0]
            self.assertEqual(stopped.returncode, 3, printed)
            self.assertRegex(printed, "runs/test/ledger.db: .*(is full|I/O error)")
            self.assertIn("go on with: sortie run campaign.yaml", printed)
            self.sortie("verify", "runs/test", check=0)
            turns = self.query("SELECT count(*) FROM turn")[0][0]
            self.assertGreaterEqual(turns, held)
            held = turns
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertEqual(self.table(), calm)
        self.sortie("verify", "runs/test", check=0)
        answered = self.query("SELECT trial, turn, count(*) FROM attempt a JOIN attempt_end e ON e.attempt = a.id "
                              "WHERE e.cause = 'answered' GROUP BY 1, 2 HAVING count(*) > 1")
        self.assertEqual(answered, [], "a turn that the ledger held was asked again")

    def test_a_disk_that_is_full_before_the_first_request_stops_the_run_at_once(self):
        urls, _ = self.simulate(self.provider(latency=2))
        path = self.campaign(urls[0], instances=1)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        text = path.read_text().replace("instances: 1", "instances: 2")
        path.write_text(text + "# a long text in the first commit\n" * 10_000)
        # A log that nobody takes yet holds the start up, so that the commit fails before the run has begun.
        log = self.folder / "runs/test/log/run.jsonl"
        log.unlink()
        os.mkfifo(log)
        stopped = self.start_with_room_for(33_000)
        time.sleep(1)
        reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        printed = stopped.communicate(timeout=30)[0]
        self.assertEqual(stopped.returncode, 3, printed)
        self.assertRegex(printed, "runs/test/ledger.db: .*(is full|I/O error)")
        log.unlink()
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.sortie("verify", "runs/test", check=0)

    def test_eight_readers_beside_a_run_never_fail_and_a_second_writer_is_refused(self):
        urls, _ = self.simulate(self.provider(latency=10))
        self.campaign(urls[0], instances=8 if FULL else 3)
        run = self.start_sortie("run", "campaign.yaml", "--quiet")
        while not (self.folder / "runs/test/ledger.db").exists():
            self.assertIsNone(run.poll())
        commands = [["status", "runs/test", "--json"], ["report", "runs/test", "--json"],
                    ["export", "runs/test", "--format", "jsonl", "--output", "out-{}"], ["verify", "runs/test", "--json"],
                    ["sql", "runs/test", "select model, count(*), avg(success) from trial_result group by 1"]]
        failures, readings = [], []

        def read(number):
            command = [part.format(number) for part in commands[number % len(commands)]]
            while run.poll() is None:
                done = self.sortie(*command)
                readings.append(number)
                if done.returncode != 0:
                    failures.append((command, done.returncode, done.stdout[-500:], done.stderr))
        readers = [threading.Thread(target=read, args=(number,)) for number in range(8)]
        for reader in readers:
            reader.start()
        second = self.sortie("run", "campaign.yaml", "--quiet")
        still_running = run.poll() is None
        for reader in readers:
            reader.join()
        self.assertEqual(run.returncode, 0)
        self.assertEqual(failures, [])
        self.assertGreaterEqual(len(readings), 8)
        if still_running:
            self.assertEqual(second.returncode, 3)
            self.assertIn(f"pid {run.pid}", second.stderr)
        self.sortie("verify", "runs/test", check=0)


if __name__ == "__main__":
    unittest.main()
