"""ridge_preprocess_improve: genes and descriptors beside each response, by IMPROVE's library."""
import sys
from pathlib import Path

import improvelib.applications.drug_response_prediction.drp_utils as drp
import improvelib.applications.drug_response_prediction.drug_utils as drugs
import improvelib.applications.drug_response_prediction.omics_utils as omics
import improvelib.utils as frm
from improvelib.applications.drug_response_prediction.config import DRPPreprocessConfig

HERE = Path(__file__).resolve().parent


def run(params):
    cells = omics.OmicsLoader(params).dfs["cancer_gene_expression.tsv"]
    compounds = drugs.DrugsLoader(params).dfs["drug_mordred.tsv"].reset_index()
    for stage in ("train", "val", "test"):
        split_file = params[f"{stage}_split_file"]
        rows = drp.DrugResponseLoader(params, split_file=split_file).dfs["response.tsv"]
        rows = rows.dropna(subset=[params["y_col_name"]])
        rows, _ = drp.get_common_samples(rows, cells, params["canc_col_name"])
        rows, _ = drp.get_common_samples(rows, compounds, params["drug_col_name"])
        pairs = rows[[params["canc_col_name"], params["drug_col_name"]]]
        features = pairs.merge(cells, on=params["canc_col_name"])
        ordered = pairs.merge(features.merge(compounds, on=params["drug_col_name"]))
        name = frm.build_ml_data_file_name(params["data_format"], stage)
        ordered.iloc[:, 2:].to_csv(Path(params["output_dir"]) / name, index=False)
        frm.save_stage_ydf(rows, stage, params["output_dir"])


def main(args):
    params = DRPPreprocessConfig().initialize_parameters(
        pathToModelDir=HERE, default_config="ridge_params.ini", additional_definitions=[])
    run(params)


if __name__ == "__main__":
    main(sys.argv[1:])
