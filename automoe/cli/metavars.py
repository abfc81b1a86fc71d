"""This module names what stands for the value of an option on a help page: its unit or meaning."""

from cyclopts import Parameter
from pydantic import BaseModel

# The words of a help page, and the fields that have them. An option of its own type, such as FILE,
# declares its word itself.
_FIELDS = {
    "COUNT": (
        *("n", "rounds", "threads", "batch", "beam", "jobs", "max_experts", "updates"),
        *("warmup_updates", "patience", "average", "population", "parents", "mutants"),
        *("crossovers", "generations", "prescreen", "halvings", "verify_top", "verify_most"),
        *("max_params", "max_active_params", "max_flops", "sentences"),
    ),
    "TOKENS": ("src_len", "tgt_len", "max_tokens", "max_positions", "batch_tokens"),
    "SENTENCES": ("queue",),
    "PIECES": ("vocab_size", "shortlist"),
    "PORT": ("port",),
    "MS": ("budget_ms", "max_wait_ms"),
    "SECONDS": ("grace_s",),
    "MB": ("max_memory_mb",),
    "MINUTES": ("minutes", "device_minutes"),
    "SHARE": ("budget_share", "confidence", "mutation_probability", "margin"),
    "DIRECTION:SHARE...": ("fail_on",),
    "RATE": ("learning_rate",),
    "EXPONENT": ("length_penalty",),
    "SEED": ("seed",),
    "SUFFIX": ("source", "target"),
    "RUNTIME": ("runtime",),
    "ROUTING": ("routing",),
    "FORMAT": ("form", "precision"),
    "SPLIT": ("split",),
    "OBJECTIVE": ("objective",),
    "CLUSTER": ("cluster",),
    "TRACKER...": ("track",),
    "DIALECT...": ("dialect",),
    "NAME=SHAPE...": ("input_shape",),
    "NAME=VALUES...": ("input",),
    "NAME=FILE...": ("input_file",),
    "NAME=SIZE...": ("dim",),
}
_IN_THEIR_HELP = {"generations"}  # fields whose default is not one value
_WORDS = {field: word for word, fields in _FIELDS.items() for field in fields}


def name_values(options: type[BaseModel]) -> None:
    """Give each option of a model its word, unless it declares one. The model is changed."""
    for name, field in options.model_fields.items():
        declared = [each for each in field.metadata if isinstance(each, Parameter)]
        if name in _WORDS and not any(each.metavar for each in declared):
            field.metadata = [*field.metadata, Parameter(metavar=_WORDS[name])]
        if name in _IN_THEIR_HELP:
            field.metadata = [*field.metadata, Parameter(show_default=False)]
