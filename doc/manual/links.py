#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Look for links of HTML pages that lead nowhere.

links.py DIR

Follows links to files of DIR and to anchors in them, from index.html on; what
cannot be reached from there, an id that is there twice, and a link that leaves
DIR is wrong, too. Addresses of other hosts are not asked.
"""
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, text):
        super().__init__()
        self.targets = []
        self.ids = set()
        self.twice = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src"):
                self.targets.append(value)
            elif name == "id":
                if value in self.ids:
                    self.twice.append(value)
                self.ids.add(value)


def local(target):
    """(file, anchor) of a target, or None if it is elsewhere."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    return unquote(parts.path), unquote(parts.fragment)


def reach(pages, start):
    reached, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name in reached or name not in pages:
            continue
        reached.add(name)
        todo += [file for file, _ in filter(None, map(local, pages[name].targets)) if file]
    return reached


def check(directory):
    """What is wrong, a line each."""
    directory = Path(directory)
    pages = {path.name: Page(path.read_text()) for path in sorted(directory.glob("*.html"))}
    files = {path.name for path in directory.iterdir()}
    wrong = []
    for name, page in pages.items():
        wrong += [f"{name}: the id {anchor} is there twice" for anchor in page.twice]
        for target in page.targets:
            found = local(target)
            if found is None:
                continue
            file, anchor = found
            if (file or name) not in files:
                wrong.append(f"{name}: no such file: {target}")
            elif anchor and anchor not in getattr(pages.get(file or name), "ids", ()):
                wrong.append(f"{name}: no such anchor: {target}")
    wrong += [f"{name}: nothing links to it" for name in sorted(set(pages) - reach(pages, "index.html"))]
    return wrong


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: links.py DIR")
    said = check(sys.argv[1])
    print("\n".join(said) or "every link leads somewhere")
    sys.exit(bool(said))
