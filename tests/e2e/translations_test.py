#!/usr/bin/env python3
"""The Chinese documents are in step with the English ones: the same headings, code, tables, lists, links and images."""
import pathlib
import re
import unittest

from docs_test import FENCE, anchors
from sortie_test import SOURCE

GUIDE = SOURCE / "docs/guide"
PAIRS = [(SOURCE / "README.md", SOURCE / "README.zh-CN.md"),
         *((GUIDE / page.name, page) for page in sorted((GUIDE / "zh-CN").glob("*.md")))]
CHINESE = {zh.resolve(): en.resolve() for en, zh in PAIRS}
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)#:]*)(?:#([^)]*))?\)")
HAN = re.compile(r"[\u4e00-\u9fff]")


def without_comments(block):
    """Code as it is run: what explains it, behind two spaces of a command or behind a #, is translated."""
    lines = []
    for line in block.splitlines():
        explained = re.match(r"((?:sortie|\./)\S*(?: \S+)*?)\s{2,}\S", line)
        lines.append(explained[1] if explained else re.sub(r"(^|\s+)# .*", "", line))
    return lines


def target(document, path, anchor):
    """Where a link leads: the English page, and the number of its heading."""
    page = (document.parent / path).resolve() if path else document.resolve()
    number = anchors(page).index(anchor) if anchor else None
    return str(CHINESE.get(page, page)), number


def structure(document):
    """Per section: level, code, and how often each kind of thing is there. Links and inline code may change places within."""
    text = document.read_text()
    code = [(language, file, without_comments(block)) for language, file, block in FENCE.findall(text)]
    sections = []
    for part in re.split(r"^(?=#+ )", FENCE.sub("", text), flags=re.M):
        sections.append({
            "level": len(re.match(r"#*", part)[0]),
            "links": sorted((mark, *map(str, target(document, path, anchor))) for mark, path, anchor in LINK.findall(part)),
            "inline code": sorted(re.findall(r"`[^`]+`", part)),
            "rows": len(re.findall(r"^\|", part, re.M)),
            "items": len(re.findall(r"^(?:- |\d+\. )", part, re.M)),
            "paragraphs": len([p for p in re.split(r"\n\s*\n", part.strip()) if p.strip()]),
            "bold": len(re.findall(r"\*\*.+?\*\*", part, re.S)),
        })
    return code, sections


class Translations(unittest.TestCase):
    def test_each_page_has_the_structure_of_its_english_one(self):
        self.assertGreaterEqual(len(PAIRS), 4)
        for english, chinese in PAIRS:
            with self.subTest(page=chinese.name):
                (code, sections), (code_zh, sections_zh) = structure(english), structure(chinese)
                self.assertEqual(code_zh, code)
                self.assertEqual(len(sections_zh), len(sections))
                for i, (section, section_zh) in enumerate(zip(sections, sections_zh, strict=True)):
                    self.assertEqual(section_zh, section, f"{chinese.name}, section {i}")

    def test_each_page_is_translated(self):
        for _, chinese in PAIRS:
            for paragraph in re.split(r"\n\s*\n", FENCE.sub("", chinese.read_text())):
                words = re.sub(r"`[^`]*`|\([^)]*\)|\[English\]", "", paragraph)
                if len(re.findall(r"[A-Za-z]{3,}", words)) > 3:
                    self.assertTrue(HAN.search(words), f"{chinese.name}: not translated: {paragraph[:80]}")

    def test_the_first_chapters_are_there_and_linked(self):
        pages = {page.name for page in (GUIDE / "zh-CN").glob("*.md")}
        self.assertLessEqual({"first-campaign.md", "own-endpoints.md", "running.md"}, pages)
        index = (GUIDE / "README.md").read_text()
        for page in pages:
            self.assertIn(f"(zh-CN/{page})", index)
        self.assertIn("(README.zh-CN.md)", (SOURCE / "README.md").read_text())


if __name__ == "__main__":
    unittest.main()
