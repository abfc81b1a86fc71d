import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from predictors.models import HatMlp, restore_model


def test_the_network_of_an_earlier_file_still_predicts() -> None:
    logs = np.linspace(0, 2, 5)[:, None]
    pipeline = make_pipeline(LinearRegression()).fit(logs, 3 * logs[:, 0])
    state = {"seed": 0, "pipeline_": pipeline, "log_range_": (-1.0, 5.0)}
    model = restore_model("hat_mlp", {**state, "n_features_in_": 1, "floor_ms_": 0.1})
    rows = np.array([[1.0], [1e6]])  # the second is cut to the range
    assert model.predict(rows) == pytest.approx([2**3, np.exp(5)])


def test_it_is_no_longer_fitted() -> None:
    with pytest.raises(ValueError, match=r"no longer fitted\. Fit the log again"):
        HatMlp().fit([[1.0], [2.0]], [1.0, 2.0])
