# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # Half the Bits: start here
#
# A course for people who will be asked, in an interview, about **mixed precision** (混合精度), **quantization**
# (量化) and **pruning** (剪枝), and who want to answer from evidence. You need Python, NumPy, and an idea of how a
# neural network is trained. You do not need a GPU or, once it is installed, an internet connection.
#
# It grew out of a Chinese article with interview questions and code. Some of its answers are wrong and its code does
# not run; the course says where, and shows it.

# %% [markdown]
# ## How a unit works
#
# 1. **The lesson** gives the question, the answer in 60 seconds, and then the proof: cells that you run. Where it says
#    *predict*, stop and write your guess down first. It ends with a quiz.
# 2. **The exercises** are small functions. Write one, run the cell, then `check(your_function)`. It shows a small input
#    that breaks your answer, and often names the mistake.
# 3. Stuck? `hint(your_function)` gives the next of three hints. `reveal(your_function)` shows our solution.
# 4. **The solutions** are in the folder `solutions/`, under the same name, already run.
#
# You may try as often as you like. What you have passed is kept when you close the notebook.

# %% [markdown]
# ## The syllabus
#
# - **Lesson [01 · Why mixed precision](01_why_mixed_precision.ipynb)**. What is mixed, and what does it really save?
# - **Lesson [02 · Number formats](02_number_formats.ipynb)**. What are fp16 and bf16, and how do they differ from fp32?
# - **Exercises [01 · Number formats](../exercises/01_number_formats.ipynb)**. Can you decode, round and add in them?
# - **Lesson [03 · Mixed precision in TensorFlow](03_mixed_precision_in_tensorflow.ipynb)**. What does Keras do for you,
#   and what must you do yourself?
# - **Exercises [02 · Mixed precision training](../exercises/02_mixed_precision_training.ipynb)**. Can you build the
#   loss scale, the master weights, and a training loop that adjusts its precision?
# - **Lesson [04 · Quantization](04_quantization.ipynb)**. What do scale and zero-point do, and what does 8-bit inference
#   gain?
# - **Lesson [05 · Quantization-aware training](05_quantization_aware_training.ipynb)**. When is post-training
#   quantization not enough?
# - **Exercises [03 · Quantization-aware training](../exercises/03_quantization_aware_training.ipynb)**. Can you build
#   quantization from its parts, and a training that knows of it?
# - **Lesson [06 · Pruning](06_pruning.ipynb)**. Which zeros make a model smaller, and which make it faster?
# - **Exercises [04 · Pruning](../exercises/04_pruning.ipynb)**. Can you make the masks, hold them while training, and
#   take whole neurons out?
# - **Lesson [07 · Putting it together](07_putting_it_together.ipynb)**. All three on one model: in which order, and what
#   does each step buy?
#
# - **[08 · Mock interview](08_mock_interview.ipynb)**. Questions against the clock, with a rubric, and cards for the days
#   between.
# - **[09 · The article, audited](09_the_article_audited.ipynb)**. Each claim of the article and the cell that shows it; what is
#   wrong with this code?
# - **[Glossary](glossary.ipynb)** (术语表). English, Chinese, symbol, one line, where it is taught.

# %% [markdown]
# ## Where you stand
#
# Come back to this cell and run it again whenever you like.

# %% tags=["nbval-ignore-output"]
from halfbits.grading import progress

progress()

