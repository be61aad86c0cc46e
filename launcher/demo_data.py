"""demo_data: writes a synthetic benchmark in the layout of IMPROVE's raw_data.

    latent factors of cell lines and drugs
      └─> response = study's shift + drug + cell line + their interaction + noise
      └─> gene expression, fingerprints, descriptors = mixtures of the same factors

Examples:
    write_demo_data("runs/demo_data/raw_data")
    python3 workflow_csa.py --source gCSI        # uses it where no benchmark is found

Files written:
    SYNTHETIC_DATA.txt                           one sentence that says so
    y_data/response.tsv
    splits/{study}_all.txt, {study}_split_{k}_{train,val,test}.txt
    x_data/cancer_gene_expression.tsv, drug_ecfp4_nbits512.tsv, drug_mordred.tsv, drug_SMILES.tsv

Every Python writes the same bytes: all chance is Random.random(), and only
+ - * / and square roots are used, which round alike everywhere (exp, gauss
and sum of floats do not).
"""
import math
import os
import random
import shutil
from collections import namedtuple

from launcher.benchmark import MARKER, is_demo_data

SEED = 1
NUMBER_OF_SPLITS = 3
FOLDS = 10                 # train:val:test = 8:1:1
NUMBER_OF_CELLS = 150
NUMBER_OF_DRUGS = 48
NUMBER_OF_FACTORS = 4      # latent properties of each cell line and each drug
NUMBER_OF_BITS = 512
NUMBER_OF_DESCRIPTORS = 16
MARKER_TEXT = ("All data in this folder are synthetic: made by launcher/demo_data.py from random "
               "numbers, under the names of real studies, and say nothing about any drug, gene "
               "or cell line.\n")

Study = namedtuple("Study", "name cells drugs coverage shift")
STUDIES = [
    # name, cell lines, drugs, measured share of the pairs, shift of the response
    Study("CCLE", 60, 20, 1.00, 0.04),
    Study("CTRPv2", 130, 36, 0.86, 0.00),
    Study("GDSCv1", 105, 30, 0.83, -0.04),
    Study("GDSCv2", 80, 25, 1.00, 0.02),
    Study("gCSI", 100, 16, 1.00, -0.06),
]

RESPONSE_COLUMNS = ["source", "improve_sample_id", "improve_chem_id", "study", "auc", "ic50",
                    "ec50", "ec50se", "r2fit", "einf", "hs", "aac1", "auc1", "dss1"]

# Genes that models select by name (LINCS landmarks): Ensembl, Entrez, symbol
GENES = [
    ("ENSG00000097007", "25", "ABL1"), ("ENSG00000131473", "47", "ACLY"),
    ("ENSG00000169252", "154", "ADRB2"), ("ENSG00000142208", "207", "AKT1"),
    ("ENSG00000149925", "226", "ALDOA"), ("ENSG00000087088", "581", "BAX"),
    ("ENSG00000110092", "595", "CCND1"), ("ENSG00000171791", "596", "BCL2"),
    ("ENSG00000012048", "672", "BRCA1"), ("ENSG00000164305", "836", "CASP3"),
    ("ENSG00000134057", "891", "CCNB1"), ("ENSG00000123374", "1017", "CDK2"),
    ("ENSG00000135446", "1019", "CDK4"), ("ENSG00000105810", "1021", "CDK6"),
    ("ENSG00000124762", "1026", "CDKN1A"), ("ENSG00000111276", "1027", "CDKN1B"),
    ("ENSG00000146648", "1956", "EGFR"), ("ENSG00000141736", "2064", "ERBB2"),
    ("ENSG00000065361", "2065", "ERBB3"), ("ENSG00000106462", "2146", "EZH2"),
    ("ENSG00000170345", "2353", "FOS"), ("ENSG00000100644", "3091", "HIF1A"),
    ("ENSG00000140443", "3480", "IGF1R"), ("ENSG00000177606", "3725", "JUN"),
    ("ENSG00000157404", "3815", "KIT"), ("ENSG00000136997", "4609", "MYC"),
    ("ENSG00000213281", "4893", "NRAS"), ("ENSG00000132646", "5111", "PCNA"),
    ("ENSG00000139687", "5925", "RB1"), ("ENSG00000115415", "6772", "STAT1"),
    ("ENSG00000168610", "6774", "STAT3"), ("ENSG00000141510", "7157", "TP53"),
]

