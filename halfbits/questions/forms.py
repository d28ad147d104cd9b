"""Questions in the form that jupyterquiz takes."""

from __future__ import annotations

__all__ = ["choice", "numeric"]


def choice(question: str, right: tuple[str, str], wrong: dict[str, str]) -> dict:
    """A question with one right answer, an answer and why it is right, and wrong ones, each with why it is wrong."""
    answers = [{"answer": right[0], "correct": True, "feedback": f"Yes. {right[1]}"}]
    answers += [{"answer": text, "correct": False, "feedback": f"No. {why}"} for text, why in wrong.items()]
    return {"question": question, "type": "multiple_choice", "answers": answers}


def numeric(question: str, right: float, why: str, wrong: dict[float, str], otherwise: str) -> dict:
    """A question for a whole number: why it is right, why the likely wrong ones are, and what to say to any other."""
    answers = [{"type": "value", "value": int(right), "correct": True, "feedback": f"Yes. {why}"}]
    answers += [
        {"type": "value", "value": int(value), "correct": False, "feedback": f"No. {text}"}
        for value, text in wrong.items()
    ]
    answers.append({"type": "default", "feedback": f"No. {otherwise}"})
    return {"question": question, "type": "numeric", "answers": answers}
