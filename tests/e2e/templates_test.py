#!/usr/bin/env python3
"""`sortie init --template`: every template is a file that plan accepts; scale-up's runs against the simulator, with nothing
changed but where its providers are."""
import json
import re
import unittest

from sortie_test import FULL, SortieTest

QWEN = [f"qwen2.5-{size}b-instruct" for size in (72, 32, 14, 7, 3)]
DEPLOYED = ["DeepSeek-V3-0324", "DeepSeek-R1-0528", "Llama-3.3-70B-Instruct"]
KEYS = {"AZURE_OPENAI_KEY": "a-main", "USER_AZURE_KEY": "u-main", "QWEN_KEY_0": "q-0", "QWEN_KEY_1": "q-1", "QWEN_KEY_2": "q-2"}


def profile():
    deployments = "".join(f"      {name}{end}: {{skill: {name}, served_as: {name}}}\n"
                          for name in DEPLOYED for end in ("", "-2", "-3"))
    qwen = "".join(f"      {name}: {{skill: {name}}}\n" for name in QWEN)
    return f"""version: 1
seed: 3
providers:
  azure:
    listen: 127.0.0.1:0
    models:
      gpt-4o-mini: {{skill: gpt-4o-mini}}
    keys: {{main: {{key: a-main}}}}
  user_azure:
    listen: 127.0.0.1:0
    models:
{deployments}    keys: {{main: {{key: u-main}}}}
  idealab:
    listen: 127.0.0.1:0
    models:
{qwen}    keys: {{qwen-key0: {{key: q-0}}, qwen-key1: {{key: q-1}}, qwen-key2: {{key: q-2}}}}
"""


class Templates(SortieTest):
    def setUp(self):
        super().setUp()
        self.environment.update(KEYS)

    def test_plan_accepts_every_template(self):
        for name in ("openai", "azure", "anthropic", "gemini", "gateway", "own-suite", "scale-up"):
            with self.subTest(template=name):
                written = json.loads(self.sortie("init", name, "--template", name, "--json", check=0).stdout)
                plan = json.loads(self.sortie("plan", written["campaign"], "--json", check=0).stdout)
                self.assertTrue(plan)
        self.assertEqual(self.sortie("init", "x", "--template", "azur").returncode, 2)
        self.assertEqual(self.sortie("init", "x", "--template", "azure", "--campaign", "pilot-all").returncode, 2)

    def test_scale_up_runs_against_the_simulator(self):
        self.sortie("init", ".", "--template", "scale-up", check=0)
        urls, audit = self.simulate(profile())
        path = self.folder / "endpoints.yaml"
        text = path.read_text()
        places = iter((urls[0].removesuffix("/v1"), urls[1].removesuffix("/v1"), urls[2]))
        text, replaced = re.subn(r"base_url: \S+", lambda _: f"base_url: {next(places)}", text)
        self.assertEqual(replaced, 3)
        path.write_text(text)
        checked = self.sortie("check", "endpoints.yaml", check=0)
        self.assertIn("DeepSeek-V3-0324-3", checked.stdout)
        done = json.loads(self.sortie("run", "scale-up.yaml", "--limit", "1", *([] if FULL else ["--only", "5.1"]), "--quiet", "--json", "--dir",
                                      "runs/up", check=0).stdout)
        self.assertEqual((done["end"], done["lost"]), ("complete", 0))
        routes = {row[0] for row in self.query("SELECT DISTINCT route FROM attempt", "runs/up")}
        for name in DEPLOYED:
            self.assertTrue(any(route.startswith(f"user_azure/main/{name}") for route in routes), name)
        self.assertTrue(any(route.startswith("idealab/qwen-key") for route in routes), routes)
        self.assertEqual(self.query("SELECT count(*) FROM attempt_end WHERE cause = 'wrong_model'", "runs/up")[0][0], 0)
        self.sortie("verify", "runs/up", check=0)


if __name__ == "__main__":
    unittest.main()
