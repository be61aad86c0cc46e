"""slurm: a few lines around sbatch, squeue, scontrol and scancel.

Nothing here decides anything. Commands are lists, never shell strings; every call
has a time-out, since a busy controller can keep a client waiting for ever.
"""
import functools
import os
import re
import time
from typing import NamedTuple

from launcher.refusal import Refusal

SBATCH_TIMEOUT = 60   # seconds; at MaxJobCount sbatch sleeps and retries instead of failing
ASK_TIMEOUT = 30
NAMES_A_CALL = 200    # job names of one squeue
DEFAULT_MAX_ARRAY = 1001
# What finds the cluster and the account goes on to sbatch. The rest of an allocation
# that the launcher happens to run in (SLURM_CPU_BIND, SBATCH_ARRAY_INX...) must not,
# nor what a user has set to filter their own squeue (SQUEUE_PARTITION...).
PASSED_ON = {"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SBATCH_ACCOUNT", "SBATCH_PARTITION", "SBATCH_QOS"}


class SlurmError(Exception):
    """A Slurm command failed: its own words. kind: refused, silent (no answer), no_id (an answer without
    a job id), missing (no such program)."""

    def __init__(self, kind, words):
        super().__init__(words)
        self.kind = kind


ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
         "REVOKED", "TIMEOUT"}


class Element(NamedTuple):
    """One line of squeue: an array element, or a job without elements (index None)."""
    job_id: str
    index: int
    state: str
    reason: str
    name: str

    @property
    def key(self):
        """As the runner writes it in slurm_job: 409_3."""
        return self.job_id if self.index is None else f"{self.job_id}_{self.index}"

    @property
    def in_queue(self):
        """Waits or runs; not one that has ended."""
        return self.state not in ENDED

    @property
    def stranded(self):
        """Waits for a parent that can no longer end well, for ever."""
        return self.state == "PENDING" and self.reason == "DependencyNeverSatisfied"


def environment():
    """The environment for sbatch."""
    return {name: value for name, value in os.environ.items()
            if name in PASSED_ON or not name.startswith(("SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_", "SACCT_"))}


def ask(command, timeout=None, cwd=None):
    """Standard output of a Slurm command; raises SlurmError."""
    import subprocess   # here, since what asks no cluster starts sooner without it
    timeout = timeout or ASK_TIMEOUT
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              env=environment(), timeout=timeout, cwd=cwd)
    except subprocess.TimeoutExpired:
        raise SlurmError("silent", f"{command[0]} gave no answer in {timeout} s")
    except OSError as error:
        raise SlurmError("missing", f"{command[0]} cannot be run ({error.strerror})")
    if done.returncode != 0:
        words = " ".join(text(done.stderr).split()) or f"{command[0]} exited with {done.returncode}"
        # Slurm's own words if the controller did not answer its client in time.
        raise SlurmError("silent" if "timed out" in words.lower() else "refused", words)
    return text(done.stdout)


def text(raw):
    return raw.decode("utf-8", "replace")


@functools.lru_cache()
def configuration():
    """(what scontrol says of the cluster, ""), or ("", why it says nothing); asked once."""
    try:
        return ask(["scontrol", "show", "config"]), ""
    except SlurmError as error:
        return "", str(error)


def is_set_up():
    """Whether Slurm's programs know of a cluster: from a file, a daemon's copy of it, or a DNS record, in this order.

    A controller that does not answer is a cluster all the same: nothing may run on its login node instead.
    """
    return "DNS SRV lookup failed" not in configuration()[1]    # Slurm's own words


def largest_array():
    """MaxArraySize: indices go up to one less. Raises Refusal if no controller answers."""
    words, error = configuration()
    if error:
        raise Refusal(f"the Slurm controller does not answer ({error})", "run it again later, or add --executor local")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", words, re.MULTILINE)
    if found is None or int(found.group(1)) < 2:
        raise Refusal("this cluster allows no job arrays (MaxArraySize)", "add --executor local")
    return int(found.group(1))


def sbatch_command(script, dependency):
    """The words of one submission; dependency is '' or 'aftercorr:1:2'."""
    return ["sbatch", "--parsable", *([f"--dependency={dependency}"] if dependency else []), script]


def test_only(script):
    """Asks Slurm whether it would take a batch script; raises SlurmError with its words if not."""
    ask(["sbatch", "--test-only", script], SBATCH_TIMEOUT, os.path.dirname(script))


def takes(script):
    try:
        test_only(script)
        return True
    except SlurmError:
        return False


def submit(script, dependency, name):
    """Submits one array and returns its job id; raises SlurmError."""
    try:
        return job_id_of(ask(sbatch_command(script, dependency), SBATCH_TIMEOUT, os.path.dirname(script)))
    except SlurmError as error:
        if not may_have_been_submitted(error):
            raise
        found = wait_for_name(name)
        if found:
            return found
        raise


def may_have_been_submitted(error):
    """Whether the controller may have taken the job though sbatch failed: then its name is in the queue."""
    return getattr(error, "kind", "") in ("silent", "no_id")


def wait_for_name(name, tries=3, pause=5):
    for _ in range(tries):
        time.sleep(pause)
        try:
            ids = [element.job_id for element in queue([name])]
        except SlurmError:
            continue
        if ids:
            return ids[0]
    return None


def job_id_of(output):
    """What sbatch --parsable printed -> job id. A site's banners may stand before and behind its line."""
    found = re.findall(r"^([0-9]{1,18})(?:;[\w.-]+)?\s*$", output, re.MULTILINE)
    if not found:
        raise SlurmError("no_id", f"sbatch printed no job id, but {output[-200:]!r}")
    return found[-1]


def queue(names):
    """All elements of the jobs with these names, whoever owns them, those that ended in the last minutes too.

    Raises SlurmError.
    """
    found = []
    for start in range(0, len(names), NAMES_A_CALL):
        output = ask(["squeue", "-r", "-h", "--states=all", "--name=" + ",".join(names[start:start + NAMES_A_CALL]),
                      "-o", "%i|%T|%r|%j"])
        found += [element for element in map(element_of, output.splitlines()) if element]
    return found


def element_of(line):
    """'409_3|RUNNING|None|csa.x.train' -> Element; None for a line that is something else."""
    found = re.match(r"([0-9]{1,18})(?:_([0-9]{1,18}))?\|(\w+)\|([^|]*)\|(.*)$", line.strip())
    if not found:
        return None
    job_id, index, state, reason, name = found.groups()
    return Element(job_id, None if index is None else int(index), state, reason, name)


def accounted_ends(keys):
    """{'409_3': 'TIMEOUT'} from sacct; {} if there is no accounting, which is usual."""
    try:
        output = ask(["sacct", "-n", "-X", "-P", "-o", "JobID,State", "-j", ",".join(keys[:500])])
    except SlurmError:
        return {}
    rows = [line.split("|") for line in output.splitlines()]
    return {row[0]: row[1].split()[0] for row in rows if len(row) == 2 and row[1].strip()}


def expected_start(key):
    """'2026-11-24T22:10:00', when Slurm expects an element to start; '' if it does not say."""
    try:
        output = ask(["squeue", "-h", "-r", "-j", key, "-o", "%S"])
    except SlurmError:
        return ""
    found = re.search(r"^\d{4}-\S+", output, re.MULTILINE)
    return found.group(0) if found else ""


def cancel(ids):
    """Cancels jobs or elements ('12', '12_3'); raises SlurmError."""
    for start in range(0, len(ids), 500):
        ask(["scancel", *ids[start:start + 500]])
