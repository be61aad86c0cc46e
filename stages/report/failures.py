"""failures: groups missing scores by what caused them.

    Gaps -> failed_and_pending -> {failed task: its gaps} -> by_cause -> one list a cause
"""
import re

NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")
PENDING = ("running", "waiting")    # neither failed nor done
UNDEFINED = "undefined"             # a result that counts, but lacks one metric


def failed_and_pending(gaps):
    """Returns ({failed task: its gaps}, number of scores that are not there yet)."""
    failed = {}
    for gap in gaps:
        if gap.state not in (*PENDING, UNDEFINED):
            failed.setdefault(gap.failed_task, []).append(gap)
    return failed, sum(gap.state in PENDING for gap in gaps)


def by_cause(failed):
    """Returns lists of (failed task, its gaps), one for each cause; numbers make no new cause."""
    causes = {}
    for failed_task, gaps in failed.items():
        gap = gaps[0]
        cause = gap.stage, gap.state, NUMBER.sub("N", gap.reason)
        causes.setdefault(cause, []).append((failed_task, gaps))
    return list(causes.values())
