#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Make one HTML manual of README.md, doc/, the examples and the manual pages.

build.py OUT

Markdown is lowdown's business, and manual pages are mandoc's. What is done here
is what makes one manual of it: a contents column on every page, links between
pages of whatever origin, and pages for those files of the source that are
linked to. Links that lead nowhere, and pages that nobody can get to, are errors.
"""
import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import links

TOP = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent

# What a reader wants first.  What is not named here comes behind it.
GUIDES = ["README.md", "doc/install.md", "doc/locks-for-you.md", "doc/locks.md"]
REFERENCES = ["doc/abi.md", "doc/memory-model.md", "doc/netlink.md"]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


class Page:
    """A page: its source, its file, how contents call it, and its body."""

    def __init__(self, source, name, title, body):
        self.source = source
        self.name = name
        self.title = title
        self.body = body


# --- pages from Markdown -------------------------------------------------------

def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    text = html.unescape(re.sub(r"<[^>]*>", "", heading)).lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def markdown_page(path):
    body = run("lowdown", "-t", "html", "--out-no-smart", TOP / path)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r'<h([1-6])(?: id="[^"]*")?>(.*?)</h\1>',
                  lambda m: f'<h{m[1]} id="{slug(m[2])}">{m[2]}</h{m[1]}>', body, flags=re.S)
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    title = html.unescape(re.sub(r"<[^>]*>", "", re.search(r"<h1[^>]*>(.*?)</h1>", body)[1]))
    name = {"README.md": "index", "examples/README.md": "examples"}.get(path, Path(path).stem)
    return Page(path, f"{name}.html", title, body)


# --- manual pages ----------------------------------------------------------------

def manual_names(path):
    """All the names that a manual page is found by."""
    text = (TOP / path).read_text()
    head = text[text.index(".Sh NAME"):text.index(".Nd ")]
    section = path.rsplit(".", 1)[1]
    names = re.findall(r"^\.Nm (\S+)", head, flags=re.M)
    return [f"{name}.{section}" for name in names]


def manual_page(path):
    body = run("mandoc", "-T", "html", "-O", "fragment,man=%N.%S", TOP / path)
    body = re.sub(r'<table class="(head|foot)">.*?</table>', "", body, flags=re.S)
    name, section = Path(path).name.rsplit(".", 1)
    # Headings are a level lower here, as each page has a title.
    body = re.sub(r"<(/?)h([12])\b", lambda m: f"<{m[1]}h{int(m[2]) + 1}", body)
    title = f"{name}({section})"
    return Page(path, f"{name}.{section}.html", title, f"<h1>{title}</h1>\n{body}")


# --- files of the source ------------------------------------------------------------

def source_page(path):
    text = html.escape((TOP / path).read_text())
    body = f"<h1>{html.escape(path)}</h1>\n<pre><code>{text}</code></pre>\n"
    return Page(path, "source-" + path.replace("/", "-") + ".html", path, body)


# --- all of it -----------------------------------------------------------------------

def listed(first, pattern):
    found = sorted(str(path.relative_to(TOP)) for path in TOP.glob(pattern))
    return [path for path in first if (TOP / path).exists()] + \
           [path for path in found if path not in first]


def by_section(pattern):
    found = [str(path.relative_to(TOP)) for path in TOP.glob(pattern)]
    return sorted(found, key=lambda path: (path[-1] != "7", Path(path).name))


def example_page(path):
    page = source_page(path)
    page.name = f"example-{Path(path).stem}.html"
    page.title = Path(path).stem
    return page


def chapters():
    docs = [path for path in listed(REFERENCES, "doc/*.md") if path not in GUIDES]
    examples = re.findall(r"\]\(([a-z_]+\.c)\)", (TOP / "examples/README.md").read_text())
    missing = set(path.name for path in TOP.glob("examples/*.c")) ^ set(examples)
    if missing:
        sys.exit(f"examples/README.md and examples/ differ: {', '.join(sorted(missing))}")
    return [
        ("Guide", [markdown_page(path) for path in GUIDES]),
        ("Examples", [markdown_page("examples/README.md")] +
         [example_page(f"examples/{name}") for name in examples]),
        ("Commands", [manual_page(path) for path in by_section("tools/man/*.[18]")]),
        ("Library", [manual_page(path) for path in by_section("lib/man/*.[37]")]),
        ("Monitor", [manual_page(path) for path in by_section("monitor/man/*.[37]")]),
        ("Device", [manual_page(path) for path in by_section("system/man/*.[45]")]),
        ("Reference", [markdown_page(path) for path in docs]),
    ]


class Manual:
    """The pages that there are, and where links to their sources go."""

    def __init__(self, out):
        self.out = out
        self.chapters = chapters()
        self.sources = []
        self.by_source = {}
        self.by_manual = {}
        for page in self.pages():
            self.by_source[page.source] = page
            if not page.source.endswith((".md", ".c")):
                for name in manual_names(page.source):
                    self.by_manual[name] = page

    def pages(self):
        return [page for _, pages in self.chapters for page in pages] + self.sources

    def target(self, page, link):
        """Where a link of a page goes; None for a manual page that is not ours."""
        if re.match(r"[a-z]+:", link) or link.startswith("#"):
            return link
        path, _, anchor = link.partition("#")
        if re.fullmatch(r"[\w.-]+\.[1-9]", path):
            found = self.by_manual.get(path)
            return found and found.name
        source = os.path.normpath(os.path.join(os.path.dirname(page.source), path))
        if (TOP / source).is_file() and source.endswith((".svg", ".png")):
            shutil.copy(TOP / source, self.out)
            return Path(source).name
        if source not in self.by_source:
            if not (TOP / source).is_file():
                sys.exit(f"{page.source}: there is no {link}")
            self.by_source[source] = source_page(source)
            self.sources.append(self.by_source[source])
        return self.by_source[source].name + (f"#{anchor}" if anchor else "")

    def relink(self, page):
        def anchor(match):
            target = self.target(page, html.unescape(match[2]))
            if target is None:
                return match[4]
            return f'<a{match[1]}href="{html.escape(target)}"{match[3]}>{match[4]}</a>'

        def picture(match):
            return f'{match[1]}"{html.escape(self.target(page, html.unescape(match[2])))}"'

        if page.source.endswith(".c") or page in self.sources:
            return
        page.body = re.sub(r'<a([^>]*?\s)href="([^"]*)"([^>]*)>(.*?)</a>', anchor, page.body,
                           flags=re.S)
        page.body = re.sub(r'(<img[^>]*?\ssrc=)"([^"]*)"', picture, page.body)

    def contents(self, current):
        lines = []
        for title, pages in self.chapters:
            is_open = " open" if current in pages or title == "Guide" else ""
            lines.append(f"<details{is_open}><summary>{title}</summary><ul>")
            for page in pages:
                here = ' aria-current="page"' if page is current else ""
                lines.append(f'<li><a href="{page.name}"{here}>{html.escape(page.title)}</a></li>')
            lines.append("</ul></details>")
        return "\n".join(lines)

    def neighbours(self, page):
        order = [page for _, pages in self.chapters for page in pages]
        if page not in order:
            return ""
        at = order.index(page)
        before = order[at - 1] if at else None
        after = order[at + 1] if at + 1 < len(order) else None
        parts = []
        if before:
            parts.append(f'<a rel="prev" href="{before.name}">← {html.escape(before.title)}</a>')
        if after:
            parts.append(f'<a rel="next" href="{after.name}">{html.escape(after.title)} →</a>')
        return "\n".join(parts)

    def write(self):
        frame = (HERE / "page.html").read_text()
        for page in self.pages():
            self.relink(page)
        for page in self.pages():
            text = frame
            for key, value in (("title", html.escape(page.title)), ("contents", self.contents(page)),
                               ("neighbours", self.neighbours(page)), ("body", page.body)):
                text = text.replace(f"@{key}@", value, 1)
            (self.out / page.name).write_text(text)
        shutil.copy(HERE / "manual.css", self.out)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: build.py OUT")
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    manual = Manual(out)
    manual.write()
    wrong = links.check(out)
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"{len(manual.pages())} pages, every link leads somewhere: {out / 'index.html'}")


main()
