"""From a score to an action that is worth its cost."""

from churnguard.policy.bands import bands
from churnguard.policy.choice import Choices, Contact, choose_actions, why_not_eligible
from churnguard.policy.holdout import Holdout
from churnguard.policy.playbook import Action, Playbook, read_playbook
from churnguard.policy.rules import SignalTable, parse_rule
from churnguard.policy.segments import SEGMENTS, segments
from churnguard.policy.value import expected_values, mean_spend

__all__ = [
    "SEGMENTS",
    "Action",
    "Choices",
    "Contact",
    "Holdout",
    "Playbook",
    "SignalTable",
    "bands",
    "choose_actions",
    "expected_values",
    "mean_spend",
    "parse_rule",
    "read_playbook",
    "segments",
    "why_not_eligible",
]
