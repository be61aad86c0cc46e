"""slurm: sbatch, squeue, scontrol and scancel, and what they print.

    batch scripts -> sbatch --test-only each -> sbatch each, parents first -> jobs, written down
    job names     -> squeue -> Elements

Nothing here decides anything. Commands are lists, never shell strings; each has a timeout, since a
busy controller can keep a client waiting for ever. A job is 'ID', or 'ID;CLUSTER' where a template
names another cluster.
"""
import functools
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from typing import NamedTuple, Optional

from core.errors import Refusal
from launcher import launch_files, templates

SBATCH_TIMEOUT = 60     # seconds; at MaxJobCount sbatch sleeps and retries instead of failing
ASK_TIMEOUT = 30
TRIES, PAUSE = 3, 5     # looks for a job whose sbatch got no reply; seconds before each
AT_ONCE = 1000          # names in one call
DEFAULT_MAX_ARRAY = 1001    # Slurm's own MaxArraySize
# These say where jobs run and who pays. Other SBATCH_ variables would win over the templates;
# SLURM_ ones belong to the allocation that the launcher runs in, SQUEUE_ ones to the user's squeue.
PASSED_ON = ("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SBATCH_ACCOUNT", "SBATCH_CLUSTERS",
             "SBATCH_CONSTRAINT", "SBATCH_PARTITION", "SBATCH_QOS", "SBATCH_RESERVATION",
             "SBATCH_WCKEY")
NOT_PASSED_ON = ("SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_")
LINE = re.compile(r"([0-9]{1,18})(?:_\[?([^]|]+)\]?)?\|(\w+)\|([^|]*)\|(.*)$")   # of squeue
INDICES = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?(?::([1-9]\d{0,6}))?")
# What a client says if no reply came, or only a part of it: the controller may have taken the job.
NO_REPLY = re.compile(r"timed out|zero bytes|connection (reset|refused|failure|shutdown)"
                      r"|broken pipe|unable to contact|message (send|receive)", re.IGNORECASE)
LATER = "edit its #SBATCH lines; if only its nodes or its reservation are not available yet, " \
        "SKIP_TEST_ONLY=1 before the same command submits it all the same, and it waits"
FEWER = "the same command later, when fewer of your jobs are in the queue; --tasks_per_job K or " \
        "--fuse queues fewer"

ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
         "PREEMPTED", "REVOKED", "TIMEOUT", "LAUNCH_FAILED", "RECONFIG_FAIL"}
RUNNING = {"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT",
           "RESIZING"}


class SlurmError(Exception):
    """What a failed command said. may_be_submitted: no reply came, or none with a job id"""

    def __init__(self, message, may_be_submitted=False):
        super().__init__(message)
        self.may_be_submitted = may_be_submitted


def no_answer(error, hint="give the same command again later"):
    """Returns the Refusal of what needs the controller."""
    return Refusal(f"the Slurm controller does not answer ({error})", hint)


class Element(NamedTuple):
    """An array element in the queue. index None: elements that were cancelled while they waited;
    squeue does not say which ones."""
    job_id: str
    index: Optional[int]
    state: str
    reason: str
    name: str
    cluster: str = ""

    @property
    def key(self):
        """As the runner writes it in slurm_job: 409_3."""
        return self.job_id if self.index is None else f"{self.job_id}_{self.index}"

    @property
    def address(self):
        """As jobs are written down and cancelled: 409_3, or 409_3;CLUSTER."""
        return self.key + (f";{self.cluster}" if self.cluster else "")

    @property
    def in_queue(self):
        """Also in states that only newer versions of Slurm have."""
        return self.state not in ENDED

    @property
    def runs(self):
        return self.state in RUNNING


# ---- commands

def environment():
    """Returns the environment of Slurm's programs, in which squeue prints all indices."""
    kept = {name: value for name, value in os.environ.items()
            if name in PASSED_ON or not name.startswith(NOT_PASSED_ON)}
    return dict(kept, SLURM_BITSTR_LEN="0")


