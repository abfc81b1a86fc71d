"""A hook of MkDocs: the site has what its pages link to outside of docs/, and every decision.

A linked page becomes a page, and so does every notebook. Any other linked file is copied as text,
so that no link leads to a network.
"""

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook_pages import page_of

ROOT = Path(__file__).parents[2]
OUTSIDE_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "community/README.md")
NOTEBOOK = ".ipynb"
_CODE = re.compile(r"(^```.*?^```$)", flags=re.M | re.S)
_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)(?=[)#])")


def address(source: str, link: str) -> str:
    """Return where a link of a page leads to within the site.

    Args:
        source: The page's file, relative to the repository, such as "docs/guides/search.md".
        link: The link as it is written, such as "../../automoe/settings/search.py".

    Returns:
        The link to the page, or to the copy, that the site has of the file.
    """
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    here = posixpath.dirname(in_site(source))
    return posixpath.relpath(in_site(target), here or ".")


def in_site(target: str) -> str:
    """Return the place in the site of a file of the repository."""
    if target.endswith(NOTEBOOK):
        return target.removeprefix("docs/").removesuffix(NOTEBOOK) + ".md"
    if _is_shown(target):
        return target.removeprefix("docs/")
    return f"files/{target}.txt"


def _is_shown(target: str) -> bool:
    """Return whether the site shows a file as it is: a page or a picture."""
    return target.endswith((".md", ".svg"))


def links_of(text: str) -> list[str]:
    """Return the links of a page to other files. Blocks of code have none."""
    return _LINK.findall("".join(_CODE.split(text)[::2]))


def further_files(pages: Iterable[str]) -> set[str]:
    """Return the files that pages need and that MkDocs does not take from docs/.

    These are the pages in the navigation from outside of docs/, the notebooks, and what all pages
    link to.
    """
    notebooks = (ROOT / "docs").rglob(f"*{NOTEBOOK}")
    further = {*OUTSIDE_PAGES, *(path.relative_to(ROOT).as_posix() for path in notebooks)}
    waiting = [*pages, *OUTSIDE_PAGES]
    while waiting:
        source = waiting.pop()
        for link in links_of((ROOT / source).read_text(encoding="utf-8")):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
            is_known = target in further or (target.startswith("docs/") and _is_shown(target))
            if not is_known and (ROOT / target).is_file():
                further.add(target)
                waiting += [target] if target.endswith(".md") else []
    return further


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the decisions into the navigation, in their order."""
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    config.nav[-1]["Decisions"] = [f"adr/{record.name}" for record in records]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages need from elsewhere."""
    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    for target in sorted(further_files(pages)):
        text = (ROOT / target).read_text(encoding="utf-8")
        content = page_of(text) if target.endswith(NOTEBOOK) else text
        files.append(File.generated(config, in_site(target), content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page to where the site has their files."""
    uri = page.file.src_uri
    source = uri if page.file.generated_by else f"docs/{uri}"
    parts = _CODE.split(markdown)
    parts[::2] = [_LINK.sub(lambda link: address(source, link[1]), text) for text in parts[::2]]
    return "".join(parts)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Load the search of pages in files from here, not from a network."""
    ours = posixpath.relpath(
        "site/worker_for_files.js", posixpath.dirname(page.file.dest_uri) or "."
    )
    return output.replace("https://unpkg.com/iframe-worker/shim", ours)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Do the same for the page that says that a page is missing."""
    return output.replace("https://unpkg.com/iframe-worker/shim", "site/worker_for_files.js")
