"""bundle: what a paper publishes of a results tree, one archive; the collector reads it as it reads the tree.

    predictions, scores, plans, environments, statuses -> FILE.tar.gz (streamed)
    FILE.tar.gz -> a temporary tree -> collectors

Examples:
    write_bundle(tree, "lgbm_csa.tar.gz", "lgbm")
    with opened("lgbm_csa.tar.gz") as directory: Tree(directory)

Members, in a folder of the archive's name:
    bundle.json                                     which member is which file of the tree; the model's commit
    README.txt                                      how it was made and how to read it
    predictions/SRC_TRG_split_K_MODEL.csv.gz        in a learning curve SRC_split_K_sz_N_MODEL.csv.gz
    tree/                                           plans, environments, statuses, score files; scores/, report.html
    SHA256SUMS                                      for sha256sum -c

Left out are ml_data, models and logs, so that statuses name only the files that are here.
"""
import gzip
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from common.files import FileError
from common.refusal import Refusal
from common.side_by_side import cores
from common.tables import plural
from common.tree_files import as_text, on_disk, read_json
from tree.plans import checked_name

ENDINGS = (".tar.gz", ".tgz")
INDEX, README, SUMS = "bundle.json", "README.txt", "SHA256SUMS"
PREDICTIONS = "test_y_data_predicted.csv"
SCORES = ("test_scores.json", "val_scores.json")
FORMAT = 1
BLOCK = 1 << 20
LARGEST_INDEX = 1 << 27     # bytes


# ---- what is in it

class Member:
    """A file of the archive: its name there, that in the tree ('' if it is none of its), and where its bytes come from."""

    def __init__(self, name, path="", source=None, content=None):
        self.name, self.path, self.source, self.content = name, path, source, content
        found = os.stat(source) if source else None
        self.size = len(content) if found is None else found.st_size
        self.changed = found.st_mtime_ns if found else int(time.time()) * 10 ** 9

    def entry(self):
        return {"path": self.path, "size": self.size, "changed": self.changed}

    def data(self):
        """Returns the bytes that are stored; those of predictions are compressed."""
        content = self.content
        if content is None:
            with open(self.source, "rb") as file:
                content = file.read()
        return gzip.compress(content, 6) if self.name.endswith(".csv.gz") else content


def members_of(tree, model):
    """Returns the Members of a tree."""
    found = []
    for task in sorted(tree.tasks.values(), key=lambda task: task.name):
        found += _task_members(tree, task, model, {member.name for member in found})
    for launch in tree.names("launches"):
        names = tree.names(f"launches/{launch}")
        found += [_plain(tree, f"launches/{launch}/{name}") for name in names
                  if name == "plan.json" or name.startswith("environment.") and name.endswith(".json")]
    found += [_plain(tree, f"scores/{name}") for name in tree.names("scores") if name not in ("stage_status.json", "log.txt")
              and os.path.isfile(tree.path(f"scores/{name}"))]
    return found + ([_plain(tree, "report.html")] if os.path.isfile(tree.path("report.html")) else [])


def _plain(tree, path):
    return Member(f"tree/{path}", path, tree.path(path))


def _task_members(tree, task, model, taken):
    """Returns the Members of a task: its predictions if it is done, its scores and its status."""
    found, predictions = [], f"{task.name}/{PREDICTIONS}"
    if task.stage == "infer" and tree.verdict(task.name).state == "done" and os.path.isfile(tree.path(predictions)):
        found.append(Member(_free(prediction_name(task, task.model or model), taken), predictions, tree.path(predictions)))
    found += [_plain(tree, f"{task.name}/{name}") for name in SCORES if os.path.isfile(tree.path(f"{task.name}/{name}"))]
    status = f"{task.name}/stage_status.json"
    if os.path.isfile(tree.path(status)):
        found.append(Member(f"tree/{status}", status, content=_status(tree.path(status), {
            os.path.basename(member.path) for member in found})))
    return found


