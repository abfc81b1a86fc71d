from pathlib import Path

import pytest
import yaml
from paper_claim.config import ClaimConfig

TINY = Path(__file__).parents[3] / "benchmarks/paper_claim/tiny.yaml"


def test_a_remedy_with_the_name_of_a_method_is_refused(tmp_path: Path) -> None:
    content = yaml.safe_load(TINY.read_text())
    content["search"]["remedies"][0]["name"] = "ours"  # their results would share a file
    (tmp_path / "claim.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"must have names of their own. Got \['ours'\] again"):
        ClaimConfig.load(tmp_path / "claim.yaml")
