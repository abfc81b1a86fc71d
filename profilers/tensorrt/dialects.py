"""This module lists the dialects of TensorRT: families of releases whose parsers take the same."""

from collections.abc import Mapping
from dataclasses import dataclass

Version = tuple[int, int]
NEVER: Version = (99, 0)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The rules of one family of releases.

    Attributes:
        name: The name of the dialect, as in ``--dialect 8.6``.
        version: The oldest release of the family. Later ones take everything that it takes.
        max_opset: The newest opset of the default domain.
        topk_limit: The largest number of elements that TopK may give.
        refused: The operators that the family refuses although the table has them.
        has_plugins: Whether the parser has the library of plugins, of which some operators consist.
    """

    name: str
    version: Version
    max_opset: int
    topk_limit: int
    refused: frozenset[str] = frozenset()
    has_plugins: bool = True

    @property
    def has_int64(self) -> bool:
        """Return whether INT64 is a type. Older releases narrow it to INT32."""
        return self.version >= (10, 0)

    @property
    def has_functions(self) -> bool:
        """Return whether a node may call a function of the model."""
        return self.version >= (10, 0)

    @property
    def has_dynamic_k(self) -> bool:
        """Return whether the K of TopK may be computed."""
        return self.version >= (8, 6)


# 8.5 comes with JetPack 5, 10.3 with JetPack 6.
DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("8.5", (8, 5), max_opset=17, topk_limit=1024),
        Dialect("8.6", (8, 6), max_opset=17, topk_limit=1024),
        Dialect("10", (10, 0), max_opset=20, topk_limit=3840),
        Dialect("11", (11, 0), max_opset=24, topk_limit=3840),
        # Release 1.7.1 lacks the library of plugins that the refused operators need.
        Dialect(
            "rtx",
            (11, 0),
            max_opset=24,
            topk_limit=3840,
            refused=frozenset({"DeformConv", "NonZero", "RoiAlign"}),
            has_plugins=False,
        ),
    )
}
