import numpy as np

from predictors.models import RooflineBlend, RooflineBoost, RooflineGaussian, RooflineRidge


def test_it_is_the_geometric_mean_of_its_parts() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 10, (40, 2))
    y = (3 + X @ [1.0, 2.0]) * rng.uniform(0.9, 1.1, 40)
    parts = [kind().fit(X, y).predict(X) for kind in (RooflineRidge, RooflineGaussian)]
    parts.append(RooflineBoost().fit(X, y).predict(X))
    expected = np.prod(parts, axis=0) ** (1 / 3)
    np.testing.assert_allclose(RooflineBlend().fit(X, y).predict(X), expected)
