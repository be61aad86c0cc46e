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

from tests.made_tree import write

SPLITS = 10
STUDIES = ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI")


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
              _responses(studies[source], generator, False))
        for target in STUDIES:
            pair = f"infer/{source}-{target}"
            _link(out, pair, "test_scores.json", scores)
            _link(out, pair, "test_y_data_predicted.csv",
                  _responses(studies[target], generator, True))


def _link(out, directory, name, text):
    first, *others = [os.path.join(out, directory, f"split_{split}", name)
                      for split in range(SPLITS)]
    write(first, text)
    for path in others:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.link(first, path)


def _responses(study, generator, predicted):
    """The responses of every pair of a study, shuffled; predicted: with truth and prediction."""
    drugs, cells = study
    pairs = [f"{drug},{cell}" for drug in drugs for cell in cells]
    generator.shuffle(pairs)
    lines = ["improve_chem_id,improve_sample_id,auc" + ",auc_true,auc_pred" * predicted]
    for pair in pairs:
        true = generator.gauss(0.6, 0.15)
        lines.append(f"{pair},{true:.4f}")
        if predicted:
            lines[-1] += f",{true:.4f},{true + generator.gauss(0, 0.08):.4f}"
    return "\n".join(lines) + "\n"
