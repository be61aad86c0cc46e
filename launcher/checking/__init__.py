"""checking: --check: what can be verified before anything runs.

check        the checks in their order, a line each               tiny_run     --check run: a task of each stage on 50 rows
stage_help   which options a stage script knows                   disk_space   whether what a run leaves will fit
"""
