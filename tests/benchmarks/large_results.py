"""large_results: makes the results tree that the collector's time is measured on.

    infer/SOURCE-TARGET/split_K/{test_y_data_predicted.csv, test_scores.json}
    ml_data/SOURCE-FIRST/split_K/train_y_data.csv

5 studies, 10 splits, 100,000 rows a result. Each study has 200 of 300 drugs and 500 of 700 cell
lines, so all four strata have rows. The same seed gives the same files; the splits of a pair are
links to one file, as only reading and counting is measured.
"""
import json
import os
import random

SPLITS = 10
STUDIES = ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI")
TEXTS = [f"{place / 10000:.4f}" for place in range(10001)]      # responses as IMPROVE writes them


def make_results(out):
    """Fills directory `out` with 250 results."""
    generator = random.Random(1)
    drugs = [f"Drug_{at}" for at in range(300)]
    cells = [f"ACH-{at:06d}" for at in range(700)]
    studies = {study: (generator.sample(drugs, 200), generator.sample(cells, 500))
               for study in STUDIES}
    scores = json.dumps(dict.fromkeys(("mse", "rmse", "pcc", "scc", "r2"), 0.25))
    for source in STUDIES:
        _link(out, f"ml_data/{source}-{STUDIES[0]}", "train_y_data.csv",
              _training(studies[source], generator))
        for target in STUDIES:
            pair = f"infer/{source}-{target}"
            _link(out, pair, "test_scores.json", scores)
            _link(out, pair, "test_y_data_predicted.csv", _predictions(studies[target], generator))


def _link(out, directory, name, text):
    paths = [os.path.join(out, directory, f"split_{split}", name) for split in range(SPLITS)]
    for path in paths:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(paths[0], "w") as file:
        file.write(text)
    for path in paths[1:]:
        os.link(paths[0], path)


def _rows(study, generator):
    """Yields ('drug,cell line,', place in TEXTS) of every pair of a study, shuffled."""
    drugs, cells = study
    pairs = [f"{drug},{cell}," for drug in drugs for cell in cells]
    generator.shuffle(pairs)
    for pair in pairs:
        yield pair, _place(generator.gauss(6000, 1500))


def _place(value):
    return min(10000, max(0, int(value)))


def _training(study, generator):
    return "improve_chem_id,improve_sample_id,auc\n" + "".join(
        f"{pair}{TEXTS[true]}\n" for pair, true in _rows(study, generator))


def _predictions(study, generator):
    lines = ["improve_chem_id,improve_sample_id,auc,auc_true,auc_pred\n"]
    for pair, true in _rows(study, generator):
        pred = _place(true + int(generator.gauss(0, 800)))
        lines.append(f"{pair}{TEXTS[true]},{TEXTS[true]},{TEXTS[pred]}\n")
    return "".join(lines)
