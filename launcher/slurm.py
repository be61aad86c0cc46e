"""slurm: sbatch, squeue, scontrol and scancel, and what they print.

    batch scripts -> sbatch --test-only each -> sbatch each, parents first -> jobs, written down
    job names     -> squeue -> Elements

Commands are lists, never shell strings; each has a timeout, since a busy controller can keep a
client waiting for ever. A job is 'ID', or 'ID;CLUSTER' where a template names another cluster.
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
from launcher import templates
from launcher.launch_files import writing

TIMEOUT = 60            # seconds; at MaxJobCount sbatch sleeps and retries instead of failing
TRIES, PAUSE = 3, 5     # looks for a job whose sbatch got no reply; seconds before each
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
NO_CLUSTER = "DNS SRV lookup failed"    # scontrol, where programs are installed and no more
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
         "PREEMPTED", "REVOKED", "TIMEOUT", "LAUNCH_FAILED", "RECONFIG_FAIL"}
RUNNING = {"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT",
           "RESIZING"}


class SlurmError(Exception):
    """What a failed command said."""


class NoReply(SlurmError):
    """No reply came, or none with a job id: the controller may have taken the job."""


def no_answer(error):
    """Returns the Refusal of what needs the controller."""
    return Refusal(f"the Slurm controller does not answer ({error})",
                   "give the same command again later; --executor local runs tasks on this machine")


class Element(NamedTuple):
    """An array element in the queue. index None: some that were cancelled while they waited."""
    job: str
    index: Optional[int]
    state: str
    reason: str
    name: str

    @property
    def key(self):
        """As the runner writes it in slurm_job, without a cluster: 409_3."""
        job_id = self.job.partition(";")[0]
        return job_id if self.index is None else f"{job_id}_{self.index}"

    @property
    def in_queue(self):
        return self.state not in ENDED      # also in states that only newer versions have


# ---- commands

def environment():
    """Returns the environment of Slurm's programs, in which squeue prints all indices."""
    kept = {name: value for name, value in os.environ.items()
            if name in PASSED_ON or not name.startswith(NOT_PASSED_ON)}
    return dict(kept, SLURM_BITSTR_LEN="0")


def ask(program, *arguments, cluster="", cwd=None):
    """Returns the standard output of one of Slurm's programs; raises SlurmError."""
    where = [f"--clusters={cluster}"] if cluster else []
    try:
        done = subprocess.run([program, *where, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                              errors="replace", env=environment(), timeout=TIMEOUT, cwd=cwd)
    except subprocess.TimeoutExpired:
        raise NoReply(f"{program} gave no answer in {TIMEOUT} s")
    except OSError as error:
        raise SlurmError(f"{program} cannot be run ({error.strerror})")
    if done.returncode:
        said = " ".join(done.stderr.split())
        kind = NoReply if done.returncode < 0 or NO_REPLY.search(said) else SlurmError
        raise kind(said or f"{program} exited with {done.returncode}")
    return done.stdout


@functools.lru_cache()      # a silent controller is asked once
def configuration():
    """Returns (what scontrol says of the cluster, ""), or ("", why it says nothing)."""
    try:
        return ask("scontrol", "show", "config"), ""
    except SlurmError as error:
        return "", str(error)


def largest_array(may_guess=False):
    """Returns MaxArraySize: indices go up to one less. Refusal if no controller answers."""
    said, error = configuration()
    if error and not may_guess:
        raise no_answer(error)
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.MULTILINE)
    return max(1, int(found.group(1))) if found else 1001       # Slurm's own default


# ---- submission

def test_scripts(arrays, directory):
    """Asks Slurm about a script of each template: a wrong one submits nothing. Raises Refusal or
    SlurmError. SKIP_TEST_ONLY=1 in the environment leaves it out."""
    ignored = sorted({name for name in os.environ if name.startswith("SBATCH_")} - set(PASSED_ON))
    if ignored:
        print(f"ignored: {', '.join(ignored)}; the templates say what a job asks for",
              file=sys.stderr)
    if os.environ.get("SKIP_TEST_ONLY", "0") not in ("", "0"):
        return
    for array in {array.template: array for array in arrays}.values():
        try:
            ask("sbatch", "--test-only", f"{array.name}.sbatch", cwd=directory)
        except NoReply:
            raise
        except SlurmError as error:
            raise Refusal(
                f"sbatch --test-only refuses {array.template} ({error}); nothing is submitted",
                "edit its #SBATCH lines; if only its nodes or its reservation are not available "
                "yet, SKIP_TEST_ONLY=1 before the same command submits it, and it waits")


