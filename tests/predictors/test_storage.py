from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
import xgboost

from predictors import Predictor, PredictorFileError, fit_log
from predictors.models import competitors
from predictors.storage import made_with

Maker = Callable[..., pd.DataFrame]
# Of the stored file, when it was made.
PREDICTED_MS = [5.050886409634397, 30.515340672926087]
UPPER_MS = [5.228362170615526, 31.587574904366257]

NAMES = list(competitors(flops_columns=(0,)))


@pytest.fixture(scope="module")
def fitted(roofline_log: Maker) -> Predictor:
    return fit_log(roofline_log(25, seed=0))


def with_model(predictor: Predictor, name: str, log: pd.DataFrame) -> Predictor:
    model = competitors(flops_columns=predictor.schema.flops_columns)[name]
    model.fit(predictor.schema.matrix(log), log["latency_ms"])
    return replace(predictor, model=model, report=replace(predictor.report, winner=name))


@pytest.mark.parametrize("name", NAMES)
def test_every_model_survives_the_file(
    name: str, fitted: Predictor, roofline_log: Maker, tmp_path: Path
) -> None:
    predictor = with_model(fitted, name, roofline_log(25, seed=0))
    predictor.save(tmp_path / "p")
    loaded = Predictor.load(tmp_path / "p")
    test = roofline_log(50, seed=1)
    expected = predictor.predict(test)
    pd.testing.assert_frame_equal(loaded.predict(test), expected, check_exact=True)


@pytest.mark.parametrize("name", NAMES)
def test_no_class_of_ours_is_named_in_the_file(
    name: str, fitted: Predictor, roofline_log: Maker, tmp_path: Path
) -> None:
    with_model(fitted, name, roofline_log(25, seed=0)).save(tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    with ZipFile(tmp_path / "p") as archive:
        assert b"predictors." not in archive.read("schema.json")


def rewrite(predictor: Predictor, path: Path, **changes: object) -> None:
    predictor.save(path)
    kernels = skops.io.get_untrusted_types(file=path)
    skops.io.dump(skops.io.load(path, trusted=kernels) | changes, path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, r"is not a predictor\. Give a file made by"),
        ({"schema_version": 99}, r"has schema_version 99; this release reads 2\. Fit the log"),
        ({"model": "oracle"}, r"p cannot be read because it is damaged\. Fit the log again"),
        ({"report": "{}"}, r"p cannot be read because it is damaged\. Fit the log again"),
        ({"ratios": Counter("a")}, r"is refused: Untrusted types.*Counter.*Only load files you"),
    ],
)
def test_a_foreign_file_is_refused(
    changes: dict[str, object], message: str, fitted: Predictor, tmp_path: Path
) -> None:
    rewrite(fitted, tmp_path / "p", **changes)
    with pytest.raises(PredictorFileError, match=message):
        Predictor.load(tmp_path / "p")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PredictorFileError, match=r"cannot be read: No such file"):
        Predictor.load(tmp_path / "p")


def test_a_truncated_file(fitted: Predictor, tmp_path: Path) -> None:
    fitted.save(tmp_path / "p")
    data = (tmp_path / "p").read_bytes()
    (tmp_path / "p").write_bytes(data[: len(data) // 2])
    with pytest.raises(
        PredictorFileError, match=r"p is not a predictor, or only a part of one\. Give a"
    ):
        Predictor.load(tmp_path / "p")


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    skops.io.dump(np.ones(3), tmp_path / "p")
    with pytest.raises(PredictorFileError, match=r"is not a predictor\. Give a file"):
        Predictor.load(tmp_path / "p")


def test_something_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("layers,latency_ms\n")
    with pytest.raises(PredictorFileError) as raised:
        Predictor.load(tmp_path / "p")
    said = "is not a predictor, or only a part of one. Give a file made by `fit`."
    assert str(raised.value) == f"{tmp_path / 'p'} {said}"


def test_a_file_tells_the_versions_it_was_made_with(fitted: Predictor, tmp_path: Path) -> None:
    fitted.save(tmp_path / "p")
    found = made_with(tmp_path / "p")
    assert found.keys() == {"automoe", "scikit-learn", "skops", "xgboost"}
    assert found["scikit-learn"] == sklearn.__version__
    assert found["xgboost"] == xgboost.__version__


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 3}, r"has schema_version 3; this release reads 2\. It was made with "),
        ({"model": "oracle"}, r"cannot be read by these versions\. It was made with "),
    ],
)
def test_a_file_of_other_versions_says_which(
    changes: dict[str, object], message: str, fitted: Predictor, tmp_path: Path
) -> None:
    rewrite(fitted, tmp_path / "p", **changes)
    with ZipFile(tmp_path / "p", "a") as archive:
        archive.writestr("made_with.json", '{"scikit-learn": "99.1", "catboost": "1"}')
    versions = rf"scikit-learn 99\.1 \(here {sklearn.__version__}\), catboost 1 \(here none\)\. Fit"
    with pytest.raises(PredictorFileError, match=message + versions):
        Predictor.load(tmp_path / "p")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_the_file_of_an_earlier_release_predicts_what_it_did() -> None:
    predictor = Predictor.load(Path(__file__).with_name("schema_2.predictor"))
    assert (predictor.conditions, predictor.details) == ({"device": "board"}, {})
    rows = predictor.predict(pd.DataFrame({"layers": [1, 6], "kind": ["a", "b"]}))
    assert rows["predicted_ms"].tolist() == pytest.approx(PREDICTED_MS)
    assert rows["upper_ms"].tolist() == pytest.approx(UPPER_MS)
