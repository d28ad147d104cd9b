"""MockInterview: one question at a time with a clock, a box for the answer, the rubric, and at the end a summary.

Python decides what is shown (`view`), the browser draws it and tells what the person did (`said`). Every answer is kept
with the progress as it is typed, so an interview goes on where it was, in another tab or after a restart.
"""

from __future__ import annotations

import random
from datetime import datetime

import traitlets

from halfbits.grading import store
from halfbits.grading.exercise import find
from halfbits.questions import LEVELS, TOPICS, Explain, Number, Question, interview
from halfbits.questions.html import block, inline
from halfbits.widgets.explorer import Explorer, sources

__all__ = ["MockInterview", "plot_past"]

_STUDY = 6
# Which exercises practise what a lesson teaches.
_EXERCISES = {
    "01": "02_mixed_precision_training",
    "02": "01_number_formats",
    "03": "02_mixed_precision_training",
    "04": "03_quantization_aware_training",
    "05": "03_quantization_aware_training",
    "06": "04_pruning",
    "07": "04_pruning",
}


class MockInterview(Explorer):
    """A mock interview; one that was not finished can be taken up again.

    Args:
        draw: where the choice of questions comes from; by default different each time.

    Traits:
        view: what to show, as `mock_interview.js` takes it: its "page" is start, question, rubric, code or summary.
        saved: a word on what was kept last.
        heard: the "count" of what was done last, so that the browser notices when nobody listens.
        said: what the person did, from the browser: "act" names it; the rest are the arguments of `_on_…`.
    """

    _esm, _css = sources(__file__)

    view = traitlets.Dict(read_only=True).tag(sync=True)
    saved = traitlets.Unicode(read_only=True).tag(sync=True)
    heard = traitlets.Unicode(read_only=True).tag(sync=True)
    said = traitlets.Dict().tag(sync=True)

    def __init__(self, draw: random.Random | None = None):
        super().__init__()
        self._draw, self._name = draw, None
        self._fix(view=_start(), saved=store.problem() or "")

    def __repr__(self) -> str:
        return "Run this cell to begin: the interview needs a running kernel."

    @traitlets.observe("said")
    def _hear(self, change) -> None:
        facts = {name: value for name, value in change["new"].items() if name not in ("act", "count")}
        try:
            getattr(self, f"_on_{change['new']['act']}")(**facts)
        except store.ProgressNotSaved as problem:
            self._fix(saved=str(problem))
        self._fix(heard=change["new"]["count"])

    # ── what the person did ──

    def _on_begin(self, level: str, minutes: int, code: bool) -> None:
        self._name = interview.begin(level, minutes, code, self._draw)
        self._show()

    def _on_resume(self) -> None:
        self._name = interview.unfinished()
        self._show()

    def _on_drop(self) -> None:
        interview.end(interview.unfinished())
        self._fix(view=_start())

    def _on_write(self, question: str, text: str, seconds: int) -> None:
        interview.note(self._name, question, text=text, seconds=seconds)
        self._fix(saved=f"Saved at {datetime.now():%H:%M:%S}")

    def _on_turn(self, question: str, text: str, seconds: int) -> None:
        """Show what the answer should say."""
        facts = {"text": text, "seconds": seconds, "turned": True}
        asked = interview.by_id(question)
        if isinstance(asked, Number) and text.strip():
            try:
                facts["right"] = interview.meant(asked, interview.number_in(text)) is asked.right
            except ValueError as problem:
                self._fix(saved=str(problem))
                return
        interview.note(self._name, question, **facts)
        self._show()

    def _on_tick(self, question: str, ticked: list[str]) -> None:
        interview.note(self._name, question, ticked=ticked)
        self._fix(saved=f"Saved at {datetime.now():%H:%M:%S}")

    def _on_done(self, question: str) -> None:
        interview.note(self._name, question, done=True)
        self._show()

    def _on_code(self, seconds: int, give_up: bool) -> None:
        """See whether the exercise holds by now."""
        right = interview.code_passed(self._name, self._entry["code"])
        interview.note(self._name, interview.CODE, right=right, seconds=seconds, done=right or give_up)
        self._show()
        if not (right or give_up):
            self._fix(saved="It has not passed yet: run `check` in its notebook, then look again.")

    def _on_finish(self) -> None:
        interview.end(self._name)
        self._show()

    def _on_again(self) -> None:
        self._name = None
        self._fix(view=_start())

    # ── what is shown ──

    @property
    def _entry(self) -> dict:
        known = interview.past()
        if self._name not in known:
            problem = store.problem() or "This interview is no longer in your progress file."
            raise store.ProgressNotSaved(f"{problem} Run this cell again to begin another.")
        return known[self._name]

    def _show(self) -> None:
        entry = self._entry
        up_next = interview.next_up(entry)
        if up_next is None and not entry["ended"]:
            interview.end(self._name)
            entry = self._entry
        if entry["ended"]:
            view = _summary(self._name, entry)
        elif up_next == interview.CODE:
            view = _code(entry)
        else:
            view = _question(entry, interview.by_id(up_next))
        self._fix(view=view, saved="")


def _start() -> dict:
    name = interview.unfinished()
    view = {"page": "start", "levels": list(LEVELS), "minutes": list(interview.MINUTES), "unfinished": None}
    if name:
        entry = interview.past()[name]
        done = sum(answer.get("done", False) for answer in entry["answers"].values())
        view["unfinished"] = f"{_when(name)}: {entry['level']}, {entry['minutes']} minutes, {done} answered"
    return view


