#!/usr/bin/env python3
"""The real binary over https to the simulator: whom it trusts, whom it does not and what it says then; and through a proxy."""
import json
import subprocess
import unittest

import certificates
from proxy import Proxy
from sockets import Watch
from sortie_test import SOURCE, SortieTest

THROW_AWAY = "    tls: {throw_away: sim-ca.pem}\n"


class Https(SortieTest):
    def serve(self, tls=THROW_AWAY, instances=2, endpoint="    ca_file: sim-ca.pem\n", rest=""):
        """A simulator under TLS, and a campaign over it with these lines in its endpoint."""
        urls, self.audit = self.simulate(self.provider(rest=tls + rest))
        self.assertTrue(urls[0].startswith("https://127.0.0.1:"), urls)
        self.campaign(urls[0], keys=3, instances=instances)
        self.reach(endpoint)

    def reach(self, lines):
        endpoints = (self.folder / "endpoints.yaml").read_text()
        self.write("endpoints.yaml", endpoints.replace("    simulated: true\n", "    simulated: true\n" + lines))

    def check(self, code=0):
        return json.loads(self.sortie("check", "endpoints.yaml", "--json", check=code).stdout)["routes"]

    def expect_refused(self, *words):
        """By check and by run: no model's failure, no request, and the words in both."""
        for route in self.check(code=1):
            self.assertEqual((route["reachable"], route["key_valid"]), (False, None))
            for word in words:
                self.assertIn(word, route["problem"])
        done = self.sortie("run", "campaign.yaml", "--patience", "0.02", timeout=60)
        self.assertNotEqual(done.returncode, 0)
        reasons = self.query("SELECT subject, detail FROM event WHERE kind = 'route_disabled'")
        self.assertEqual({subject for subject, _ in reasons}, {f"pool/key-{i}/sim-large" for i in (1, 2, 3)})
        for word in words:
            for _, reason in reasons:
                self.assertIn(word, reason)
            self.assertIn(word, self.sortie("status", "test", check=None).stdout + done.stdout + done.stderr)
        self.assertEqual(set(self.query("SELECT cause FROM attempt_end")), {("wrong_name",)})
        self.assertEqual(self.query("SELECT count(*) FROM turn"), [(0,)])
        # Once for each route: a certificate does not get better by asking again.
        self.assertLessEqual(self.query("SELECT count(*) FROM attempt_end")[0][0], 2 * 3)
        self.assertEqual(self.audit_entries(self.audit) if self.audit.exists() else [], [])


