from automoe.architecture.space import SearchSpace
from automoe.training import full_shape, sandwich, uniform


def test_the_full_shape_is_always_the_model_itself() -> None:
    assert [full_shape(update) for update in range(3)] == [(None,)] * 3


def test_uniform_is_a_function_of_seed_and_update(space: SearchSpace) -> None:
    forwards, backwards = uniform(space, 1), uniform(space, 1)
    drawn = [forwards(update) for update in range(20)]
    assert drawn == [backwards(update) for update in reversed(range(20))][::-1]
    assert len(set(drawn)) > 10
    assert drawn != [uniform(space, 2)(update) for update in range(20)]


def test_uniform_draws_one_subnet_of_the_space(space: SearchSpace) -> None:
    for update in range(20):
        (subnet,) = uniform(space, 0)(update)
        assert subnet is not None
        space.check(subnet)


def test_a_sandwich_is_the_largest_the_smallest_and_two_random_ones(space: SearchSpace) -> None:
    of_update = sandwich(space, 3)
    drawn = [of_update(update) for update in range(20)]
    assert {subnets[:2] for subnets in drawn} == {(space.largest(), space.smallest())}
    assert {len(subnets) for subnets in drawn} == {4}
    assert len({subnets[2:] for subnets in drawn}) > 15
    assert any(left != right for _, _, left, right in drawn)
    assert drawn[::-1] == [of_update(update) for update in reversed(range(20))]
    assert drawn != [sandwich(space, 4)(update) for update in range(20)]
