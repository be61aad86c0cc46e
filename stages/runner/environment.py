"""environment: the identity of the environment that a launch's tasks ran in, noted once per launch and environment.

    Python and what is installed beside it -> OUT/launches/LAUNCH/environment.CHECKSUM.json
"""
import os
import sys
import zlib

from runner import plain_json
from runner.status import write_whole


def note_environment(task):
    """Writes the identity if no task of this launch has done so. What runs by hand belongs to no launch."""
    if not task.launch:
        return
    name = "environment.{:08x}.json".format(zlib.crc32(task.words[0].encode("utf-8", "surrogateescape")) & 0xffffffff)
    path = os.path.join(os.path.dirname(task.task_file), name)
    if not os.path.exists(path):
        try:
            write_whole(path, plain_json.dumps(identity(task.words[0])) + "\n")
        except OSError as error:    # the task's own files say whether the disk is full
            sys.stderr.write("run_stage: {} cannot be written ({})\n".format(path, error.strerror))


def identity(environment):
    """Python, its path, and a checksum over the names and versions of the installed packages."""
    packages = sorted(installed_packages())
    image = environment.partition(":")[2] if environment.startswith("apptainer:") else ""
    return {"environment": environment, "python": sys.version.split()[0], "executable": sys.executable,
            "packages": len(packages), "packages_checksum": "{:08x}".format(zlib.crc32("\n".join(packages).encode()) & 0xffffffff),
            "image": [os.path.getsize(image), int(os.path.getmtime(image))] if image and os.path.exists(image) else None}


def environment_prefix():
    """The folder of the environment: Python finds out that it is in a virtual one in `site`, which the runner does without."""
    above = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    return above if os.path.exists(os.path.join(above, "pyvenv.cfg")) else sys.prefix


def installed_packages():
    """The names that pip and conda give to what they have installed: NAME-VERSION.dist-info, NAME-VERSION-BUILD.json"""
    prefix = environment_prefix()
    folder = os.path.join(prefix, "lib", "python{}.{}".format(*sys.version_info[:2]), "site-packages")
    for place, endings in ((folder, (".dist-info", ".egg-info")), (os.path.join(prefix, "conda-meta"), (".json",))):
        try:
            names = os.listdir(place)
        except OSError:
            continue
        for name in names:
            if name.endswith(endings):
                yield name
