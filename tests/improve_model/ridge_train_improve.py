"""ridge_train_improve: ridge regression on standardised features, solved at once.

--epochs is taken and means nothing.
"""
from pathlib import Path

import numpy as np

import improvelib.utils as frm
import pandas as pd
from improvelib.applications.drug_response_prediction.config import DRPTrainConfig

HERE = Path(__file__).resolve().parent
PARAMETERS = [{"name": "alpha", "type": float, "default": 1.0,
               "help": "pull of the weights toward 0"}]


def read(folder, params, stage):
    """The features and the responses of a part."""
    features = pd.read_csv(
        Path(folder) / frm.build_ml_data_file_name(params["data_format"], stage))
    responses = pd.read_csv(Path(folder) / f"{stage}_y_data.csv")[params["y_col_name"]]
    return features.to_numpy(), responses.to_numpy()


def predict(model, features):
    return features @ model["weights"] + model["intercept"]


def score(true, value, params, stage, input_dir):
    """Writes predictions and scores; a class is 1 from a half on."""
    classes = params["metric_type"] == "classification"
    predicted = (value >= 0.5).astype(int) if classes else value
    shared = {"y_true": true, "y_pred": predicted, "stage": stage,
              "output_dir": params["output_dir"]}
    frm.store_predictions_df(y_col_name=params["y_col_name"], input_dir=input_dir, **shared)
    if stage == "val" or params["calc_infer_scores"]:
        frm.compute_performance_scores(metric_type=params["metric_type"],
                                       y_prob=value if classes else None, **shared)


def run(params):
    features, true = read(params["input_dir"], params, "train")
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    units = (features - mean) / scale
    weights = np.linalg.solve(units.T @ units + params["alpha"] * np.eye(units.shape[1]),
                              units.T @ (true - true.mean())) / scale
    model = {"weights": weights, "intercept": true.mean() - mean @ weights}
    np.savez(frm.build_model_path(params["model_file_name"], params["model_file_format"],
                                  params["output_dir"]), **model)
    features, true = read(params["input_dir"], params, "val")
    score(true, predict(model, features), params, "val", params["input_dir"])


if __name__ == "__main__":
    run(DRPTrainConfig().initialize_parameters(
        pathToModelDir=HERE, default_config="ridge_params.ini", additional_definitions=PARAMETERS))
