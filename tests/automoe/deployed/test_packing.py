import numpy as np

from automoe.deployed.packing import packed


def test_sentences_of_several_lengths_by_hand() -> None:
    inputs = packed([[7, 8], [4, 5, 6], [9]])
    assert inputs["source"].tolist() == [7, 8, 4, 5, 6, 9]
    assert inputs["source_position"].tolist() == [0, 1, 0, 1, 2, 0]
    assert inputs["source_token"].tolist() == [[0, 1, 0], [2, 3, 4], [5, 0, 0]]
    assert inputs["source_place"].tolist() == [0, 1, 3, 4, 5, 6]
    assert (inputs["source_barred"][:, 0, 0] < 0).tolist() == [
        [False, False, True],
        [False, False, False],
        [False, True, True],
    ]


def test_one_sentence_is_packed_as_among_others() -> None:
    alone, both = packed([[4, 5, 6]]), packed([[4, 5, 6], [7, 8, 9]])
    for name, array in alone.items():
        assert array.dtype == both[name].dtype
        first = both[name][:3] if array.ndim == 1 else both[name][:1]
        assert np.array_equal(array, first)
