"""partition: the most that a job may ask for in a partition, as Slurm says.

    scontrol show partition, sinfo -> Limits(memory in MB, seconds)
"""
import functools
import os
import re

from launcher import slurm
from launcher.resources.asked import Needs, seconds_of


@functools.lru_cache(maxsize=None)
def limits(names):
    """The Needs that no job of a partition may exceed (None: no limit is known).

    names: as in --partition; '' is the one that sbatch takes then. Of several the largest counts.
    """
    names = names or os.environ.get("SBATCH_PARTITION", "")
    found = [limits_of(row) for row in rows() if chosen(row, names)]
    memories, seconds = [each.memory for each in found], [each.seconds for each in found]
    return Needs(max(memories) if memories and None not in memories else None,
                 max(seconds) if seconds and None not in seconds else None)


@functools.lru_cache(maxsize=None)
def rows():
    """[{key: value}] of all partitions; [] if the controller does not answer."""
    try:
        output = slurm.ask(["scontrol", "show", "partition", "--oneliner"])
    except slurm.SlurmError:
        return []
    return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in output.splitlines() if "PartitionName=" in line]


def chosen(row, names):
    return row["PartitionName"] in names.split(",") if names else row.get("Default") == "YES"


def limits_of(row):
    memory = [int(row["MaxMemPerNode"])] if row.get("MaxMemPerNode", "").isdigit() else []
    largest = largest_node(row["PartitionName"])
    memory += [largest] if largest else []
    return Needs(min(memory) if memory else None, seconds_of(row.get("MaxTime", "")))


def largest_node(name):
    """Memory in MB of the largest node of a partition; None if Slurm does not say."""
    try:
        output = slurm.ask(["sinfo", "-h", "-N", "-p", name, "-o", "%m"])
    except slurm.SlurmError:
        return None
    return max(map(int, re.findall(r"^\d+", output, re.MULTILINE)), default=None)
