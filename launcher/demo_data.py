"""demo_data: writes a synthetic benchmark in the layout of IMPROVE's raw_data.

    latent factors of cell lines and drugs
      └─> response = study's shift + drug + cell line + their interaction + noise
      └─> gene expression, descriptors = the same factors

Files written: SYNTHETIC_DATA.txt, y_data/response.tsv, x_data/cancer_gene_expression.tsv and
drug_mordred.tsv, splits/{study}_all.txt and {study}_split_{k}_{train,val,test}.txt

Every Python writes the same bytes: all chance is Random.random(), and only + - * / and square roots
are used, which round alike everywhere (exp, gauss and sum of floats do not).
"""
import math
import os
import random
import shutil

from launcher.benchmark import MARKER, is_demo_data
from launcher.subsets import in_random_order as shuffled, text_of

SEED = 1
NUMBER_OF_SPLITS = 3
FOLDS = {"train": range(2, 10), "val": [1], "test": [0]}    # of 10, in split 0
NUMBER_OF_FACTORS = 4      # of a cell line, seen as its genes, and of a drug, as its descriptors
CELLS = [f"ACH-{number:06d}" for number in range(1, 151)]
DRUGS = [f"Drug_{number}" for number in range(1, 49)]
MARKER_TEXT = ("All data in this folder are synthetic: made by launcher/demo_data.py from random "
               "numbers, under the names of real studies, and say nothing about any drug, gene "
               "or cell line.\n")
STUDIES = [
    # name, cell lines, drugs, measured share of the pairs, shift of the response
    ("CCLE", 60, 20, 1.00, 0.04),
    ("CTRPv2", 130, 36, 0.86, 0.00),
    ("GDSCv1", 105, 30, 0.83, -0.04),
    ("GDSCv2", 80, 25, 1.00, 0.02),
    ("gCSI", 100, 16, 1.00, -0.06),
]
RESPONSE_COLUMNS = ("source improve_sample_id improve_chem_id study auc ic50 ec50 ec50se r2fit "
                    "einf hs aac1 auc1 dss1").split()


def demo_files():
    """Returns the whole benchmark as a dict: relative file name -> text."""
    rng = random.Random(SEED)
    cells, drugs = latent_factors(rng, CELLS), latent_factors(rng, DRUGS)
    rows, files = [], {MARKER: MARKER_TEXT}
    for seed, study in enumerate(STUDIES, SEED + 1):
        first = len(rows)
        rows += study_rows(random.Random(seed), study, cells, drugs)
        files.update(split_files(random.Random(seed + 100), study[0], range(first, len(rows))))
    # enough for a model that reads x_data; three header rows: Ensembl, Entrez, symbol
    factors = range(NUMBER_OF_FACTORS)
    genes = [["", *(f"{kind}{number}" for number in factors)] for kind in ("ENSG", "", "GENE")]
    descriptors = [["improve_chem_id", *(f"mordred.D{number}" for number in factors)]]
    for name, table in (("y_data/response", [RESPONSE_COLUMNS] + rows),
                        ("x_data/cancer_gene_expression", genes + feature_rows(cells)),
                        ("x_data/drug_mordred", descriptors + feature_rows(drugs))):
        files[f"{name}.tsv"] = text_of("\t".join(row) for row in table)
    return files


def normal(rng):
    """Returns a number of about the standard normal distribution: 12 uniform ones, minus 6."""
    total = -6.0
    for _ in range(12):
        total += rng.random()
    return total


def latent_factors(rng, names):
    """Returns {name: list of NUMBER_OF_FACTORS standard normal numbers}, sorted by name."""
    found = {name: [normal(rng) for _ in range(NUMBER_OF_FACTORS)] for name in names}
    return dict(sorted(found.items()))


def feature_rows(factors):
    return [[name, *(repr(round(6.0 + value, 4)) for value in values)]
            for name, values in factors.items()]


def study_rows(rng, study, cells, drugs):
    """Returns the rows of a study in response.tsv, lists of texts. cells, drugs: name -> factors"""
    name, cell_count, drug_count, coverage, shift = study
    chosen_cells = sorted(shuffled(rng, cells)[:cell_count])
    chosen_drugs = sorted(shuffled(rng, drugs)[:drug_count])
    return [[name, cell, drug, name, *curve_values(rng, shift, cells[cell], drugs[drug])]
            for cell in chosen_cells for drug in chosen_drugs if rng.random() < coverage]


def curve_values(rng, shift, cell, drug):
    """Returns the texts of auc ... dss1. auc is 0 (all cells killed) to 1; the others follow it."""
    effects = 0.55 + 0.5 * drug[0] + 0.3 * cell[0]
    interaction = 0.3 * cell[1] * drug[1] + 0.15 * cell[2] * drug[2] + 0.1 * cell[3] * drug[3]
    value = effects + interaction
    squashed = 0.5 + 0.5 * value / math.sqrt(1.0 + value * value)   # between 0 and 1, 0.5 at 0
    auc = min(1.0, max(0.0, squashed + shift + 0.07 * normal(rng)))
    ic50 = 4.0 + 5.0 * (1.0 - auc) + 0.3 * normal(rng)
    einf = max(0.0, auc - 0.3 * rng.random())
    ec50, ec50se, r2fit = ic50 + 0.2 * rng.random(), 0.5 * rng.random(), 1.0 - 0.6 * rng.random()
    slope = 0.3 + 3.7 * rng.random()
    values = [auc, ic50, ec50, ec50se, r2fit, einf, slope, 1.0 - auc, min(1.0, auc + 0.02),
              max(0.0, 0.9 - auc)]
    texts = [repr(round(value, 4)) for value in values]
    if einf > 0.9:       # the curve never comes down to half
        texts[1] = ""
    return texts


def split_files(rng, name, rows):
    """Returns {file name: text} of a study's splits: split k tests on fold k and validates on fold
    k + 1. rows: its row numbers in response.tsv, from 0"""
    order, files = shuffled(rng, rows), {f"splits/{name}_all.txt": text_of(rows)}
    for split in range(NUMBER_OF_SPLITS):
        for part, folds in FOLDS.items():
            chosen = [row for place, row in enumerate(order) if (place - split) % 10 in folds]
            files[f"splits/{name}_split_{split}_{part}.txt"] = text_of(sorted(chosen))
    return files


def write_demo_data(directory):
    """Writes the benchmark as `directory`, unless it exists; OSError.

    It is written beside it and renamed when it is whole: two launches at once, or a killed one,
    never leave half a benchmark.
    """
    temporary = f"{directory}.{os.urandom(4).hex()}.tmp"
    try:
        for name, text in demo_files().items():
            path = f"{temporary}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", newline="") as file:
                file.write(text)
        os.rename(temporary, directory)    # fails if it exists: another launch was faster
    except OSError:
        if not is_demo_data(directory):
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
