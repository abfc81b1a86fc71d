import pytest
from support.small_text import small_space

from automoe.pipeline import throughput
from automoe.pipeline.throughput import made_up_batch, seconds_per_update
from automoe.supernet import TransformerConfig
from automoe.text.special_tokens import EOS, PAD
from automoe.training import TrainingSettings, full_shape


def test_a_made_up_batch_fills_what_a_batch_may_hold() -> None:
    space = small_space()  # six tokens on each side, and the decoder's first
    batch = made_up_batch(space, 100)
    assert batch.source_BS.shape == (14, 6)
    assert batch.target_in_BT.shape == batch.target_out_BT.shape == (14, 7)
    assert (batch.source_BS[:, -1] == EOS).all()
    assert not (batch.source_BS == PAD).any()
    assert int(batch.target_out_BT.max()) < space.vocab_size


def test_gradients_are_scaled_to_the_batch_and_the_step_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: float(next(ticks)))
    settings = TrainingSettings.of(max_tokens=4200, accumulate=8)
    config = TransformerConfig.for_space(small_space())
    # 146 sentences of six tokens are timed, one second for the gradients and one for the step.
    found = seconds_per_update(config, settings, small_space(), full_shape)
    assert found == pytest.approx(8 * 4200 / (146 * 6) + 1)
