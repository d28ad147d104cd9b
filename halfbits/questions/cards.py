"""The question bank as flashcards: which are due today, and the same as a deck for Anki.

When a card comes again is FSRS's decision (the `fsrs` package; Ye, Su & Cao, KDD 2022, doi:10.1145/3534678.3539081).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from html import escape
from pathlib import Path

from halfbits.grading import store
from halfbits.questions import Choice, Explain, Question, load
from halfbits.questions.html import block, bullets

__all__ = ["NEW_A_DAY", "back", "due", "export", "front", "rate", "review", "standing"]

#: How many cards that were never seen are shown on one day.
NEW_A_DAY = 10
#: What one can say of a card, from FSRS's 1 to its 4.
RATINGS = ("Again", "Hard", "Good", "Easy")

_SECTION = "cards"
# Fixed, so that an import into Anki finds the cards of an earlier one.
_DECK_ID, _MODEL_ID = 1_704_516_001, 1_704_516_002
_LOOK = "line-height:1.5;max-width:50em;font-size:14px"
_STYLE = ".card{font-family:sans-serif;text-align:left;max-width:45em;margin:auto;line-height:1.4}"


def front(question: Question) -> str:
    """The question as HTML; of a choice with its options, in the order of the alphabet."""
    text = block(question.question)
    if isinstance(question, Choice):
        options = sorted(str(option.text) for option in (question.right, *question.wrong))
        text += bullets(options)
    return text


def back(question: Question) -> str:
    """The answer as HTML, with what to hold one's own against and where it is taught."""
    if isinstance(question, Explain):
        parts = [block(question.answer), _points("A good answer says", question.rubric.good)]
        parts += [_points("A senior one adds", question.rubric.senior), block(f"**Trap:** {question.trap}")]
    else:
        unit = f" {question.unit}" if getattr(question, "unit", "") else ""
        parts = [block(f"**{question.right.text}{unit}.** {question.right.because}")]
        parts.append(_points("Why not", [f"*{wrong.text}*: {wrong.because}" for wrong in question.wrong]))
    parts.append(block(f"Lesson {question.lesson[:2]}, {question.proof}"))
    return "".join(parts)


def due(now: datetime | None = None) -> list[Question]:
    """The cards to look at now: those that are due, the longest overdue first, then new ones up to the day's number.

    Args:
        now: in UTC; by default the present.
    """
    now = now or datetime.now(UTC)
    known = store.read(_SECTION)
    seen = {question: known[question.id] for question in load() if question.id in known}
    again = sorted((entry["due"], question.id, question) for question, entry in seen.items() if _time(entry) <= now)
    begun_today = sum(_local_day(datetime.fromisoformat(entry["begun"])) == _local_day(now) for entry in seen.values())
    fresh = [question for question in load() if question not in seen]
    return [question for *_, question in again] + fresh[: max(NEW_A_DAY - begun_today, 0)]


def rate(question: Question, rating: int, now: datetime | None = None) -> datetime:
    """Record how well one knew a card; when it is due again, in UTC.

    Args:
        question: the card.
        rating: from 1 (again) to 4 (easy).
        now: in UTC; by default the present.

    Raises:
        ValueError: there is no such rating.
        ProgressNotSaved: it could not be recorded, and why.
    """
    from fsrs import Card, Rating, Scheduler

    now = now or datetime.now(UTC)
    # Without fuzz, so that the same answers lead to the same days.
    scheduler, chosen = Scheduler(enable_fuzzing=False), Rating(rating)
    when = now

    def change(entry: dict) -> None:
        nonlocal when
        card = Card.from_dict(entry["card"]) if entry else Card(card_id=_number(question.id), due=now)
        card, _ = scheduler.review_card(card, chosen, now)
        entry.update(card=card.to_dict(), due=card.due.isoformat(), begun=entry.get("begun", now.isoformat()))
        when = card.due

    store.update(question.id, change, _SECTION)
    return when


def standing() -> str:
    """Where the learner stands, in a line."""
    begun, count = len(store.read(_SECTION)), len(due())
    return f"Cards: {count} to look at today, {begun} of {len(load())} begun (notebooks/08_mock_interview)"


def review() -> None:
    """Show the cards that are due, one at a time: think, turn it, say how well you knew it."""
    from IPython.display import display

    display(_Session(due()).box)


def export(path: Path) -> int:
    """Write all cards as a deck that Anki imports; how many they are.

    Args:
        path: the file to write, by custom `.apkg`.
    """
    import genanki

    fields = [{"name": "Question"}, {"name": "Answer"}]
    side = {"name": "Card", "qfmt": "{{Question}}", "afmt": "{{FrontSide}}<hr id=answer>{{Answer}}"}
    model = genanki.Model(_MODEL_ID, "Half the Bits", fields=fields, templates=[side], css=_STYLE)
    deck = genanki.Deck(_DECK_ID, "Half the Bits")
    for question in load():
        tags = [question.topic, question.level]
        deck.add_note(
            genanki.Note(model, [front(question), back(question)], tags=tags, guid=genanki.guid_for(question.id))
        )
    genanki.Package(deck).write_to_file(path)
    return len(deck.notes)


class _Session:
    """The cards of one sitting, as widgets that can be reached with the Tab key."""

    def __init__(self, cards: list[Question]):
        import ipywidgets

        self.left, self.known, self.problem = list(cards), 0, store.problem() or ""
        self.text = ipywidgets.HTML()
        self.turn = self._button("Show the answer", self._show_back)
        self.ratings = [self._button(name, self._rated(value)) for value, name in enumerate(RATINGS, 1)]
        self.buttons = ipywidgets.HBox()
        self.box = ipywidgets.VBox([self.text, self.buttons])
        self._show_front()

    def _button(self, name: str, act: Callable):
        import ipywidgets

        button = ipywidgets.Button(description=name, layout={"width": "auto"})
        button.on_click(lambda _: act())
        return button

    def _rated(self, value: int) -> Callable:
        def act() -> None:
            card = self.left.pop(0)
            try:
                when = rate(card, value)
            except store.ProgressNotSaved as problem:
                self.left.insert(0, card)
                self.text.value = f"{self.text.value}<p>{escape(str(problem))}</p>"
                return
            if (when - datetime.now(UTC)).total_seconds() < 3600:
                self.left.append(card)  # again in this sitting
            else:
                self.known += 1
            self._show_front()

        return act

    def _show_front(self) -> None:
        if not self.left:
            done = f"{self.known} card{'s' * (self.known != 1)} done. " if self.known else ""
            self.text.value, self.buttons.children = f"<p>{done}Nothing is due now.</p>", ()
            return
        count = f"<p style='opacity:.75'>{len(self.left)} to go</p><p>{escape(self.problem)}</p>"
        self.problem = ""
        self.text.value = f"<div style='{_LOOK}'>{count}{front(self.left[0])}</div>"
        self.buttons.children = (self.turn,)

    def _show_back(self) -> None:
        self.text.value += f"<div style='{_LOOK}'><hr>{back(self.left[0])}</div>"
        self.buttons.children = tuple(self.ratings)


def _points(title: str, points) -> str:
    return f"<p>{escape(title)}:</p>{bullets(points)}"


def _local_day(when: datetime) -> date:
    """The learner's own day: in Los Angeles the day of UTC ends in the afternoon."""
    return when.astimezone().date()


def _time(entry: dict) -> datetime:
    return datetime.fromisoformat(entry["due"])


def _number(text: str) -> int:
    """A number that stands for a text, the same everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
