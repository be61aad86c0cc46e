"""plan_file: plan.json of a launch: what it was asked for, and every task, one a line (docs/files.md).

    tasks, arrays, why, options -> plan.json -> dict without the tasks; what the reader makes of each task
"""
import json
import os
import shlex
import sys
import time

import launcher
from launcher.resources import asked
from launcher.whole_file import write_pieces

DECODER, TEXT = json.JSONDecoder(), {str}
ONLY_ONCE = ("--dry_run", "--dry-run", "--replace", "--retry_failed")  # words of a command that is to be given again
TASKS_BEGIN, TASKS_END = '\n "tasks": [\n', " ]}\n"    # the lines around the tasks


def plan_record(workflow, options, data, directory, found):
    """plan.json as a dict, its tasks aside."""
    return {
        "workflow": workflow, "launch": os.path.basename(directory),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]], "directory": os.getcwd(),
        "arguments": vars(options),
        "versions": {"python": sys.version.split()[0], "launcher": launcher.__version__},
        "model": options.model, "y_col_name": options.y_col_name, "synthetic": data.synthetic,
        "output_dir": options.output_dir, "input_dir": data.directory, "executor": options.executor,
        "dry_run": options.dry_run, "data_adopted": options.adopt_data, "fingerprints": found,
    }


def asked_by(scripts):
    """{array: what an element asks Slurm for}, for those who read plans and not scripts."""
    found = {name: asked.asked_of(text) for name, text in scripts.items()}
    return {name: {"memory": each.memory, "time": each.seconds, "cores": each.cores, "gpus": each.gpus}
            for name, each in found.items()}


def task_lines(tasks, arrays, why):
    """The tasks as plan.json has them, one after another; those that run with the array and index that they have there."""
    place = {task.name: (array.name, index) for array in arrays for index, members in array.elements.items() for task in members}
    for task in tasks:
        record = dict(zip(task._fields, task))
        record["array"], record["index"] = place.get(task.name, (task.array, task.index))
        reason = why.get(task.name)
        record.update(run=reason is not None, reason_kind=reason.kind if reason else "", reason=reason.text if reason else "",
                      rebuild=bool(reason and reason.rebuild))
        if reason and reason.raised:
            record["raised"] = reason.raised.record
        yield json.dumps(record)


def write_plan(directory, record, lines):
    """One key a line, and one task a line: it is written, searched and read without much memory."""
    name = "dry_plan.json" if record["dry_run"] else "plan.json"
    head = [f"{json.dumps(key)}: {json.dumps(value, default=str)}" for key, value in record.items()]

    def pieces():
        yield "{" + ",\n ".join(head) + "," + TASKS_BEGIN
        for number, line in enumerate(lines):
            yield (",\n  " if number else "  ") + line
        yield "\n" + TASKS_END
    write_pieces(os.path.join(directory, name), pieces())


def read_head(path):
    """What a plan.json says, its tasks aside; None if it is no plan."""
    try:
        if not os.path.isfile(path):
            return None
        with open(path, encoding="utf-8") as file:
            plan = head_of(file)
            if plan is None:    # another program has written it
                file.seek(0)
                plan = json.load(file)
            else:
                file.buffer.seek(-len(TASKS_END), os.SEEK_END)
                if file.buffer.read() != TASKS_END.encode():
                    return None
        return {key: value for key, value in plan.items() if key != "tasks"} if is_plan(plan) else None
    except (OSError, ValueError, RecursionError):
        return None


def read_tasks(path, task_of):
    """The tasks of a plan.json through task_of, one after another; None if they cannot be read. task_of: dict -> anything"""
    try:
        with open(path, encoding="utf-8") as file:
            if head_of(file) is not None:
                return list(map(task_of, tasks_in(file)))
            file.seek(0)
            plan = json.load(file)
            return list(map(task_of, plan["tasks"])) if is_plan(plan) else None
    except FileNotFoundError:
        return []       # withdrawn a moment ago
    except (OSError, ValueError, RecursionError):
        return None


def head_of(file):
    """What stands before the tasks, in lines as write_plan makes them; None if it is not in such lines. Raises ValueError."""
    head = []
    for line in iter(file.readline, ""):
        if line == TASKS_BEGIN.lstrip("\n"):
            return json.loads("".join(head) + '"tasks": []}')
        head.append(line)
    return None


def tasks_in(file):
    """Each task behind the head as a dict; raises ValueError if the file ends before its end, or a line is no task."""
    for line in file:
        if line == TASKS_END:
            return
        task, end = DECODER.raw_decode(line, len(line) - len(line.lstrip()))
        if line[end:] not in (",\n", "\n") or not is_task(task):
            raise ValueError(line)
        yield task
    raise ValueError("its end is missing")


def is_plan(plan):
    """Whether a JSON value is what plan_record makes, as far as others rely on it."""
    return (isinstance(plan, dict) and isinstance(plan.get("workflow"), str) and isinstance(plan.get("tasks"), list)
            and is_texts(plan.get("command", [])) and isinstance(plan.get("directory", ""), str)
            and isinstance(plan.get("output_dir", ""), str) and all(is_task(task) for task in plan["tasks"]))


def is_task(task):
    return (type(task) is dict and is_name(task.get("name")) and is_texts(task.get("words"))
            and is_texts(task.get("parents", [])) and type(task.get("index")) is int
            and type(task.get("stage")) is str and type(task.get("array")) is str)


def is_name(name):
    """A directory inside OUT that can be shown on a terminal."""
    return type(name) is str and name != "" and name.isprintable() and name[0] != "/" \
        and (".." not in name or ".." not in name.split("/"))


def is_texts(values):
    return type(values) in (list, tuple) and set(map(type, values)) <= TEXT


def command_of(plan):
    """The command of a launch, to be pasted again."""
    line = " ".join(shlex.quote(str(word)) for word in plan.get("command", []))
    there = plan.get("directory", os.getcwd())
    return line if there == os.getcwd() else f"cd {shlex.quote(there)} && {line}"


def without_redo(words):
    """What was to be made anew is made anew once."""
    words = [word for word in words if not word.startswith("--redo=")]
    return words[:words.index("--redo")] + words[words.index("--redo") + 2:] if "--redo" in words else words


def command_here(launch, out):
    """The command of a launch, with the OUT that was asked about: it may have been moved or copied since."""
    plan, recorded = launch.plan, launch.plan.get("output_dir", out)
    words = without_redo([word for word in plan.get("command", []) if word not in ONLY_ONCE])
    if recorded == out:
        return command_of(dict(plan, command=words))
    if "--output_dir" in words[:-1]:
        words[words.index("--output_dir") + 1] = out
    else:
        words += ["--output_dir", out]
    return command_of(dict(plan, command=words))
