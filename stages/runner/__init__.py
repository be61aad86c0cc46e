"""runner: one task, from its claim to its verdict; run_stage.py calls main.py."""
