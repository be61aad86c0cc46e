"""replacement: finished results are never replaced unasked because of other arguments.

    tasks that are done + words now planned -> which arguments differ -> --replace, a yes on the terminal, or a refusal
"""
import sys

from launcher import plan_file
from launcher.refusal import Refusal


def confirm(tasks, why, tree, options):
    """Raises Refusal if done results would be made anew because their arguments changed, and nobody said yes."""
    refusal = refusal_of(tasks, why, tree, options)
    if refusal and options.dry_run:
        print(f"dry run: without --replace this would be refused: {refusal}")
        return
    if refusal and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write(f"{refusal}. Replace them? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    if refusal:
        raise refusal


def refusal_of(tasks, why, tree, options):
    """The Refusal of what would be replaced; None if nothing would, or --replace is given."""
    changed = [task for task in tasks if task.name in why and why[task.name].kind in ("parameters", "data")]
    lost = [task for task in tasks if task.name in why and task.stage != "collect" and is_done(tree, task.name)
            and why[task.name].kind in ("parameters", "data", "follows", "input")]
    if options.replace or not changed:
        return None
    stages = dict.fromkeys(task.stage for task in lost)
    counts = " and ".join(f"{sum(task.stage == stage for task in lost)} {stage}" for stage in stages)
    sentence = f"{'; '.join(differences(changed, tree))}; {counts} results that are done would be replaced"
    return Refusal(sentence, "add --replace to make them anew, choose another --output_dir, or give the old command: "
                   + old_command(tree, changed[0].name))


def is_done(tree, name):
    status = tree.status(name)
    return status is not None and status["state"] == "done"


def old_command(tree, name):
    planned = tree.last_run_of().get(name)
    return plan_file.command_here(planned.launch, tree.out) if planned else "(it is not known)"


def differences(changed, tree):
    """['train --epochs: 80 -> not given'], each once."""
    found = []
    for task in changed:
        old, new = named(tree.status(task.name)["words"]), named(task.words)
        for option in dict.fromkeys([*old, *new]):
            paths = ("--output_dir", "--input_data_dir", "--input_model_dir") + (("--input_dir",) if task.stage == "train" else ())
            if old.get(option) != new.get(option) and option not in paths:
                found.append(f"{task.stage} {option}: {old.get(option, 'not given')} -> {new.get(option, 'not given')}")
    first = changed[0]
    return list(dict.fromkeys(found))[:5] or [f"the data of {first.name} would be made with other arguments"]


def named(words):
    """{option: its values as one text} of ENV SCRIPT ARGS..."""
    values, option = {}, ""
    for word in words[2:]:
        if word.startswith("--"):
            option = word.partition("=")[0]
            values[option] = word.partition("=")[2]
        else:
            values[option] = f"{values.get(option, '')} {word}".strip()
    return values
