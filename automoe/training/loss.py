"""This module computes the losses that training minimises and that validation reports.

Legend: B sentence pairs, T target positions, V vocabulary.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from automoe.architecture.architecture import Architecture
from automoe.settings.training import TrainingSettings
from automoe.supernet import Output, Transformer
from automoe.text import Batch
from automoe.text.special_tokens import PAD
from automoe.training.smoothed_cross_entropy import smoothed_cross_entropy


def training_loss(output: Output, target_BT: Tensor, settings: TrainingSettings) -> Tensor:
    """Return the label-smoothed cross-entropy and the routers' losses, summed over tokens, in nats.

    The routers' losses are multiplied by the number of tokens, because the caller divides the sum
    by that number.
    """
    smoothed = smoothed_cross_entropy(
        output.logits_BTV.flatten(0, 1), target_BT.flatten(), smoothing=settings.label_smoothing
    )
    routers = settings.balance_weight * output.load_balancing_loss
    if settings.z_weight:
        routers = routers + settings.z_weight * output.z_loss
    return smoothed + routers * (target_BT != PAD).sum()


def distillation_loss(output: Output, teacher_BTV: Tensor, target_BT: Tensor) -> Tensor:
    """Return the cross-entropy with the teacher's distribution, summed over tokens, in nats.

    This is the in-place distillation of BigNAS (Yu et al., 2020, section 3.1): the largest subnet
    of an update is the teacher of the others.
    """
    present_BT = target_BT != PAD
    log_probability = output.logits_BTV[present_BT].float().log_softmax(dim=-1)
    return -(teacher_BTV[present_BT].float().softmax(dim=-1) * log_probability).sum()


def ignored(output: Output) -> None:
    """Do nothing with the output of a batch."""


@torch.no_grad()
def summed_loss(
    model: Transformer,
    batches: Iterable[Batch],
    architecture: Architecture | None = None,
    *,
    on_output: Callable[[Output], None] = ignored,
) -> float:
    """Return the cross-entropy of all target tokens in nats, without smoothing.

    Args:
        model: A supernet or a stand-alone model, in any mode. It is in the same mode afterwards.
        batches: The batches, on the model's device.
        architecture: The subnet to run; None runs the full shape.
        on_output: A function that is called with the output of each batch.
    """
    was_training, total = model.training, 0.0
    model.eval()
    for batch in batches:
        output = model(batch.source_BS, batch.target_in_BT, architecture)
        target_BT = batch.target_out_BT
        total += float(
            F.cross_entropy(
                output.logits_BTV.flatten(0, 1),
                target_BT.flatten(),
                ignore_index=PAD,
                reduction="sum",
            )
        )
        on_output(output)
    model.train(was_training)
    return total


def validation_loss(
    model: Transformer, batches: Iterable[Batch], architecture: Architecture | None = None
) -> float:
    """Return the cross-entropy of all batches in nats per target token, without smoothing.

    Args:
        model: A supernet or a stand-alone model, in any mode. It is in the same mode afterwards.
        batches: At least one batch, on the model's device.
        architecture: The subnet to run; None runs the full shape.

    Raises:
        ValueError: There is no batch.
    """
    every = list(batches)
    if not every:
        raise ValueError("'batches' must hold at least one batch. Got none.")
    return summed_loss(model, every, architecture) / sum(batch.n_tokens for batch in every)