def submit_arrays(arrays, directory):
    """Submits the arrays of a launch. If one is refused, nothing waits for what never comes and the
    collector takes whatever results exist. Returns ({array: job}, the first error or None)."""
    jobs, first_error = {}, None
    for array in arrays:
        submitted = [parent in jobs for parent in array.parents]
        if not all(submitted) and not (array.stage == "collect" and any(submitted)):
            continue
        try:
            jobs[array.name] = submit(os.path.join(directory, f"{array.name}.sbatch"),
                                      dependency_of(array, jobs))
            # at once: what is submitted must be known, whatever comes next
            with writing(), open(f"{directory}/jobs.tsv", "a", encoding="utf-8") as file:
                file.write(f"{array.name}\t{jobs[array.name]}\n")
        except (SlurmError, Refusal) as error:
            first_error = first_error or error
            if isinstance(error, (Refusal, NoReply)):
                break  # a full disk or a silent controller: the next array would fare no better
    return jobs, first_error


def dependency_of(array, jobs):
    """Returns ['--dependency=aftercorr:1:2'], [] for an array that waits for none of {array: job}.
    Slurm waits element by element; a trial for all its splits, the collector for the end of all."""
    ids = [jobs[parent].partition(";")[0] for parent in array.parents if parent in jobs]
    how = {"collect": "afterany", "trial": "afterok"}.get(array.stage, "aftercorr")
    return [f"--dependency={':'.join([how, *ids])}"] if ids else []


def submit(script, waits):
    """Submits one array and returns its job; raises SlurmError. If sbatch fails though the
    controller has taken the job, its name is in the queue."""
    try:
        output = ask("sbatch", "--parsable", *waits, script, cwd=os.path.dirname(script))
        # perhaps among a site's banners
        jobs = re.findall(r"^([0-9]{1,18}(?:;[\w.-]+)?)\s*$", output, re.MULTILINE)
        if not jobs:
            raise NoReply(f"sbatch printed no job id, but {output[-200:]!r}")
        return jobs[-1]
    except SlurmError as error:
        job = find_job(script, isinstance(error, NoReply))
        if job is None:
            raise
        return job


def find_job(script, may_be_submitted):
    """Returns the job with a script's name or None; after a plain refusal by one look."""
    asked = templates.sbatch_options(script)
    # the environment wins in sbatch, too
    clusters = os.environ.get("SBATCH_CLUSTERS", asked.get("--clusters", ""))
    for _ in range(TRIES if may_be_submitted else 1):
        time.sleep(PAUSE if may_be_submitted else 0)
        for cluster in clusters.split(","):     # of several, sbatch has chosen one
            with suppress(SlurmError):
                for element in queue([asked["--job-name"]], cluster):
                    return element.job
    return None


def read_jobs(launch):
    """Returns {array: job} of a launch; a half-written last line is ignored."""
    path = os.path.join(launch.directory, "jobs.tsv")
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return dict(re.findall(r"^([^\t\n]+)\t([0-9]+(?:;\S+)?)\n", file.read(), re.MULTILINE))
    return {}


# ---- queue

def queue(names, cluster=""):
    """Returns the Elements of the jobs with these names, whoever owns them, also of those that
    ended in the last minutes (MinJobAge). Raises SlurmError."""
    lines = []
    for first in range(0, len(names), 1000):    # Linux takes an argument of at most 128 kB
        # Without -r, which leaves out the last one of indices with a constant step (22.05, 26.05)
        lines += ask("squeue", "-h", "--states=all", "-o", "%i|%T|%r|%j",
                     f"--name={','.join(names[first:first + 1000])}", cluster=cluster).splitlines()
    return [element for line in lines for element in elements_of(line, cluster)]


def elements_of(line, cluster=""):
    """Returns the Elements of a line such as '409_[0-1,7-15:4%2]|PENDING|None|csa.x.train', else
    []; without a number (N/A), one of index None."""
    found = LINE.match(line.strip())
    if not found:
        return []
    job, places, state, reason, name = found.groups()
    job += f";{cluster}" if cluster else ""
    reason = reason.replace("_", " ")       # newer versions write launch_failed_requeued_held
    if state != "PENDING":
        reason = f"{state}, {reason}"       # such as SPECIAL_EXIT, or a state that nobody knows yet
    numbers = [number for first, last, step in INDICES.findall((places or "").partition("%")[0])
               for number in range(int(first), int(last or first) + 1, int(step or 1))]
    return [Element(job, number, state, reason, name) for number in numbers or [None]]


def cancel(jobs):
    """Cancels jobs or elements: '12', '12_3', '12_3;CLUSTER'. Raises SlurmError."""
    for cluster in sorted({job.partition(";")[2] for job in jobs}):
        ask("scancel", *(job.partition(";")[0] for job in jobs
                         if job.partition(";")[2] == cluster), cluster=cluster)