def _status(path, kept):
    """Returns a status that names only the files that are kept; one that cannot be read as it is."""
    try:
        content = read_json(path)
        content["files"] = {name: size for name, size in (content.get("files") or {}).items() if name in kept}
        return (json.dumps(content) + "\n").encode("utf-8", "surrogateescape")
    except (FileError, AttributeError, TypeError):
        with open(path, "rb") as file:
            return file.read()


def prediction_name(task, model):
    """Returns the name of a task's predictions as IMPROVE's papers name them, in the archive."""
    parts = [task.source] + ([task.target] if task.size is None and task.target else [])
    parts += [f"split_{task.split}"] + ([] if task.size is None else [f"sz_{task.size}"]) + [model]
    return "predictions/" + "_".join(map(str, parts)).replace("/", "-") + ".csv.gz"


def _free(name, taken):
    """Returns a name that no other member has: a_b of c and a of b_c would be the same."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = name[:-len(".csv.gz")] + f"_{number}.csv.gz"
    return free


# ---- where the model comes from

def commit_of(directory):
    """Returns {'commit', 'changed'} of a git checkout, {} if a directory is none or git is missing."""
    def git(*words):
        done = subprocess.run(["git", "-C", directory, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              universal_newlines=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else None
    try:
        commit, changed = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit, "changed": bool(changed)} if commit else {}


def readme_text(tree, model, commit, name, count):
    """Returns README.txt."""
    commands = list(dict.fromkeys(" ".join(map(shlex.quote, plan["command"])) for plan in tree.plans if plan.get("command")))
    versions = tree.plan.get("versions") if isinstance(tree.plan.get("versions"), dict) else {}
    lines = [f"{tree.plan.get('workflow', 'csa')} of the model {model}: {plural(count, 'file')} of predictions", ""]
    lines += ["SYNTHETIC DEMO DATA: no number here says anything about a real drug or cell line.", ""] if tree.synthetic else []
    lines += ["Made with IMPROVE workflows by"] + [f"    {command}" for command in commands or ["(no plan names a command)"]]
    lines += [f"versions: {', '.join(f'{key} {value}' for key, value in versions.items())}"] if versions else []
    lines += ["commit of the model when this was made: " + commit["commit"] + (" and changes" if commit["changed"] else "")
              ] if commit else ["The model's folder is no git checkout: its commit is not known."]
    lines += ["", "predictions/   one gzipped CSV a result: SOURCE_TARGET_split_K_MODEL.csv.gz, columns NAME_true and NAME_pred",
              "tree/          plans, environments, verdicts and score files as the workflow wrote them; tree/scores, tree/report.html",
              f"{INDEX}    which member is which file of the results tree", f"{SUMS}     sha256sum -c {SUMS}", "",
              "To make all tables and figures anew:", f"    python3 stages/collect_scores.py {shlex.quote(name)} --output_dir tables",
              "To compare with another bundle or results tree:",
              f"    python3 stages/collect_scores.py --compare {shlex.quote(name)} OTHER --output_dir comparison"]
    return "\n".join(lines) + "\n"


# ---- writing

def write_bundle(tree, path, model):
    """Writes the archive, whole or not at all; returns a sentence on it. Refusal: nothing to publish, or it cannot be written."""
    if not path.endswith(ENDINGS):
        raise Refusal(f"--bundle {as_text(path)} does not end in .tar.gz", "--bundle NAME.tar.gz")
    members = members_of(tree, model)
    count = sum(member.name.startswith("predictions/") for member in members)
    if not count:
        raise Refusal(f"{as_text(tree.out)} holds no {PREDICTIONS} of a task that is done", "a tree with predictions")
    commit = commit_of(str((tree.plan.get("arguments") or {}).get("model_dir") or "/nowhere"))
    head = {"format": FORMAT, "workflow": tree.plan.get("workflow"), "model": model, "commit": commit,
            "files": {member.name: member.entry() for member in members}}
    own = [Member(INDEX, content=json.dumps(head, indent=0).encode("utf-8", "surrogateescape")),
           Member(README, content=readme_text(tree, model, commit, os.path.basename(path), count).encode(
               "utf-8", "surrogateescape"))]
    temporary = f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        with tarfile.open(temporary, "w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
            _write_members(archive, _folder(path), own + members)
        os.replace(temporary, path)
    except OSError as error:
        raise Refusal(f"{as_text(path)} cannot be written ({error.strerror or error})", "--bundle with a path of your own")
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
    return f"bundle: {as_text(path)} ({plural(count, 'file')} of predictions, {os.path.getsize(path) / 1e6:.1f} MB)"


def _folder(path):
    name = os.path.basename(path)
    return next(name[:-len(ending)] for ending in ENDINGS if name.endswith(ending)) or "bundle"


def _write_members(archive, folder, members):
    """Adds the members, and their checksums as the last one. zlib works beside other threads; only a few wait in memory."""
    sums, step = [], 2 * cores()
    with ThreadPoolExecutor(cores()) as pool:
        for first in range(0, len(members), step):
            chosen = members[first:first + step]
            for member, data in zip(chosen, pool.map(Member.data, chosen)):
                _add(archive, f"{folder}/{member.name}", data, member.changed)
                sums.append(f"{hashlib.sha256(data).hexdigest()}  {member.name}\n")
    _add(archive, f"{folder}/{SUMS}", "".join(sums).encode("utf-8", "surrogateescape"), 0)


def _add(archive, name, data, changed):
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(data), changed // 10 ** 9, 0o644
    archive.addfile(info, io.BytesIO(data))


# ---- reading

def is_bundle(path):
    return path.endswith(ENDINGS) and os.path.isfile(path)


@contextmanager
def opened(path):
    """Yields the directory of a results tree: `path` itself, or a temporary one with what a bundle holds. Refusal."""
    if not is_bundle(path):
        yield path
        return
    directory = tempfile.mkdtemp(prefix="bundle.")
    try:
        try:
            _unpack(path, directory)
        except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refusal(f"{as_text(path)} is not a whole bundle ({error})", "a file that --bundle wrote, copied again")
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _unpack(path, directory):
    """Writes the files of a bundle into a directory; ValueError if they are not those that it lists."""
    sums, entries, listed = {}, None, ""
    with tarfile.open(path, "r|gz") as archive:
        for info in archive:
            name = info.name.partition("/")[2]
            if not info.isfile():
                raise ValueError(f"{info.name} is not a file")
            stream = archive.extractfile(info)
            if name == SUMS:
                listed = stream.read(LARGEST_INDEX).decode("utf-8", "surrogateescape")
            elif entries is None or name == README:
                data = stream.read(LARGEST_INDEX)
                sums[name] = hashlib.sha256(data).hexdigest()
                if entries is None:
                    entries = json.loads(data.decode("utf-8", "surrogateescape"))["files"]
                    open(os.path.join(directory, INDEX), "wb").close()      # says what this tree is
            else:
                sums[name] = _write_file(stream, name, entries[name], directory)
    wanted = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    if listed != wanted or set(sums) != set(entries) | {INDEX, README}:
        raise ValueError("its checksums are others than its files'")


def _write_file(stream, name, entry, directory):
    """Writes one file as the tree has it; returns the checksum of the member. ValueError if it is larger than listed."""
    path = os.path.join(directory, on_disk(checked_name(entry["path"])))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest, left = hashlib.sha256(), int(entry["size"])
    unzip = zlib.decompressobj(31) if name.endswith(".csv.gz") else None
    with open(path, "wb") as file:
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
            data = unzip.decompress(block, left + 1) if unzip else block     # never more than was listed
            left -= len(data)
            if left < 0:
                break
            file.write(data)
    if left:
        raise ValueError(f"{name} is not as long as listed")
    os.utime(path, ns=(int(entry["changed"]), int(entry["changed"])))
    return digest.hexdigest()
