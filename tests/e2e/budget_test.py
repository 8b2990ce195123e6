#!/usr/bin/env python3
"""A budget is never exceeded: not with 200 requests in flight, not over kills, by the provider's own bill. The same command
with more goes on to the same table."""
import json
import random
import signal
import time
import unittest

from sortie_test import SortieTest

MAX_COST = 10.0  # dollars, of about 15 that the campaign costs; 200 requests reserve about 4


class Budget(SortieTest):
    def bill(self, audit):
        return sum(entry["cost_usd"] for entry in self.audit_entries(audit))

    def ledger_cost(self):
        return self.query("SELECT coalesce(sum(cost), 0) FROM attempt_full")[0][0] / 1e6

    def kill_in_flight(self, audit, *arguments):
        """Kills a run when the simulator has seen some more of its requests. False if it ended before."""
        start = audit.stat().st_size
        process = self.start_sortie("run", "campaign.yaml", "--quiet", *arguments)
        grown = random.randrange(20_000, 120_000)
        while process.poll() is None:
            if audit.stat().st_size - start >= grown:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
            time.sleep(0.002)
        return False

    def dear_campaign(self, latency, instances):
        """Ten times the usual prices, so that what is in flight is a large part of the budget. Returns the audit log."""
        urls, audit = self.simulate(self.provider(latency=latency).replace("price_input: 0.5, price_output: 1.5",
                                                                           "price_input: 5, price_output: 15"))
        self.campaign(urls[0], instances=instances)
        endpoints = self.folder / "endpoints.yaml"
        endpoints.write_text(endpoints.read_text().replace("price: {input: 0.5, output: 1.5}",
                                                           "price: {input: 5, output: 15}, sampling: {max_tokens: 600}"))
        audit.touch()
        return audit

    def test_parallel_calls_and_kills_never_overshoot(self):
        audit = self.dear_campaign(latency=150, instances=60)
        limited = ["--max-cost", MAX_COST, "--in-flight", 200]
        kills = 0
        for _ in range(3):
            kills += self.kill_in_flight(audit, *limited)
            self.assertLessEqual(self.bill(audit), MAX_COST)
            # What is unknown counts as reserved; the whole stays within the budget.
            self.assertLessEqual(self.ledger_cost(), MAX_COST)
        self.assertGreaterEqual(kills, 2)

        done = self.sortie("run", "campaign.yaml", "--quiet", *limited, check=1)
        self.assertIn("the budget is used up", done.stdout)
        self.assertIn("--max-cost", done.stdout)
        self.assertLessEqual(self.bill(audit), MAX_COST)
        self.assertLessEqual(self.ledger_cost(), MAX_COST)
        # It was used, not merely respected: what is left is less than what a dialogue costs.
        self.assertGreater(self.ledger_cost(), 0.9 * MAX_COST)
        self.sortie("verify", "runs/test", check=0)

        # Again with the same budget: nothing is sent.
        requests = len(self.audit_entries(audit))
        done = json.loads(self.sortie("run", "campaign.yaml", "--quiet", "--json", *limited, check=1).stdout)
        self.assertEqual(done["end"], "budget_used")
        self.assertEqual(done["budget"]["max_cost_micro_usd"], MAX_COST * 1e6)
        self.assertEqual(len(self.audit_entries(audit)), requests)

        self.sortie("run", "campaign.yaml", "--quiet", "--max-cost", 100, "--in-flight", 200, check=0)
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/free", check=0)
        self.assertEqual(self.table(), self.table("runs/free"))
        print(f"{kills} kills, {requests} requests under the budget")

    def test_begun_dialogues_are_finished_before_new_ones_begin(self):
        self.dear_campaign(latency=20, instances=12)
        self.sortie("run", "campaign.yaml", "--quiet", "--max-cost", 1, "--in-flight", 8, check=1)
        begun = self.query("SELECT count(*) FROM trial")[0][0]
        scored = self.query("SELECT count(*) FROM outcome WHERE outcome = 'scored'")[0][0]
        print(f"{begun} dialogues begun, {scored} finished")
        self.assertGreater(scored, 5)
        self.assertLessEqual(begun - scored, 2)

    def test_tokens_are_a_budget_too(self):
        urls, audit = self.simulate(self.provider(latency=20))
        self.campaign(urls[0], instances=12)
        done = self.sortie("run", "campaign.yaml", "--quiet", "--max-tokens", "300k", check=1)
        self.assertIn("of 300,000 tokens", done.stdout)
        tokens = sum(entry["input_tokens"] + entry["output_tokens"] for entry in self.audit_entries(audit))
        self.assertLessEqual(tokens, 300_000)
        self.assertGreater(tokens, 200_000)

    def test_flag_environment_and_file_in_this_order(self):
        urls, _ = self.simulate(self.provider())
        path = self.campaign(urls[0], instances=1)
        path.write_text(path.read_text() + "budget: {max_cost: 11, max_tokens: 11M}\n")
        self.environment["SORTIE_MAX_COST"] = "12"
        budget = json.loads(self.sortie("run", path, "--quiet", "--json", check=0).stdout)["budget"]
        self.assertEqual((budget["max_cost_micro_usd"], budget["max_tokens"]), (12_000_000, 11_000_000))
        budget = json.loads(self.sortie("run", path, "--quiet", "--json", "--max-cost", 13, check=0).stdout)["budget"]
        self.assertEqual(budget["max_cost_micro_usd"], 13_000_000)

    def test_bad_budgets_are_refused_before_anything_is_sent(self):
        path = self.campaign("http://127.0.0.1:1/v1")
        for flag, value in (("--max-cost", "lots"), ("--max-cost", "-3"), ("--max-tokens", "2m"), ("--deadline", "soon")):
            done = self.sortie("run", path, "--quiet", flag, value, check=2)
            self.assertIn(f"{flag}: expected", done.stderr)
        endpoints = self.folder / "endpoints.yaml"
        endpoints.write_text(endpoints.read_text().replace(", price: {input: 0.5, output: 1.5}", ""))
        done = self.sortie("run", path, "--quiet", "--max-cost", 3, check=2)
        self.assertIn("endpoints.yaml:3:3: model 'sim-large' has no price", done.stderr)
        self.assertIn("price: {input:", done.stderr)
        self.assertFalse((self.folder / "runs/test").exists())

    def test_at_the_deadline_a_run_stops_cleanly_and_goes_on_without_it(self):
        urls, audit = self.simulate(self.provider(latency=400))
        self.campaign(urls[0], instances=3)
        done = self.sortie("run", "campaign.yaml", "--quiet", "--in-flight", 4, "--deadline", "4s", check=1)
        self.assertIn("the deadline was reached", done.stdout)
        self.assertEqual(self.query("SELECT count(*) FROM event WHERE kind = 'deadline_reached'")[0][0], 1)
        # Nothing was cut off: every attempt that was sent has an end, and it is an answer.
        self.assertEqual(self.query("SELECT count(*) FROM attempt_full WHERE cause NOT IN ('answered', 'cancelled')")[0][0], 0)
        self.assertEqual(self.query("SELECT count(*) FROM attempt_full WHERE cause = 'cancelled' AND code <> 'not_sent'")[0][0], 0)
        self.assertGreater(self.query("SELECT count(*) FROM turn")[0][0], 10)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)


if __name__ == "__main__":
    unittest.main()
