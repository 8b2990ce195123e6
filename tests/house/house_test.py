#!/usr/bin/env python3
"""The build enforces the map: each violation is tried on a small tree that uses the project's own CMake files.

  house_test.py SOURCE_DIR C_COMPILER CXX_COMPILER
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE, CC, CXX = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]


class House(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def module(self, name, deps, header="", source=""):
        folder = self.root / "src" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.h").write_text(f"#pragma once\n{header}\ninline int {name}_value() {{ return 1; }}\n")
        (folder / f"{name}.cc").write_text(f'#include "sortie/{name}/{name}.h"\n{source}\n')
        (folder / "CMakeLists.txt").write_text(f"sortie_module({name} SOURCES {name}.cc DEPS {deps})\n")

    def configure(self, order):
        lines = ["cmake_minimum_required(VERSION 3.25)", "project(house C CXX)", "set(CMAKE_CXX_STANDARD 23)",
                 "set(SORTIE_TESTS OFF)", "add_library(sortie_flags INTERFACE)", "function(sortie_precompile)", "endfunction()",
                 f"include({SOURCE}/cmake/Module.cmake)"]
        lines += [f"add_subdirectory(src/{name})" for name in order]
        lines.append("sortie_write_rows(${PROJECT_BINARY_DIR}/rows.txt)")
        (self.root / "CMakeLists.txt").write_text("\n".join(lines) + "\n")
        return self.run_command("cmake", "-G", "Ninja", "-S", self.root, "-B", self.root / "build",
                                f"-DCMAKE_C_COMPILER={CC}", f"-DCMAKE_CXX_COMPILER={CXX}")

    def build(self):
        return self.run_command("cmake", "--build", self.root / "build")

    def includes(self):
        return self.run_command(sys.executable, SOURCE / "tests/house/check_includes.py", "rows", self.root,
                                self.root / "build/rows.txt")

    @staticmethod
    def run_command(*command):
        return subprocess.run([str(part) for part in command], capture_output=True, text=True)

    def test_a_declared_dependency_compiles(self):
        self.module("low", "")
        self.module("high", "low", source='#include "sortie/low/low.h"')
        self.assertEqual(self.configure(["low", "high"]).returncode, 0)
        built = self.build()
        self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
        self.assertEqual(self.includes().returncode, 0)

    def test_a_header_that_deps_do_not_reach_does_not_compile(self):
        self.module("low", "")
        self.module("other", "", source='#include "sortie/low/low.h"')
        self.assertEqual(self.configure(["low", "other"]).returncode, 0)
        built = self.build()
        self.assertNotEqual(built.returncode, 0)
        self.assertIn("'sortie/low/low.h' file not found", built.stdout + built.stderr)

    def test_a_header_that_is_reached_but_not_listed_fails_the_include_test(self):
        self.module("low", "")
        self.module("middle", "low")
        self.module("high", "middle", source='#include "sortie/low/low.h"')
        self.assertEqual(self.configure(["low", "middle", "high"]).returncode, 0)
        self.assertEqual(self.build().returncode, 0)  # the compiler cannot see it
        checked = self.includes()
        self.assertEqual(checked.returncode, 1)
        self.assertIn("'low' is not in the DEPS of 'high'", checked.stdout)

    def test_an_upward_dependency_stops_the_configure_step(self):
        self.module("low", "high")
        self.module("high", "")
        configured = self.configure(["low", "high"])
        self.assertNotEqual(configured.returncode, 0)
        message = " ".join(configured.stderr.split())
        self.assertIn("Module 'low' may not depend on 'high'", message)
        self.assertIn("ARCHITECTURE.md", message)


    def test_a_third_party_header_outside_its_module_is_found(self):
        self.module("low", "", source="#include <sqlite3.h>")
        checked = self.run_command(sys.executable, SOURCE / "tests/house/check_includes.py", "third-party", self.root)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("which only ledger may", checked.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
