"""The page as text: HTML built from elements that escape what they hold, tables, and figures embedded as PNG.

Nothing on the page needs a network, a script or another file. What comes from a run's files is escaped where it enters an
element; only `Html` made here passes unescaped.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a3cs_hw import draw
from a3cs_hw.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CSS = """
:root {
  color-scheme: light dark;
  --ink: #1d1d1f; --paper: #ffffff; --faint: #5d5d66; --line: #d9d9de; --card: #f3f3f5; --link: #0067a3;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8ea; --paper: #17181b; --faint: #a8a8b1; --line: #3a3b42; --card: #222328; --link: #6fc1f2 }
}
* { box-sizing: border-box }
body {
  margin: 0 auto; max-width: 62rem; padding: 1rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line) }
p, figcaption { max-width: 46rem; overflow-wrap: anywhere }
p.note, figcaption, footer { color: var(--faint); font-size: .9rem }
p.bad { border-left: .3rem solid #d55e00; padding-left: .6rem; font-weight: 600 }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .95rem }
a { color: var(--link) }
code {
  font: .85em/1.4 ui-monospace, monospace; overflow-wrap: anywhere;
  background: var(--card); padding: .1em .3em; border-radius: .2em;
}
.scroll { overflow-x: auto; margin: .6rem 0 }
table { border-collapse: collapse; font-size: .92rem }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line) }
th[scope=row] { min-width: 7.5rem }
@media (min-width: 40rem) { th[scope=row] { white-space: nowrap } }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
figure { margin: 1rem 0 }
figure .scroll {
  width: fit-content; max-width: 100%; padding: .4rem;
  background: #fff; border: 1px solid var(--line); border-radius: .4rem;
}
figure img { display: block; max-width: 100%; min-width: 32rem; height: auto }
figure.wide img { min-width: 44rem }
.path { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); gap: .4rem; padding: 0; list-style: none }
.path li { background: var(--card); border-left: .35rem solid; padding: .25rem .5rem; font-size: .82rem; line-height: 1.35 }
.path b { display: block; font-size: .95rem }
details { margin: .6rem 0 }
summary { cursor: pointer }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .6rem }
"""
CSS_DPI = 96  # a CSS pixel is 1/96 inch
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # the browser itself keeps the page off the network


class Html(str):
    """Text that is HTML already."""


def escape(content: Any) -> Html:
    """Content as HTML: what is Html stays as it is, everything else is text."""
    return content if isinstance(content, Html) else Html(html.escape(str(content)))


def element(name: str, *content: Any, **attributes: Any) -> Html:
    """<name attributes>content</name>; `class_` is the attribute class, a None content or attribute is left out."""
    listed = {key.rstrip("_"): value for key, value in attributes.items() if value is not None}
    opening = "".join(f' {key}="{html.escape(str(value))}"' for key, value in listed.items())
    return Html(f"<{name}{opening}>{joined(*content)}</{name}>")


def joined(*content: Any) -> Html:
    """Pieces of content, one after another."""
    return Html("".join(escape(piece) for piece in content if piece is not None))


@dataclass(frozen=True)
class Section:
    """A part of the page with a title, to which the top of the page links."""

    title: str
    content: Html

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-")

    @property
    def html(self) -> Html:
        return element("section", element("h2", self.title), self.content, id=self.anchor)

    @property
    def link(self) -> Html:
        return element("a", self.title, href=f"#{self.anchor}")


def section(title: str, *content: Any) -> Section:
    """A section of these pieces."""
    return Section(title, joined(*content))


def note(*content: Any) -> Html:
    """A line that explains."""
    return element("p", *content, class_="note")


def warning(*content: Any) -> Html:
    """A line that must not be missed."""
    return element("p", *content, class_="bad")


def figures_table(rows: Sequence[tuple[Any, Any]]) -> Html:
    """A table of (name, value) rows; rows without a value are left out."""
    lines = [element("tr", element("th", name, scope="row"), element("td", value)) for name, value in rows if value is not None]
    return element("div", element("table", *lines), class_="scroll")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Html:
    """A table with a head; numbers stand to the right with commas for thousands, None is an empty cell."""
    numeric = [all(isinstance(row[column], int | float | None) for row in rows) for column in range(len(head))]
    kinds = ["number" if right else None for right in numeric]
    top = element("tr", *(element("th", name, class_=kind) for name, kind in zip(head, kinds, strict=True)))
    lines = [
        element("tr", *(element("td", show(value), class_=kind) for value, kind in zip(row, kinds, strict=True))) for row in rows
    ]
    return element("div", element("table", element("thead", top), element("tbody", *lines)), class_="scroll")


def details(title: str, *content: Any) -> Html:
    """Content that opens on a click."""
    return element("details", element("summary", title), *content)


def show(value: Any) -> Any:
    """A number as a person reads it; anything else as it is."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


class Album:
    """The pictures of a page: each is written beside the page as a PNG and embedded in it.

    Without matplotlib there are none; the page says so once, and every number stands in a table anyway.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.available = _matplotlib()
        self.names: list[str] = []

    def picture(self, name: str, draws: Callable[[], Figure], caption: str, wide: bool = False) -> Html | None:
        """A figure with its caption; `wide`: too wide for a phone, to be scrolled sideways there."""
        if not self.available:
            return None
        png = draw.png_bytes(draws())
        write_bytes(self.folder / f"{name}.png", png)
        self.names.append(f"{name}.png")
        image = element("div", _image(png, caption), class_="scroll")
        return element("figure", image, element("figcaption", caption), class_="wide" if wide else None)

    def numbers(self, picture: Html | None, *content: Any) -> Html:
        """The numbers behind a picture: folded away under it, in the open where there is no picture."""
        return details("The numbers", *content) if picture else joined(*content)


def _image(png: bytes, text: str) -> Html:
    """The PNG itself in an <img>, at the size that it has on paper."""
    width = int.from_bytes(png[16:20], "big") * CSS_DPI // draw.STYLE["savefig.dpi"]
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    return Html(f'<img alt="{html.escape(text)}" width="{width}" src="{source}">')


def _matplotlib() -> bool:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def document(title: str, *content: Any) -> bytes:
    """The whole page, UTF-8."""
    head = element(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("title", title),
        Html(f"<style>{CSS}</style>"),
    )
    return f'<!doctype html>\n<html lang="en">{head}{element("body", *content)}</html>\n'.encode()
