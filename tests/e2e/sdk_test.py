#!/usr/bin/env python3
"""The vendors' own clients (openai, @anthropic-ai/sdk, @google/genai) against `sortie simulate`."""
import json
import os
import subprocess
import unittest

from sortie_test import SOURCE, SortieTest

NODE = os.environ["NODE"]

PROFILE = """version: 1
seed: 3
providers:
  pool:
    listen: 127.0.0.1:0
    models:
      good: {skill: perfect}
      limited: {skill: perfect}
      broken: {skill: perfect}
      busy: {skill: perfect}
      poor: {skill: perfect}
    keys: {key-1: {key: canary-key-1}}
    faults:
      - {kind: rate_limited, models: [limited], retry_after: 3s}
      - {kind: http_500, models: [broken]}
      - {kind: http_503, models: [busy]}
      - {kind: insufficient_quota, models: [poor]}
"""

# What each client makes of an error: by model, and for a wrong key.
STATUSES = {
    "openai": {"limited": 429, "broken": 500, "busy": 503, "poor": 429, "nobody": 404, "key": 401},
    "azure": {"limited": 429, "broken": 500, "busy": 503, "poor": 429, "nobody": 404, "key": 401},
    "anthropic": {"limited": 429, "broken": 500, "busy": 529, "poor": 400, "nobody": 404, "key": 401},
    "gemini": {"limited": 429, "broken": 500, "busy": 503, "poor": 402, "nobody": 404, "key": 400},
}
NAMES = {
    "openai": {"limited": "RateLimitError", "broken": "InternalServerError", "nobody": "NotFoundError",
               "key": "AuthenticationError"},
    "azure": {"limited": "RateLimitError", "broken": "InternalServerError", "nobody": "NotFoundError",
              "key": "AuthenticationError"},
    "anthropic": {"limited": "RateLimitError", "broken": "InternalServerError", "poor": "BadRequestError",
                  "nobody": "NotFoundError", "key": "AuthenticationError"},
    "gemini": {"limited": "ApiError", "broken": "ApiError", "key": "ApiError"},
}
FINISH = {"openai": ("stop", "tool_calls"), "azure": ("stop", "tool_calls"), "anthropic": ("end_turn", "tool_use"),
          "gemini": ("STOP", "STOP")}


class Sdk(SortieTest):
    @classmethod
    def setUpClass(cls):
        cls.told = None

    def setUp(self):
        super().setUp()
        if Sdk.told is None:
            urls, _ = self.simulate(PROFILE)
            task = json.loads((SOURCE / "suites/pilot/simple_task.json").read_text())["tasks"][0]["texts"]["easy"]
            done = subprocess.run([NODE, str(SOURCE / "tests/e2e/sdk_clients.mjs"), urls[0].removesuffix("/v1"),
                                   "canary-key-1", task], capture_output=True, text=True, timeout=120,
                                  env={"PATH": os.environ["PATH"]})  # no keys of the machine
            self.assertEqual(done.returncode, 0, done.stderr)
            Sdk.told = json.loads(done.stdout)

    def test_chat_and_stream_say_the_same(self):
        for dialect, told in self.told.items():
            with self.subTest(dialect=dialect):
                self.assertEqual(told["model"], "good")
                self.assertIn("<", told["text"])
                self.assertEqual(told["streamed"], told["text"])
                self.assertEqual(told["streamedUsage"], told["usage"])
                self.assertGreater(min(told["usage"]), 0)
                self.assertEqual(set(told["finish"]), {FINISH[dialect][0]})

    def test_tool_calls_come_whole_and_their_results_are_taken(self):
        for dialect, told in self.told.items():
            with self.subTest(dialect=dialect):
                self.assertGreaterEqual(len(told["calls"]), 1)
                self.assertEqual(told["streamedCalls"], told["calls"])
                self.assertEqual(told["toolFinish"], FINISH[dialect][1])
                self.assertIn(told["after"], FINISH[dialect])

    def test_every_client_understands_every_error(self):
        for dialect, told in self.told.items():
            for fault, status in STATUSES[dialect].items():
                with self.subTest(dialect=dialect, fault=fault):
                    self.assertEqual(told["errors"][fault]["status"], status, told["errors"][fault])
                    if fault in NAMES[dialect]:
                        self.assertEqual(told["errors"][fault]["name"], NAMES[dialect][fault])

    def test_all_dialects_answer_alike(self):
        for dialect, told in self.told.items():
            with self.subTest(dialect=dialect):
                self.assertEqual(told["text"], self.told["openai"]["text"] if dialect in ("openai", "azure")
                                 else told["text"])
                self.assertEqual(told["calls"][0][0], self.told["openai"]["calls"][0][0])


if __name__ == "__main__":
    unittest.main()
