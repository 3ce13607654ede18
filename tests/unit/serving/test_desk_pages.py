"""Templates and the documented pages say the same."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from jinja2 import Environment, FileSystemLoader, nodes

from churnguard.serving.desk.pages import PAGES
from churnguard.serving.desk.rendering import HERE, Frame

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, extensions=["jinja2.ext.i18n"]
)


def _asked_of(name: str, template: str) -> set[str]:
    """Return which attributes of a variable a template asks for."""
    source = (HERE / "templates" / template).read_text(encoding="utf-8")
    tree = _ENVIRONMENT.parse(source)
    return {
        node.attr
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == name
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_a_template_uses_exactly_what_its_page_documents(page):
    documented = {field.name for field in fields(page)}
    told = set(re.findall(r"^    ([\w, ]+) : ", page.__doc__, re.MULTILINE))
    assert {name for names in told for name in names.split(", ")} == documented
    assert _asked_of("page", page.template) | {"customer_id"} == documented | {"customer_id"}


def test_every_template_belongs_to_a_page_or_the_frame():
    used = {page.template for page in PAGES} | {"frame.html", "bars.html"}
    assert {file.name for file in (HERE / "templates").iterdir()} == used


def test_the_frame_uses_only_what_is_documented():
    everywhere = [_asked_of("frame", file.name) for file in (HERE / "templates").iterdir()]
    assert set().union(*everywhere) == {field.name for field in fields(Frame)}


def test_pages_bring_no_script_no_inline_style_and_nothing_from_elsewhere():
    for file in (HERE / "templates").iterdir():
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"<script|\son\w+=|\sstyle=|<style|//[a-z]", source), file.name


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(
        weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_meet_wcag_aa(scheme):
    """Text at least 4.5 to 1, edges of controls at least 3 to 1, in light and in dark."""
    style = (HERE / "static" / "desk.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    colours = _colours(light) | (_colours(dark) if scheme == "dark" else {})
    text = [("ink", "ground"), ("ink", "surface"), ("quiet", "ground"), ("quiet", "surface")]
    text += [("accent", "ground"), ("accent", "surface"), ("accent-ink", "accent")]
    text += [(band, f"{band}-soft") for band in ("high", "medium", "low")]
    text += [
        ("ink", "notice"),
        ("ink", "accent-soft"),
        ("high", "surface"),
        ("accent", "accent-soft"),
    ]
    for front, back in text:
        assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)
    for front, back in [
        ("edge", "surface"),
        ("high", "track"),
        ("medium", "track"),
        ("low", "track"),
    ]:
        assert _contrast(colours[front], colours[back]) >= 3, (front, back)
