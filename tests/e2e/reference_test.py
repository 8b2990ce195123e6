#!/usr/bin/env python3
"""The reference of every command and every key is what the binary says: scripts/reference writes the committed pages anew."""
import importlib.machinery
import importlib.util
import sys
import unittest

from sortie_test import SORTIE, SOURCE

LOADER = importlib.machinery.SourceFileLoader("reference", str(SOURCE / "scripts/reference"))
sys.dont_write_bytecode = True  # beside a script without a suffix
reference = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", LOADER))
LOADER.exec_module(reference)


class Reference(unittest.TestCase):
    def test_the_committed_pages_are_what_the_binary_says(self):
        pages = reference.pages(SORTIE)
        self.assertEqual(len(pages), 2)
        for path, text in pages.items():
            self.assertEqual((SOURCE / path).read_text(), text, f"{path} is out of date: run scripts/reference {SORTIE}")


if __name__ == "__main__":
    unittest.main()