def _question(entry: dict, question: Question) -> dict:
    answer = entry["answers"].get(question.id, {})
    view = {
        "page": "rubric" if answer.get("turned") else "question",
        "id": question.id,
        "place": entry["questions"].index(question.id) + 1,
        "of": len(entry["questions"]),
        "topic": TOPICS[question.topic],
        "level": question.level,
        "html": block(question.question),
        "number": isinstance(question, Number),
        "unit": getattr(question, "unit", ""),
        "text": answer.get("text", ""),
        **_clock(entry, question.id),
    }
    if view["page"] == "rubric":
        view |= (
            _explained(question, answer, entry["level"]) if isinstance(question, Explain) else _told(question, answer)
        )
        view["read"] = _link(question)
    return view


def _explained(question: Explain, answer: dict, level: str) -> dict:
    expected, ticked = interview.expected_points(question, level), answer.get("ticked", ())
    return {
        "answer": block(question.answer),
        "trap": inline(question.trap),
        "points": [
            {
                "text": point,
                "html": inline(point),
                "ticked": point in ticked,
                "grade": grade,
                "counts": point in expected,
            }
            for grade in ("weak", "good", "senior")
            for point in getattr(question.rubric, grade)
        ],
        "follow_ups": [[inline(item.question), block(item.answer)] for item in question.follow_ups],
    }


def _told(question: Number, answer: dict) -> dict:
    """What is said to a number."""
    unit = f" {question.unit}" if question.unit else ""
    option = interview.meant(question, interview.number_in(answer["text"])) if answer["text"].strip() else None
    because = "" if answer.get("right") else option.because if option else question.otherwise
    return {
        "right": answer.get("right", False),
        "because": inline(because),
        "answer": block(f"**{question.right.text:,}{unit}.** {question.right.because}"),
        "points": [],
        "follow_ups": [],
    }


def _code(entry: dict) -> dict:
    exercise = find(entry["code"])
    return {
        "page": "code",
        "name": exercise.name,
        "unit": exercise.unit.title,
        "contract": inline(exercise.contract),
        "path": f"exercises/{exercise.unit.notebook}.ipynb",
        **_clock(entry, interview.CODE),
    }


def _clock(entry: dict, current: str) -> dict:
    """Seconds: on this question, on all others, and of the whole interview."""
    seconds = {name: answer.get("seconds", 0) for name, answer in entry["answers"].items()}
    on_this = seconds.pop(current, 0)
    return {"seconds": on_this, "others": sum(seconds.values()), "limit": 60 * entry["minutes"]}


def _summary(name: str, entry: dict) -> dict:
    overall = interview.overall(entry)
    reached = sum(map(len, interview.by_topic(entry).values()))
    code = entry["code"] and {
        "name": entry["code"],
        "passed": entry["answers"].get(interview.CODE, {}).get("right", False),
    }
    return {
        "page": "summary",
        "title": f"{_when(name)}: {entry['level']}, {entry['minutes']} minutes",
        "percent": None if overall is None else round(100 * overall),
        "reached": reached,
        "of": len(entry["questions"]),
        "minutes_used": round(sum(answer.get("seconds", 0) for answer in entry["answers"].values()) / 60, 1),
        "topics": [
            {"title": TOPICS[topic], "percent": round(100 * sum(scores) / len(scores)), "count": len(scores)}
            for topic, scores in interview.by_topic(entry).items()
        ],
        "code": code,
        "study": _study(entry),
    }


def _study(entry: dict) -> list[dict]:
    """What to read and practise: each place once, of the questions that went worst."""
    links = {}
    for question in interview.study_next(entry):
        link = _link(question)
        links.setdefault((link["lesson"], link["heading"]), {**link, "question": inline(question.question)})
    return list(links.values())[:_STUDY]


def _link(question: Question) -> dict:
    number = question.lesson[:2]
    return {
        "lesson": f"notebooks/{question.lesson}.ipynb",
        "heading": f"Lesson {number}, {question.proof}",
        "exercises": f"exercises/{_EXERCISES[number]}.ipynb",
        "practise": f"Exercises {_EXERCISES[number][:2]}",
    }


def _when(name: str) -> str:
    begun = datetime.fromisoformat(name).astimezone()
    return f"{begun.day} {begun:%B %Y, %H:%M}"


def plot_past() -> None:
    """Draw how all finished interviews went, the oldest first; say so where there is none."""
    entries = [entry for entry in interview.past().values() if entry["ended"]]
    entries = [(entry, interview.overall(entry)) for entry in entries]
    entries = [(entry, value) for entry, value in entries if value is not None]
    if not entries:
        print(store.problem() or "No mock interview is finished yet. Take one above, then run this cell again.")
        return
    import matplotlib.pyplot as plt

    from halfbits.plots import style

    with style():
        _, axes = plt.subplots()
        percents = [100 * value for _, value in entries]
        axes.plot(range(1, len(entries) + 1), percents, color="#666666", linewidth=1, zorder=1)
        for marker, level in zip("osD", LEVELS, strict=True):
            chosen = [(i, 100 * value) for i, (entry, value) in enumerate(entries, 1) if entry["level"] == level]
            if chosen:
                axes.plot(*zip(*chosen, strict=True), marker, markersize=8, label=level)
        axes.set(xlabel="interview", ylabel="expected points made (%)", ylim=(0, 105), title=_finding(percents))
        axes.set_xticks(range(1, len(entries) + 1))
        axes.legend(title="level", loc="lower right")
        plt.show()


def _finding(percents: list[float]) -> str:
    if len(percents) == 1:
        return f"The first interview made {percents[0]:.0f} % of the points"
    return f"From {percents[0]:.0f} % in the first interview to {percents[-1]:.0f} % in the last"
