"""The playbook as a table for people: what the documentation shows is what the file says."""

from __future__ import annotations

from churnguard.policy.playbook import Action, Playbook
from churnguard.policy.rules import AllOf, AnyOf, Rule

_HEADS = ("action", "channel", "consent", "when", "cost", "gives away", "cooldown", "prevents")


def playbook_table(playbook: Playbook) -> str:
    """Return the actions as a Markdown table, in the order of the file.

    Examples
    --------
    >>> from churnguard.policy.playbook import parse_playbook
    >>> words = dict.fromkeys(("name", "description", "message"), {"en": "Rest", "he": "מנוחה"})
    >>> leave_alone = words | {"channel": "none", "prevents": 0}
    >>> print(playbook_table(parse_playbook({"actions": {"leave_alone": leave_alone}})))
    | action | channel | consent | when | cost | gives away | cooldown | prevents |
    |---|---|---|---|---|---|---|---|
    | `leave_alone`: Rest | none | none | always | 0 | 0 % | 0 days | 0 % |
    """
    rows = [_cells(action) for action in playbook.actions]
    head, *body = (f"| {' | '.join(row)} |" for row in (_HEADS, *rows))
    return "\n".join([head, "|---" * len(_HEADS) + "|", *body])


def _cells(action: Action) -> list[str]:
    return [
        f"`{action.code}`: {action.name['en']}",
        action.channel,
        action.consent,
        _when(action.when) or "always",
        f"{action.cost:g}",
        f"{action.gives_away * 100:g} %",
        f"{action.cooldown_days:g} days",
        f"{action.prevents * 100:g} %",
    ]


def _when(rule: Rule, *, inside: bool = False) -> str:
    """Write a rule as one line, with brackets where it stands inside another."""
    if not isinstance(rule, AllOf | AnyOf):
        return f"`{rule.to_toml()}`"
    word = " and " if isinstance(rule, AllOf) else " or "
    text = word.join(_when(part, inside=True) for part in rule.parts)
    return f"({text})" if inside and len(rule.parts) > 1 else text
