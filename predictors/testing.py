"""This module holds the contract of a predictor, as a test class to inherit from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from predictors.predictor import Predictor


class PredictorContract:
    """The tests that every predictor must pass. Subclass it and provide the two fixtures.

    The fixture `predictor` gives a fitted `Predictor`. The fixture `table` gives a frame of at
    least two rows that the predictor can predict.
    """

    def test_bounds_enclose_the_prediction(self, predictor: Predictor, table: pd.DataFrame) -> None:
        """Every prediction is finite, above 0 and between its bounds."""
        rows = predictor.predict(table)
        assert list(rows.columns) == ["predicted_ms", "lower_ms", "upper_ms"]
        assert np.isfinite(rows.to_numpy()).all()
        assert (rows["lower_ms"] > 0).all()
        assert (rows["lower_ms"] <= rows["predicted_ms"]).all()
        assert (rows["predicted_ms"] <= rows["upper_ms"]).all()

    def test_index_is_kept(self, predictor: Predictor, table: pd.DataFrame) -> None:
        """Predictions and extrapolation have the index of the table."""
        named = table.set_axis([f"row{i}" for i in range(len(table))])
        assert predictor.predict(named).index.equals(named.index)
        assert predictor.extrapolates(named).index.equals(named.index)

    def test_rows_are_independent(self, predictor: Predictor, table: pd.DataFrame) -> None:
        """A row's prediction does not depend on the others, nor on the order of columns."""
        whole = predictor.predict(table)
        alone = predictor.predict(table.iloc[[1]][list(reversed(table.columns))])
        np.testing.assert_allclose(alone.to_numpy(), whole.iloc[[1]].to_numpy(), rtol=1e-6)

    def test_no_rows_give_no_rows(self, predictor: Predictor, table: pd.DataFrame) -> None:
        """An empty table is predicted as an empty table."""
        assert predictor.predict(table.iloc[:0]).shape == (0, 3)

    def test_more_confidence_is_wider(self, predictor: Predictor, table: pd.DataFrame) -> None:
        """A bound at a higher confidence is never tighter."""
        loose, tight = predictor.predict(table), predictor.predict(table, confidence=0.5)
        assert (loose["upper_ms"] >= tight["upper_ms"]).all()
        assert (loose["lower_ms"] <= tight["lower_ms"]).all()

    def test_a_missing_feature_is_named(self, predictor: Predictor, table: pd.DataFrame) -> None:
        """A table without a feature is refused with the feature's name."""
        name = predictor.schema.features[0].name
        kept = [column for column in table.columns if column.removesuffix(".mean") != name]
        with pytest.raises(ValueError, match=f"no column '{name}'"):
            predictor.predict(table[kept])

    def test_saving_and_loading_changes_nothing(
        self, predictor: Predictor, table: pd.DataFrame, tmp_path: Path
    ) -> None:
        """A loaded predictor gives the same numbers and the same report."""
        predictor.save(tmp_path / "predictor.skops")
        loaded = Predictor.load(tmp_path / "predictor.skops")
        pd.testing.assert_frame_equal(
            loaded.predict(table), predictor.predict(table), check_exact=True
        )
        assert loaded.report == predictor.report
        assert loaded.schema == predictor.schema
        assert loaded.conditions == predictor.conditions
