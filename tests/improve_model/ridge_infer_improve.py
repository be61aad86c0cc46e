"""ridge_infer_improve: what the trained weights predict for the test part."""
import numpy as np

import improvelib.utils as frm
from improvelib.applications.drug_response_prediction.config import DRPInferConfig
from ridge_train_improve import HERE, predict, read, score


def run(params):
    model = np.load(frm.build_model_path(
        params["model_file_name"], params["model_file_format"], params["input_model_dir"]))
    features, true = read(params["input_data_dir"], params, "test")
    score(true, predict(model, features), params, "test", params["input_data_dir"])


if __name__ == "__main__":
    run(DRPInferConfig().initialize_parameters(
        pathToModelDir=HERE, default_config="ridge_params.ini", additional_definitions=[]))