def ask(command, timeout=ASK_TIMEOUT, cwd=None):
    """Returns the standard output of a Slurm command; raises SlurmError."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
                              env=environment(), timeout=timeout, cwd=cwd)
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} gave no answer in {timeout} s", True)
    except OSError as error:
        raise SlurmError(f"{command[0]} cannot be run ({error.strerror})")
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise SlurmError(said or f"{command[0]} exited with {done.returncode}",
                         done.returncode < 0 or NO_REPLY.search(said) is not None)
    return done.stdout


@functools.lru_cache()
def configuration():
    """Returns (what scontrol says of the cluster, ""), or ("", why it says nothing); asked once."""
    try:
        return ask(["scontrol", "show", "config"]), ""
    except SlurmError as error:
        return "", str(error)


def is_set_up():
    """Whether Slurm's programs know of a cluster, be its controller silent: nothing may run on its
    login node then."""
    return "DNS SRV lookup failed" not in configuration()[1]    # Slurm's own words


def largest_array():
    """Returns MaxArraySize: indices go up to one less. Raises Refusal if no controller answers."""
    said, error = configuration()
    if error:
        raise no_answer(error, "run it again later, or add --executor local")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.MULTILINE)
    if found is None or int(found.group(1)) < 2:
        raise Refusal("this cluster allows no job arrays (MaxArraySize)", "add --executor local")
    return int(found.group(1))


# ---- submission

def test_scripts(arrays, directory):
    """Asks Slurm about a script of each template: a wrong one submits nothing. Raises Refusal or
    SlurmError. SKIP_TEST_ONLY=1 in the environment leaves it out."""
    ignored = sorted(name for name in set(os.environ) - set(environment())
                     if name.startswith("SBATCH_"))
    if ignored:
        print(f"ignored: {', '.join(ignored)}; the templates say what a job asks for",
              file=sys.stderr)
    if os.environ.get("SKIP_TEST_ONLY", "0") not in ("", "0"):
        return
    for array in {array.template: array for array in arrays}.values():
        script = os.path.join(directory, f"{array.name}.sbatch")
        try:
            ask(["sbatch", "--test-only", script], SBATCH_TIMEOUT, directory)
        except SlurmError as error:
            if error.may_be_submitted:
                raise   # there was no answer
            raise Refusal(f"sbatch --test-only refuses {array.template} ({error}); nothing is "
                          "submitted", LATER)


def submit_arrays(arrays, directory):
    """Submits the arrays of a launch, and what can still go if one is refused: nothing waits for
    what never comes, and the collector takes whatever results exist. Returns ({array: job}, the
    first error or None)."""
    jobs, first_error = {}, None
    for array in arrays:
        try:
            launch_files.write_state(directory, "running")  # a sign of life for other hosts
            submitted = [parent in jobs for parent in array.parents]
            if all(submitted) or array.stage == "collect" and any(submitted):
                jobs[array.name] = submit(os.path.join(directory, f"{array.name}.sbatch"),
                                          dependency_of(array, jobs))
                launch_files.add_job(directory, array.name, jobs[array.name])
        except (SlurmError, Refusal) as error:
            first_error = first_error or error
            if isinstance(error, Refusal) or error.may_be_submitted:
                break  # a full disk or a silent controller: the next array would fare no better
    launch_files.write_state(directory, "ended")
    return jobs, first_error


def dependency_of(array, jobs):
    """Returns 'aftercorr:1:2', '' for an array that waits for none of {array: job}."""
    ids = [jobs[parent].partition(";")[0] for parent in array.parents if parent in jobs]
    return ":".join([array.dependency, *ids]) if ids else ""


def submit(script, dependency):
    """Submits one array and returns its job; raises SlurmError. sbatch may fail though the
    controller has taken the job: then its name is in the queue."""
    waits = [f"--dependency={dependency}"] if dependency else []
    try:
        return job_of(ask(["sbatch", "--parsable", *waits, script], SBATCH_TIMEOUT,
                          os.path.dirname(script)))
    except SlurmError as error:
        found = find_job(script, error)
        if found is None:
            raise
        return found


def job_of(output):
    """Returns the job that sbatch --parsable printed, perhaps among a site's banners."""
    found = re.findall(r"^([0-9]{1,18}(?:;[\w.-]+)?)\s*$", output, re.MULTILINE)
    if not found:
        raise SlurmError(f"sbatch printed no job id, but {output[-200:]!r}", True)
    return found[-1]


def find_job(script, error):
    """Returns the job with a script's name or None; after a plain refusal by one look."""
    asked = templates.sbatch_options(script)
    # the environment wins in sbatch, too
    clusters = os.environ.get("SBATCH_CLUSTERS", asked.get("--clusters", ""))
    for _ in range(TRIES if error.may_be_submitted else 1):
        time.sleep(PAUSE if error.may_be_submitted else 0)
        for cluster in clusters.split(","):     # of several, sbatch has chosen one
            with suppress(SlurmError):
                for element in queue([asked["--job-name"]], cluster):
                    return element._replace(index=None).address
    return None


# ---- queue

def on(cluster):
    return [f"--clusters={cluster}"] if cluster else []


def queue(names, cluster=""):
    """Returns the Elements of the jobs with these names, whoever owns them, also of those that
    ended in the last minutes (MinJobAge). Raises SlurmError."""
    found = []
    for start in range(0, len(names), AT_ONCE):
        # Without -r, which leaves out the last one of indices with a constant step (22.05, 26.05)
        output = ask(["squeue", "-h", "--states=all", *on(cluster),
                      "--name=" + ",".join(names[start:start + AT_ONCE]), "-o", "%i|%T|%r|%j"])
        found += [element for line in output.splitlines() for element in elements_of(line, cluster)]
    return found


def elements_of(line, cluster=""):
    """Returns the Elements of a line such as '409_[0-1,4%2]|PENDING|None|csa.x.train', else []."""
    found = LINE.match(line.strip())
    if not found:
        return []
    job_id, places, state, reason, name = found.groups()
    reason = reason.replace("_", " ")       # newer versions write launch_failed_requeued_held
    return [Element(job_id, index, state, reason, name, cluster)
            for index in indices(places or "") or [None]]


def indices(text):
    """Returns the numbers of an array: '3-11:4,20%2' -> [3, 7, 11, 20]; [] of N/A."""
    numbers = []
    for first, last, step in INDICES.findall(text.partition("%")[0]):
        numbers += range(int(first), int(last or first) + 1, int(step or 1))
    return numbers


def cancel(jobs):
    """Cancels jobs or elements: '12', '12_3', '12;CLUSTER'. Raises SlurmError."""
    ids = {}
    for job in jobs:
        ids.setdefault(job.partition(";")[2], []).append(job.partition(";")[0])
    for cluster in sorted(ids):
        ask(["scancel", *on(cluster), *ids[cluster]])
