"""asked: what a batch script asks Slurm for, and the same script asking for more.

    text of a *.sbatch -> Asked(memory in MB, seconds, cores, gpus, ...)
    text, Needs        -> the text whose #SBATCH lines ask for that

Times and sizes are written as Slurm reads them: 90 (minutes), 1:30:00, 2-12; 4000 (MB), 4000M, 4G.
"""
import re
import shlex
from typing import NamedTuple, Optional

SHORT = {"-t": "--time", "-c": "--cpus-per-task", "-p": "--partition", "-G": "--gpus", "-x": "--exclude"}
GPUS = ("--gpus", "--gpus-per-task", "--gpus-per-node")
UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
MEMORY = re.compile(r"--mem(-per-cpu)?(=|\s+)\S+")
TIME = re.compile(r"(--time(=|\s+)|(?<=\s)-t\s*)\S+")
EXCLUDE = re.compile(r"(--exclude(=|\s+)|(?<=\s)-x\s*)\S+")


class Asked(NamedTuple):
    """What one element asks for; None: the script leaves it to the partition, or asks for all there is."""
    memory: Optional[int] = None    # MB
    seconds: Optional[int] = None
    cores: int = 1
    gpus: int = 0
    partition: str = ""
    exclude: str = ""


class Needs(NamedTuple):
    """What an element has to ask for, whatever its template says; None: as the template says."""
    memory: Optional[int] = None    # MB
    seconds: Optional[int] = None


def larger(one, other):
    """The Needs that is enough for both."""
    return Needs(*[max(filter(None, pair), default=None) for pair in zip(one, other)])


# ------------------------------------------------------------------------ read

def asked_of(text):
    """The Asked of a batch script or template."""
    found = options_of(text)
    cores = number(found.get("--cpus-per-task", "")) or 1
    memory, per_core = megabytes(found.get("--mem", "")), megabytes(found.get("--mem-per-cpu", ""))
    return Asked(memory or (per_core * cores if per_core else None), seconds_of(found.get("--time", "")), cores,
                 gpus_of(found), found.get("--partition", ""), found.get("--exclude", ""))


def read(path):
    """The Asked of a file; one that asks for nothing if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return asked_of(file.read())
    except (OSError, UnicodeDecodeError):
        return Asked()


def options_of(text):
    """{--name: value} of the #SBATCH lines; of two the later wins, as Slurm has it."""
    found = {}
    for line in text.split("\n"):
        words = words_of(line[len("#SBATCH"):]) if line.startswith("#SBATCH") else []
        for at, word in enumerate(words):
            name, equals, value = word.partition("=")
            if not word.startswith("--"):
                name, equals, value = SHORT.get(word[:2], word), word[2:], word[2:].lstrip("=")
            found[name] = value if equals or at + 1 == len(words) else words[at + 1]
    return found


def words_of(line):
    try:
        return shlex.split(line, comments=True)
    except ValueError:      # an open quote: Slurm will say so
        return []


def number(text):
    return int(text) if re.match(r"[0-9]{1,9}$", text) else None


def megabytes(text):
    """'4G' -> 4096; None for 0 (all of the node) and what is no size."""
    found = re.match(r"([0-9]{1,12})([KMGT]?)B?$", text.upper())
    return int(int(found.group(1)) * UNITS[found.group(2) or "M"]) or None if found else None


def seconds_of(text):
    """'1-12:30:00' -> 131400; None for UNLIMITED and what is no time."""
    found = re.match(r"(?:(\d{1,5})-)?(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?$", text)
    if not found:
        return None
    days, *parts = found.groups()
    numbers = [int(part) for part in parts if part is not None]
    if days is None and len(numbers) < 3:       # MINUTES or MINUTES:SECONDS, else HOURS:MINUTES:SECONDS
        numbers = [0] + numbers
    hours, minutes, seconds = (numbers + [0, 0])[:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds or None


def gpus_of(found):
    """GPUs of {option: value}: --gres=lscratch:10,gpu:a100:2 -> 2; --gpus=a100:2 -> 2"""
    parts = [part for part in found.get("--gres", "").split(",") if part.partition(":")[0] == "gpu"]
    parts += [found[name] for name in GPUS if found.get(name)]
    return max([number(part.rpartition(":")[2]) or 1 for part in parts], default=0)


# ----------------------------------------------------------------------- write

def memory_text(megabytes):
    return f"{megabytes}M"


def time_text(seconds):
    """131400 -> '1-12:30:00'"""
    minutes, seconds = divmod(int(seconds), 60)
    days, minutes = divmod(minutes, 24 * 60)
    return (f"{days}-" if days else "") + f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def words_for(needs):
    """['--mem=5250M', '--time=36:00:00']"""
    memory = [f"--mem={memory_text(needs.memory)}"] if needs.memory else []
    return memory + ([f"--time={time_text(needs.seconds)}"] if needs.seconds else [])


def with_needs(text, needs, exclude=()):
    """The script with what it asks for replaced; an option that it lacks is added behind its #SBATCH lines."""
    for word in words_for(needs):
        text = with_option(text, MEMORY if word.startswith("--mem") else TIME, word)
    if exclude:
        nodes = ",".join(filter(None, [asked_of(text).exclude, *exclude]))
        text = with_option(text, EXCLUDE, f"--exclude={nodes}")
    return text


def with_option(text, pattern, word):
    lines = text.split("\n")
    found = [at for at, line in enumerate(lines) if line.startswith("#SBATCH") and pattern.search(line.partition(" #")[0])]
    for at in found:
        lines[at] = pattern.sub(word, lines[at], 1)
    if not found:   # sbatch ignores what comes after the first line of bash
        first = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
        lines.insert(first, f"#SBATCH {word}")
    return "\n".join(lines)
