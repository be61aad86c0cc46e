"""hyperparameters: values per source for train, from a file that a search wrote.

    {model: {source: {name: value}}}, IMPROVE's hyperparameters_hpo.json
"""
import json

from launcher.refusal import Refusal

FORM = 'a file of {"model": {"source": {"name": value}}}, as workflow_hpo.py writes it'


def read(path, model):
    """({source: words for train}, notes) of a model; raises Refusal for a file of another form."""
    if path is None:
        return {}, []
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise Refusal(f"--hyperparameters_file {path} cannot be read ({error})", FORM)
    sources = content.get(model, {}) if isinstance(content, dict) else None
    if not isinstance(sources, dict) or not all(isinstance(values, dict) for values in sources.values()):
        raise Refusal(f"--hyperparameters_file {path} has another form than it should", FORM)
    notes = [] if model in content else [f"--hyperparameters_file has nothing for model {model}: train uses its own values"]
    return {source: words_of(values, path) for source, values in sources.items()}, notes


def words_of(values, path):
    """{'batch_size': 64} -> ['--batch_size', '64']"""
    for name, value in values.items():
        if not isinstance(value, (str, int, float, bool)) or not name or name.startswith("-"):
            raise Refusal(f"--hyperparameters_file {path}: {name!r} is {value!r}, not one value", FORM)
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def notes_for(options, sources):
    """A sentence for each source that the file leaves out, and for each value that the command line replaces."""
    if options.hyperparameters_file is None or not options.hyperparameters:
        return []
    given = {word.partition("=")[0] for word in ("--epochs" * bool(options.epochs), *options.train_args)}
    replaced = sorted({name for source in sources for name in options.hyperparameters.get(source, ())[::2]} & given)
    return [f"--hyperparameters_file has nothing for source {source}: train uses its own values there"
            for source in sources if source not in options.hyperparameters] + \
        [f"{name} of the command line replaces that of --hyperparameters_file" for name in replaced]