class Tls(Https):
    def test_a_throw_away_certificate_serves_a_campaign(self):
        self.serve(instances=6)
        for route in self.check():
            self.assertTrue(route["ok"], route)
        process = self.start_sortie("run", "campaign.yaml", "--quiet")
        watch = Watch(process)
        self.assertEqual(process.returncode, 0, process.stdout.read())
        self.assertEqual(watch.close_wait_that_stays(), [])
        self.assertGreater(watch.established_max(), 0)
        over_tls = self.scores("runs/test")
        self.assertGreater(len(over_tls), 0)
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=3, instances=6)
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/plain", check=0)
        self.assertEqual(over_tls, self.scores("runs/plain"))

    def test_a_certificate_of_ones_own(self):
        certificates.authority(self.folder, "ca")
        certificates.issue(self.folder, "ca", "server")
        self.serve("    tls: {certificate: server.pem, key: server.key}\n", endpoint="    ca_file: ca.pem\n")
        self.sortie("run", "campaign.yaml", "--quiet", check=0)

    def test_the_documented_way_to_a_certificate_of_ones_own(self):
        text = (SOURCE / "docs/reference/simulator.md").read_text()
        command = text[text.index("openssl req"):].split("```")[0].replace("\\\n", " ").split("#")[0]
        subprocess.run(command, shell=True, cwd=self.folder, check=True, capture_output=True)
        self.serve("    tls: {certificate: sim.pem, key: sim-key.pem}\n", endpoint="    ca_file: sim.pem\n")
        self.sortie("run", "campaign.yaml", "--quiet", check=0)

    def test_an_authority_that_is_not_trusted(self):
        self.serve(endpoint="")
        self.expect_refused("unable to get local issuer certificate", "ca_file")

    def test_another_authority_of_the_same_kind(self):
        certificates.authority(self.folder, "other")
        self.serve(endpoint="    ca_file: other.pem\n")
        self.expect_refused("certificate", "ca_file")

    def test_another_host_name(self):
        certificates.authority(self.folder, "ca")
        certificates.issue(self.folder, "ca", "server", subject="DNS:model.example.com")
        self.serve("    tls: {certificate: server.pem, key: server.key}\n", endpoint="    ca_file: ca.pem\n")
        self.expect_refused("matches target host name", "base_url")

    def test_an_expired_certificate(self):
        certificates.authority(self.folder, "ca")
        certificates.issue(self.folder, "ca", "server", begins="20200101000000Z", ends="20210101000000Z")
        self.serve("    tls: {certificate: server.pem, key: server.key}\n", endpoint="    ca_file: ca.pem\n")
        self.expect_refused("expired", "valid now")

    def test_an_authority_file_that_is_none(self):
        self.write("nonsense.pem", "nonsense")
        self.serve(endpoint="    ca_file: nonsense.pem\n")
        self.expect_refused("nonsense.pem", "PEM")

    def test_mistakes_in_the_profile_have_a_place(self):
        certificates.authority(self.folder, "ca")
        certificates.issue(self.folder, "ca", "server")
        certificates.issue(self.folder, "ca", "other")
        for tls, place in (("{certificate: server.pem}", "9:10: tls: expected {certificate: FILE, key: FILE}"),
                           ("{certificate: missing.pem, key: server.key}", "9:24: certificate: "),
                           ("{certificate: server.pem, key: other.key}", "9:41: key: the key is not that of the certificate")):
            path = self.write("providers.yaml", self.provider(rest=f"    tls: {tls}\n"))
            said = self.sortie("simulate", path, check=2).stderr
            self.assertIn(f"providers.yaml:{place}", said)


class Proxied(Https):
    def proxy(self, refuses_with=0):
        proxy = Proxy(refuses_with)
        self.addCleanup(proxy.stop)
        return proxy

    def test_https_goes_through_tunnels_of_the_proxy(self):
        proxy = self.proxy()
        self.serve(endpoint=f"    ca_file: sim-ca.pem\n    proxy: {proxy.url}\n")
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertGreater(proxy.tunnels, 0)
        self.assertEqual(proxy.requests, 0)

    def test_http_is_asked_of_the_proxy(self):
        proxy = self.proxy()
        urls, audit = self.simulate(self.provider())
        self.campaign(urls[0], keys=3)
        self.reach(f"    proxy: {proxy.url}\n")
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertEqual(proxy.requests, len(self.audit_entries(audit)))

    def test_a_server_is_verified_through_a_proxy_too(self):
        proxy = self.proxy()
        self.serve(endpoint=f"    proxy: {proxy.url}\n")
        self.expect_refused("unable to get local issuer certificate", "ca_file")

    def expect_proxy_named(self, proxy_url, *words):
        for route in self.check(code=1):
            self.assertEqual((route["reachable"], route["key_valid"]), (False, None))
            for word in (*words, proxy_url) if proxy_url else words:
                self.assertIn(word, route["problem"])

    def test_a_proxy_that_refuses_is_told_apart_from_the_provider(self):
        for status in (403, 407, 502):
            proxy = self.proxy(refuses_with=status)
            self.serve(endpoint=f"    ca_file: sim-ca.pem\n    proxy: {proxy.url}\n")
            self.expect_proxy_named(proxy.url, "through the proxy", str(status))
        # Without TLS only one status is a proxy's for certain.
        proxy = self.proxy(refuses_with=407)
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0])
        self.reach(f"    proxy: {proxy.url}\n")
        self.expect_proxy_named("", "the proxy wants a user and a password")

    def test_a_proxy_that_is_not_there_is_told_apart_from_the_provider(self):
        self.serve(endpoint="    ca_file: sim-ca.pem\n    proxy: http://127.0.0.1:1\n")
        self.expect_proxy_named("http://127.0.0.1:1", "through the proxy")
        done = self.sortie("run", "campaign.yaml", "--quiet", "--patience", "0.02", timeout=120)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(set(self.query("SELECT cause FROM attempt_end")), {("not_processed",)})


if __name__ == "__main__":
    unittest.main()
