"""launcher: what runs on the login node, with the standard library alone.

what to run    options, config_file, paths -> benchmark, subsets, demo_data -> improve_stages, tasks
a launch       launch -> planning, changed_data -> launch_files, templates -> slurm or local
before, after  check (--check); queue, status (--status, --cancel, --wait); announce
"""

__version__ = "2.0"
