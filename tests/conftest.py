from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _a_lock_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Somebody may be measuring here, and most tests measure only to have something to look at.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path_factory.mktemp("lock")))
        yield
