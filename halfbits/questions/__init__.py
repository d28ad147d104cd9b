"""Questions of the course, one module a unit. The text lives here, so that a notebook does not give answers away."""

#: Arguments for jupyterquiz.display_quiz: its own label colour is black, which a dark notebook swallows.
QUIZ_LOOK = {"max_width": 720, "colors": {"--jq-numeric-input-label": "var(--jp-content-font-color1, #101010)"}}
