"""ridge_preprocess_improve: genes and descriptors beside each response, by IMPROVE's library."""
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
        responses = drp.DrugResponseLoader(params, split_file=split_file).dfs["response.tsv"]
        responses = responses.dropna(subset=[params["y_col_name"]])
        rows = responses.merge(cells, on=params["canc_col_name"])
        rows = rows.merge(compounds, on=params["drug_col_name"])
        name = frm.build_ml_data_file_name(params["data_format"], stage)
        features = rows.drop(columns=responses.columns)
        features.to_csv(Path(params["output_dir"]) / name, index=False)
        frm.save_stage_ydf(rows[responses.columns], stage, params["output_dir"])


if __name__ == "__main__":
    run(DRPPreprocessConfig().initialize_parameters(
        pathToModelDir=HERE, default_config="ridge_params.ini", additional_definitions=[]))
