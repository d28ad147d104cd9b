"""What fp16, bf16 and their kin can hold, and what they lose."""

TITLE = "Number formats"
NOTEBOOK = "01_number_formats"
EXERCISES = (
    "decode",
    "format_limits",
    "round_to_bfloat16",
    "ulp",
    "update_is_lost",
    "dot_with_fp32_accumulator",
    "choose_format",
)
