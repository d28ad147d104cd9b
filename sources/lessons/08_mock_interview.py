# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 08 · Mock interview
#
# An interview (模拟面试) with the question bank of this course: you choose the level and the length, it asks one question
# at a time, and you answer against the clock. Then you hold your answer against a rubric, tick what you said, and go on.
# At the end you see how it went by topic and what to study next.

# %% [markdown]
# ## 1. How to use it
#
# - **Say the answer aloud**, as you will have to; a minute is enough for most questions. Notes in the box help you to
#   grade yourself afterwards. A question about a number wants the number: `112`, `5.96e-8`, `2^-24` and `7e9 * 16 / 1e9`
#   are all understood.
# - **`Ctrl` + `Enter`** in the box, or *Compare*, shows what the answer should say. The clock stands still from then on.
# - **Be strict with the ticks.** A point that you would have made is a point that you did not make.
# - **Open the follow-ups one at a time**, and answer each before you look.
# - **Nothing is lost.** What you type is kept as you type it. Close the tab, or even shut the kernel down; the next time
#   the cell below runs, it offers to go on.
#
# Levels: *screening* asks for the terms and the two or three facts that everybody needs; *on-site* asks why, how, and
# what goes wrong; *senior* asks you to decide, and to say what it costs. At *senior*, the points of a senior answer
# count, too.

# %% [markdown]
# ## 2. The interview
#
# Run the cell. Every control can be reached with `Tab` and used with the keyboard.

# %% tags=["nbval-ignore-output"]
from halfbits.widgets import MockInterview

MockInterview()

# %% [markdown]
# The exercise, if you asked for one, is one that you have not passed yet. You write it in its own notebook and `check` it
# there, as ever; the interview looks at the grader's record, so an answer that does not hold cannot be ticked off.

# %% [markdown]
# ## 3. How you are doing
#
# The share of the expected points that you made, interview by interview. Run the cell again after each.

# %% tags=["nbval-ignore-output"]
from halfbits.widgets.mock_interview import plot_past

plot_past()

# %% [markdown]
# ## 4. Cards for the days between
#
# An interview shows what you do not know; cards (记忆卡片) keep what you have learned. `review()` shows those that are due
# today. Think first, turn the card, and say how well you knew it: *Again* brings it back in minutes, *Easy* in days or
# weeks. When exactly is computed by FSRS ([Ye, Su & Cao, 2022](https://doi.org/10.1145/3534678.3539081)) from how you
# rated it so far. At most ten new cards come a day.

# %% tags=["nbval-ignore-output"]
from halfbits.questions.cards import review

review()

# %% [markdown]
# To have them on your phone: `.venv/bin/halfbits cards export` in a terminal writes `half-the-bits.apkg`, which Anki
# imports. Anki then keeps a schedule of its own.

# %% [markdown]
# ## 5. What is in the bank
#
# The interview asks only questions that are answered in the open; the ones with options to choose from are in the
# lessons' quizzes and among the cards.

# %%
from collections import Counter

from halfbits.questions import LEVELS, TOPICS, Choice, load

bank = load()
open_questions = [question for question in bank if not isinstance(question, Choice)]
assert len(bank) >= 150
print(f"{len(bank)} questions, {len(open_questions)} of them open\n")
print(f"{'':28}{''.join(f'{level:>11}' for level in LEVELS)}")
for topic, title in TOPICS.items():
    counts = Counter(question.level for question in bank if question.topic == topic)
    print(f"{title:28}{''.join(f'{counts[level]:11}' for level in LEVELS)}")

# %% [markdown]
# Every answer names the lesson and the heading under which a cell proves it. Where an interviewer contradicts you, that
# cell is what you would show.
