from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import skops.io

from predictors import Predictor, PredictorFileError, fit_log
from predictors.models import competitors

Maker = Callable[..., pd.DataFrame]
NAMES = list(competitors(200, flops_columns=(0,)))


@pytest.fixture(scope="module")
def fitted(roofline_log: Maker) -> Predictor:
    return fit_log(roofline_log(25, seed=0))


def with_model(predictor: Predictor, name: str, log: pd.DataFrame) -> Predictor:
    model = competitors(200, flops_columns=predictor.schema.flops_columns)[name]
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
        ({"model": "oracle"}, r"is damaged: .*Unknown model 'oracle'"),
        ({"report": "{}"}, r"is damaged: "),
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
    with pytest.raises(PredictorFileError, match=r"p is not a predictor: .*Fit the log again"):
        Predictor.load(tmp_path / "p")


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    skops.io.dump(np.ones(3), tmp_path / "p")
    with pytest.raises(PredictorFileError, match=r"is not a predictor\. Give a file"):
        Predictor.load(tmp_path / "p")
