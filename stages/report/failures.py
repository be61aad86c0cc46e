"""failures: what is missing and why, a line for each cause.

    Gaps -> failure_lines -> terminal, page
"""
import re

from core.text import plural

NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")
PENDING = ("running", "waiting")    # neither failed nor done
UNDEFINED = "undefined"             # a result that counts, but lacks one metric


def failure_lines(gaps):
    """Returns a line for each cause of missing scores, and one for those that are not there yet.

    Numbers in a reason make no new cause.
    """
    causes, pending = {}, sum(gap.state in PENDING for gap in gaps)
    for gap in gaps:
        if gap.state not in (*PENDING, UNDEFINED):
            cause = gap.stage, gap.state, NUMBER.sub("N", gap.reason)
            causes.setdefault(cause, []).append(gap)
    lines = []
    for alike in causes.values():
        gap, others = alike[0], len({each.failed_task for each in alike}) - 1
        more = f" and {others} more" * bool(others)
        reason = f": {gap.reason}" * bool(gap.reason)
        log = f"; log: {gap.log}" * bool(gap.log)
        lines.append(f"{gap.failed_task}{more} {gap.state}{reason} "
                     f"({plural(len(alike), 'score')} missing{log})")
    if pending:
        lines.append(f"{plural(pending, 'score')} pending: tasks are running or have not run")
    return lines