# A molecule is four groups on a benzene ring, each group chosen by one latent factor
GROUPS = [["C", "CC", "OC", "N", "F", "Cl"], ["C#N", "O", "CO", "C(C)C", "Br", "NC"],
          ["C(N)=O", "C(F)(F)F", "S(C)(=O)=O", "CCO", "CN", "I"],
          ["C(=O)O", "OCC", "N(C)C", "C1CC1", "N1CCOCC1", "-c1ccncc1"]]


# ---- chance

def normal(rng):
    """Returns a number of about the standard normal distribution: 12 uniform ones, minus 6."""
    total = -6.0
    for _ in range(12):
        total += rng.random()
    return total


def shuffled(rng, items):
    """Returns the items in random order; Random.shuffle is not the same in all Pythons."""
    items = list(items)
    for last in range(len(items) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        items[last], items[other] = items[other], items[last]
    return items


def squashed(value):
    """Returns a number between 0 and 1 that grows with `value`; 0.5 at 0."""
    return 0.5 + 0.5 * value / math.sqrt(1.0 + value * value)


def latent_factors(rng, names):
    """Returns name -> list of NUMBER_OF_FACTORS standard normal numbers."""
    return {name: [normal(rng) for _ in range(NUMBER_OF_FACTORS)] for name in names}


def mixture(weights, factors):
    total = 0.0
    for weight, factor in zip(weights, factors):
        total += weight * factor
    return total


# ---- responses and splits

def response_rows(cells, drugs):
    """Returns the rows of response.tsv, lists of texts, study after study.

    cells, drugs: name -> latent factors.
    """
    return [row for number, study in enumerate(STUDIES)
            for row in study_rows(random.Random(SEED + 1 + number), study, cells, drugs)]


def study_rows(rng, study, cells, drugs):
    chosen_cells = sorted(shuffled(rng, sorted(cells))[:study.cells])
    chosen_drugs = sorted(shuffled(rng, sorted(drugs))[:study.drugs])
    rows = []
    for cell in chosen_cells:
        for drug in chosen_drugs:
            if rng.random() < study.coverage:
                auc = response(rng, study, cells[cell], drugs[drug])
                rows.append([study.name, cell, drug, study.name] + curve_values(rng, auc))
    return rows


def response(rng, study, cell, drug):
    """Returns the area under the dose-response curve, 0 (all cells killed) to 1."""
    effects = 0.55 + 0.5 * drug[0] + 0.3 * cell[0]
    interaction = 0.3 * cell[1] * drug[1] + 0.15 * cell[2] * drug[2] + 0.1 * cell[3] * drug[3]
    auc = squashed(effects + interaction) + study.shift + 0.07 * normal(rng)
    return min(1.0, max(0.0, auc))


def curve_values(rng, auc):
    """Returns the texts of auc ... dss1, where all others loosely follow auc."""
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


def split_files(rows):
    """Returns file name -> text of all splits; a line is a 0-based row number of response.tsv."""
    files = {}
    for number, study in enumerate(STUDIES):
        rng = random.Random(SEED + 101 + number)
        numbers = [row for row, values in enumerate(rows) if values[0] == study.name]
        files[f"{study.name}_all.txt"] = lines(numbers)
        files.update(study_splits(study.name, shuffled(rng, numbers)))
    return files


def study_splits(name, order):
    """Returns the files of one study: split k tests on fold k and validates on fold k + 1."""
    files = {}
    for split in range(NUMBER_OF_SPLITS):
        parts = {"train": [], "val": [], "test": []}
        for place, row in enumerate(order):
            fold = (place - split) % FOLDS
            parts["test" if fold == 0 else "val" if fold == 1 else "train"].append(row)
        for part, numbers in parts.items():
            files[f"{name}_split_{split}_{part}.txt"] = lines(sorted(numbers))
    return files


# ---- features

def expression_rows(rng, cells):
    """Returns cancer_gene_expression.tsv: three header rows, then log2 values of each cell line."""
    weights = [[normal(rng) for _ in range(NUMBER_OF_FACTORS)] for _ in GENES]
    rows = [[""] + [gene[level] for gene in GENES] for level in range(3)]
    for name in sorted(cells):
        values = [max(0.0, 6.0 + mixture(gene, cells[name]) + 0.4 * normal(rng))
                  for gene in weights]
        rows.append([name] + [repr(round(value, 4)) for value in values])
    return rows


def fingerprint_rows(rng, drugs):
    """Returns drug_ecfp4_nbits512.tsv: bits that are set where a mixture of factors is high."""
    weights = [[normal(rng) for _ in range(NUMBER_OF_FACTORS)] for _ in range(NUMBER_OF_BITS)]
    rows = [["improve_chem_id"] + [f"ecfp4.{bit}" for bit in range(NUMBER_OF_BITS)]]
    for name in sorted(drugs):
        rows.append([name] + ["1" if mixture(bit, drugs[name]) + rng.random() > 2.0 else "0"
                              for bit in weights])
    return rows


def descriptor_rows(rng, drugs):
    """Returns drug_mordred.tsv: mixtures of the factors, each in a scale of its own."""
    weights = [[normal(rng) for _ in range(NUMBER_OF_FACTORS)] for _ in range(NUMBER_OF_DESCRIPTORS)]
    names = [f"mordred.D{column}" for column in range(NUMBER_OF_DESCRIPTORS)]
    rows = [["improve_chem_id"] + names]
    for name in sorted(drugs):
        values = [(column + 1) * (mixture(weight, drugs[name]) + 0.3 * normal(rng))
                  for column, weight in enumerate(weights)]
        rows.append([name] + [repr(round(value, 4)) for value in values])
    return rows


def smiles_rows(drugs):
    """Returns drug_SMILES.tsv: valid molecules whose groups and chain follow the factors."""
    rows = [["improve_chem_id", "canSMILES"]]
    for name in sorted(drugs):
        first, second, third, fourth = [
            choice[min(len(choice) - 1, max(0, int(factor * 1.8 + len(choice) / 2)))]
            for choice, factor in zip(GROUPS, drugs[name])]
        chain = "C" * (1 + int(3 * abs(drugs[name][0] + drugs[name][1])))
        rows.append([name, f"c2({first})c({second})c({chain})c({third})cc2{fourth}"])
    return rows


# ---- files

def lines(items):
    return "".join(f"{item}\n" for item in items)


def table(rows):
    return lines("\t".join(row) for row in rows)


def demo_files():
    """Returns the whole benchmark as a dict: relative file name -> text."""
    rng = random.Random(SEED)
    cells = latent_factors(rng, [f"ACH-{number:06d}" for number in range(1, NUMBER_OF_CELLS + 1)])
    drugs = latent_factors(rng, [f"Drug_{number}" for number in range(1, NUMBER_OF_DRUGS + 1)])
    rows = response_rows(cells, drugs)
    files = {f"splits/{name}": text for name, text in split_files(rows).items()}
    files.update({
        "y_data/response.tsv": table([RESPONSE_COLUMNS] + rows),
        "x_data/cancer_gene_expression.tsv": table(expression_rows(rng, cells)),
        "x_data/drug_ecfp4_nbits512.tsv": table(fingerprint_rows(rng, drugs)),
        "x_data/drug_mordred.tsv": table(descriptor_rows(rng, drugs)),
        "x_data/drug_SMILES.tsv": table(smiles_rows(drugs)),
        MARKER: MARKER_TEXT})
    return files


def write_demo_data(directory):
    """Writes the benchmark as `directory` (a raw_data directory), where it is not there yet.

    Everything is written to a directory beside it, which is renamed when it is
    whole: two launches at once, or a killed one, never leave half a benchmark.
    OSError: cannot be written, or something else stands there.
    """
    directory = os.path.abspath(directory)
    if is_demo_data(directory):
        return
    temporary = f"{directory}.{os.urandom(4).hex()}.tmp"
    try:
        for name, text in demo_files().items():
            path = os.path.join(temporary, *name.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        os.rename(temporary, directory)    # fails where another launch was faster
    except OSError:
        if not is_demo_data(directory):
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
