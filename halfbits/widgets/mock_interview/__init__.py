"""MockInterview: an interview with a clock, a rubric and a summary. See `mock_interview.py`."""

from halfbits.widgets.mock_interview.mock_interview import MockInterview, plot_past

__all__ = ["MockInterview", "plot_past"]
