import automoe.text


def test_exports_what_it_names() -> None:
    assert automoe.text.__all__ == sorted(automoe.text.__all__)
    assert all(hasattr(automoe.text, name) for name in automoe.text.__all__)
