"""runner: what run_stage.py is made of: task, claim, inputs, attempt, verdict, status. Imports nothing of ours outside."""
