"""Check the built site: every link leads somewhere in it, and reading it needs no network.

python docs/site/check_links.py site
"""

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
_CSS_ADDRESS = re.compile(r"(?:url\(|@import\s*)[\"']?(https?:|//)")


@dataclass(slots=True)
class _Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that links may name."""

    followed: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and places of one tag."""
        values = {name: value or "" for name, value in attrs}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.followed.append(values["href"])
        if tag in _LOADED and _LOADED[tag] in values:
            self.loaded.append(values[_LOADED[tag]])


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def _places(pages: dict[Path, _Page], target: Path) -> set[str]:
    return pages[target].places if target in pages else set()


def problems(site: Path) -> list[str]:
    """Return one line for each link that leads nowhere and for each file from a network."""
    pages = {path.resolve(): _read(path) for path in sorted(site.rglob("*.html"))}
    lines = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        lines += [f"{name}: loads {x} from a network" for x in page.loaded if _is_elsewhere(x)]
        for address in (*page.followed, *page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or name.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                lines.append(f"{name}: {address} leads nowhere")
            elif (place := unquote(parts.fragment)) and place not in _places(pages, target):
                lines.append(f"{name}: {address} names no place of that page")
    for path in sorted(site.rglob("*.css")):
        if _CSS_ADDRESS.search(path.read_text(encoding="utf-8")):
            lines.append(f"{path.relative_to(site)}: loads from a network")
    return lines


def main() -> None:
    """Print the problems of a folder and fail when there are some."""
    site = Path(sys.argv[1])
    told = problems(site)
    print("\n".join(told) or f"{len(list(site.rglob('*.html')))} pages, no link leads nowhere")
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
