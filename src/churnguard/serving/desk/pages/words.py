"""Words that several pages say: labels of codes, and what the playbook calls things.

Texts that a shop or a model wrote are picked in the reader's language here; the pages' own words
are in the templates.
"""

from __future__ import annotations

from dataclasses import dataclass

from churnguard.policy.playbook import LEAVE_ALONE, Playbook
from churnguard.policy.segments import SEGMENTS
from churnguard.scoring.score import SuggestedAction
from churnguard.serving.desk.languages import N_, Language

BANDS = {"high": N_("High"), "medium": N_("Medium"), "low": N_("Low")}
OUTCOMES = {
    "contacted": N_("Done"),
    "converted": N_("Came back"),
    "dismissed": N_("Dismissed"),
    "snoozed": N_("Not now"),
    "reopened": N_("Taken back"),
}
CHANNELS = {
    "email": N_("E-mail"),
    "sms": N_("Text message"),
    "phone": N_("Phone"),
    "push": N_("App message"),
    "onsite": N_("On the site"),
    "none": N_("None"),
}
REFUSALS = {
    "damaged": N_("Its files are damaged or incomplete."),
    "untrusted": N_("It is not signed by anybody whom this shop trusts."),
    "other_signals": N_("It was made for other customer signals than are known here."),
    "other_numbers": N_("On its own test customers it gives other numbers here."),
    "says_nothing": N_("It gives no customer a number, or the same number to all."),
    "other_label": N_("It means something else by leaving than this shop does."),
    "crashes": N_("It failed when it was tried out on its own."),
    "missing": N_("Its files are not here."),
    "unloadable": N_("It could not be loaded."),
}
"""Why a new model was not put to use, for people who do not look after models."""


@dataclass(frozen=True)
class Words:
    """The reader's language together with what the playbook says in it."""

    language: Language
    playbook: Playbook | None

    def say(self, text: str) -> str:
        """Translate one of the desk's own texts."""
        return str(self.language.words.gettext(text)) if text else ""

    def action_name(self, code: str) -> str:
        """Name an action; the code itself where the playbook has none."""
        known = self.playbook.by_code.get(code) if self.playbook else None
        return self.language.pick(known.name) if known else code.replace("_", " ")

    def segment(self, code: str | None) -> tuple[str, str]:
        """Name a segment and tell what it means."""
        for segment in SEGMENTS:
            if segment.code == code:
                return self.language.pick(segment.name), self.language.pick(segment.meaning)
        return (code or "").replace("_", " "), ""


@dataclass(frozen=True)
class ActionView:
    """A suggested action in words.

    Attributes
    ----------
    code, name, description, message : str
        From the playbook; the code stands in where the playbook does not know it.
    channel : str
        How it reaches the customer.
    expected_gain, cost : float
        Money.
    worth_it : bool
        False for leaving alone.
    held_out : bool
        The customer is in the control group: do not contact.
    learned : bool
        The gain rests on outcomes, not on a prior guess.
    decision_id : str or None
        What an outcome is reported to.
    """

    code: str
    name: str
    description: str
    message: str
    channel: str
    expected_gain: float
    cost: float
    worth_it: bool
    held_out: bool
    learned: bool
    decision_id: str | None


def action_view(action: SuggestedAction, words: Words) -> ActionView:
    """Put a suggested action into words."""
    known = words.playbook.by_code.get(action.code) if words.playbook else None
    return ActionView(
        code=action.code,
        name=words.action_name(action.code),
        description=words.language.pick(known.description) if known else "",
        message=words.language.pick(known.message) if known else "",
        channel=words.say(CHANNELS.get(action.channel, "")) or action.channel,
        expected_gain=action.expected_gain,
        cost=action.cost,
        worth_it=action.code != LEAVE_ALONE,
        held_out=action.group == "control",
        learned=action.basis == "learned",
        decision_id=action.decision_id,
    )
