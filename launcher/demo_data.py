"""demo_data: writes a synthetic benchmark in the layout of IMPROVE's raw_data.

    latent factors of cell lines and drugs
      └─> y_data/response.tsv: study's shift + drug + cell line + their interaction + noise
      └─> x_data/cancer_gene_expression.tsv, drug_mordred.tsv: the same factors
      └─> splits/{study}_all.txt, {study}_split_{k}_{train,val,test}.txt; SYNTHETIC_DATA.txt

Every Python writes the same bytes: all chance is Random.random(), and only + - * / and square roots
are used, which round alike everywhere (exp, gauss and sum of floats do not).
"""
import math
import os
import random
import shutil

from launcher.benchmark import MARKER, in_random_order as shuffled, text_of

FOLDS = {"train": range(2, 10), "val": [1], "test": [0]}    # of 10, in split 0
FACTORS = range(4)      # of a cell line, seen as its genes, and of a drug, as its descriptors
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
    rng = random.Random(1)
    cells = latent_factors(rng, [f"ACH-{number:06d}" for number in range(1, 151)])
    drugs = latent_factors(rng, [f"Drug_{number}" for number in range(1, 49)])
    rows, files = [], {MARKER: MARKER_TEXT}
    for seed, (study, cell_count, drug_count, coverage, shift) in enumerate(STUDIES, 2):
        rng, first = random.Random(seed), len(rows)
        chosen_cells = sorted(shuffled(rng, cells)[:cell_count])
        chosen_drugs = sorted(shuffled(rng, drugs)[:drug_count])
        rows += [[study, cell, drug, study, *curve_values(rng, shift, cells[cell], drugs[drug])]
                 for cell in chosen_cells for drug in chosen_drugs if rng.random() < coverage]
        files.update(split_files(random.Random(seed + 100), study, range(first, len(rows))))
    # enough for a model that reads x_data; three header rows: Ensembl, Entrez, symbol
    genes = [["", *(f"{kind}{number}" for number in FACTORS)] for kind in ("ENSG", "", "GENE")]
    descriptors = [["improve_chem_id", *(f"mordred.D{number}" for number in FACTORS)]]
    for file, table, factors in (("cancer_gene_expression", genes, cells),
                                 ("drug_mordred", descriptors, drugs)):
        table += [[name, *(repr(round(6.0 + value, 4)) for value in values)]
                  for name, values in factors.items()]
        files[f"x_data/{file}.tsv"] = text_of(map("\t".join, table))
    files["y_data/response.tsv"] = text_of(map("\t".join, [RESPONSE_COLUMNS] + rows))
    return files


def normal(rng):
    """Returns a number of about the standard normal distribution: 12 uniform ones, minus 6."""
    total = -6.0
    for _ in range(12):
        total += rng.random()
    return total


def latent_factors(rng, names):
    """Returns {name: list of standard normal numbers}, sorted by name."""
    found = {name: [normal(rng) for _ in FACTORS] for name in names}
    return dict(sorted(found.items()))


def curve_values(rng, shift, cell, drug):
    """Returns the texts of auc ... dss1. auc is 0 (all cells killed) to 1; the others follow it."""
    interaction = 0.3 * cell[1] * drug[1] + 0.15 * cell[2] * drug[2] + 0.1 * cell[3] * drug[3]
    value = 0.55 + 0.5 * drug[0] + 0.3 * cell[0] + interaction
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
    for split in range(3):
        for part, folds in FOLDS.items():
            chosen = [row for place, row in enumerate(order) if (place - split) % 10 in folds]
            files[f"splits/{name}_split_{split}_{part}.txt"] = text_of(sorted(chosen))
    return files


def write_demo_data(directory):
    """Writes the benchmark as `directory`, unless it exists; OSError. It is written beside it and
    renamed: two launches at once, or a killed one, never leave half a benchmark."""
    temporary = f"{directory}.{os.urandom(4).hex()}.tmp"
    try:
        for name, text in demo_files().items():
            path = f"{temporary}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", newline="") as file:
                file.write(text)
        os.rename(temporary, directory)    # fails if it exists: another launch was faster
    except OSError:
        if not os.path.isfile(f"{directory}/{MARKER}"):
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