# %% [markdown]
# ## A plan for the days that you have
#
# Every day begins with the cards that are due: `review()` in [08](08_mock_interview.ipynb). A lesson's sections 1, 2 and 5 are
# the interview; section 4 is the proof. Where a day is too short, keep the lessons and leave exercises out: `progress()` tells
# you later which.
#
# **Three days:** enough to answer well; the exercises that you write are few.
#
# | day | lessons | exercises | aloud |
# |---|---|---|---|
# | 1 | 02, 01 | 01: `decode`, `round_to_bfloat16` | their sections 5 and 6 |
# | 2 | 03, 04 | 02: the first two; 03: the first two | mock interview, screening, 15 minutes |
# | 3 | 05, 06; of 07 sections 1, 2, 5 | 04: the first two | 09, then mock interview, on-site, 30 minutes |
#
# **Seven days:** every lesson, most exercises.
#
# | day | lessons | exercises | aloud |
# |---|---|---|---|
# | 1 | 02 | 01, all | its sections 5 and 6 |
# | 2 | 01, 03 | 02, all but the last | mock interview, screening, 15 minutes |
# | 3 | 04 | 03, the first half | its sections 5 and 6 |
# | 4 | 05 | 03, the rest but the last | mock interview, on-site, 15 minutes |
# | 5 | 06 | 04, all but the last | its sections 5 and 6 |
# | 6 | 07, 09 | one of the three last ones: a coding task of the article | mock interview, on-site, 30 minutes with an exercise |
# | 7 | what the summary tells you to read again | another task | mock interview, senior, 45 minutes |
#
# **Fourteen days:** everything, with time to come back to what did not stick.
#
# | day | lessons | exercises | aloud |
# |---|---|---|---|
# | 1 | 02 | 01, the first half | |
# | 2 | 01 | 01, the rest | their sections 5 and 6 |
# | 3 | 03, to 4.6 | 02, the first half | mock interview, screening, 15 minutes |
# | 4 | 03, the rest | 02, the rest but the last | its sections 5 and 6 |
# | 5 | | 02, the last: a mixed-precision training loop | |
# | 6 | 04 | 03, the first half | its sections 5 and 6 |
# | 7 | 05 | 03, the second half but the last | mock interview, on-site, 30 minutes |
# | 8 | | 03, the last: quantization-aware training | |
# | 9 | 06 | 04, the first half | its sections 5 and 6 |
# | 10 | 07 | 04, the rest but the last | mock interview, on-site, 30 minutes with an exercise |
# | 11 | | 04, the last: pruning for real | |
# | 12 | 09 | what `progress()` shows as open | claims of 09, before each cell |
# | 13 | what the summaries told you to read again | | mock interview, senior, 45 minutes with an exercise |
# | 14 | | | all cards due, then mock interview, senior, 30 minutes |

# %% [markdown]
# ## How to grade yourself
#
# - **In the notebook:** `check(decode)` under each exercise.
# - **In a terminal, a whole notebook at once:** `.venv/bin/halfbits grade exercises/01_number_formats.ipynb` runs it and
#   prints the verdict and the diagnosis of each exercise.
# - **Out loud:** section 5 of a lesson has a weak, a good and a senior answer. Give yours first, in 60 seconds, then
#   compare. In an interview that is the part that counts, and [08](08_mock_interview.ipynb) is there to practise it.
# - **Start afresh:** `make reset NOTEBOOK=01_number_formats` gives you an empty exercise notebook and keeps a dated
#   copy of yours.
# - **A new version of the course:** `.venv/bin/halfbits update`. (`git pull` stops at notebooks that you have run.) Where
#   an exercise notebook of yours has a new version, yours is kept beside it; copy your answers over. Your progress stays.

# %% [markdown]
# ## The keyboard, briefly
#
# | keys | what they do |
# |---|---|
# | `Shift` + `Enter` | run the cell and go to the next |
# | `Ctrl` + `Enter` | run the cell and stay |
# | `Esc`, then `A` or `B` | new cell above or below |
# | `Enter` | edit the cell again |
# | `Tab`, `Shift` + `Tab` | complete a name; show a function's help |
# | `I`, `I` (after `Esc`) | interrupt a cell that does not end |
# | `0`, `0` (after `Esc`) | restart the kernel |
#
# Every widget of the course works with the keyboard too.

# %% [markdown]
# ## Your machine
#
# Narrow formats save memory everywhere. They save *time* where the hardware computes in them, or where moving the
# bytes is what takes the time; so what the course measures depends on what you have. The next cell takes a second to
# look, and warns of versions that we do not test with. Until you run it, it shows the machine that this page was built
# on.

# %% tags=["nbval-ignore-output"]
from halfbits import hardware

hardware.describe()

# %% [markdown]
# A "no" is nothing to worry about: everything in the course runs there. "It was slower on my machine, and this is why"
# is a good answer in an interview.
#
# **Begin:** [01 · Why mixed precision](01_why_mixed_precision.ipynb).
