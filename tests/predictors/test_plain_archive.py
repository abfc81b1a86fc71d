import io
import subprocess
import sys
import zipfile
from collections import Counter

import numpy as np
import pytest
import skops.io

from predictors.plain_archive import NotPlainError, read_plain

CONTENT = {
    "text": "a \u00e4",
    "numbers": [1, 2.5, -1e-300, True, None],
    "pair": (0.1, "x"),
    "arrays": {"rows": np.arange(6.0).reshape(2, 3), "flags": np.array([True, False])},
    "empty": {},
}


def test_an_archive_of_skops_is_read_as_skops_reads_it() -> None:
    data = skops.io.dumps(CONTENT)
    read, expected = read_plain(data), skops.io.loads(data)
    assert read.keys() == expected.keys()
    for name in ("text", "numbers", "pair", "empty"):
        assert read[name] == expected[name]
    for name, array in expected["arrays"].items():
        np.testing.assert_array_equal(read["arrays"][name], array)


@pytest.mark.parametrize(
    "content", [Counter("a"), {1: "a"}, {"s": {1, 2}}, [np.array(["a", None], dtype=object)], print]
)
def test_anything_else_is_left_to_skops(content: object) -> None:
    with pytest.raises(NotPlainError, match="The archive holds a"):
        read_plain(skops.io.dumps(content))


def test_an_archive_that_unpacks_to_more_than_it_has_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", " " * 10**6)
    with pytest.raises(ValueError, match=r"it has \d{4} bytes, and its members say 1000000"):
        read_plain(file.getvalue())


def test_an_array_that_says_more_than_it_has_is_refused() -> None:
    data = skops.io.dumps({"rows": np.zeros(1000), "other": Counter("a")})
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(file, "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name).replace(b"(1000,)", b"(9999,)"))
    with pytest.raises(ValueError, match=r"an array has \d{4} bytes, and its header says 79992"):
        read_plain(file.getvalue())


def test_a_prediction_imports_neither_scikit_learn_nor_torch() -> None:
    program = "import sys, predictors; predictors.Predictor; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"sklearn", "torch", "skops", "xgboost", "scipy.stats"} & set(ran.stdout.split())
