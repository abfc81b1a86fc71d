from devices.linux.memory import available_memory_mb, memory_mb, swapped_mb


def test_memory_is_in_mebibytes(tree):
    root = tree({"proc/meminfo": "MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n"})
    assert memory_mb(root) == 2048
    assert available_memory_mb(root) == 1024


def test_swap_is_what_is_not_free(tree):
    root = tree({"proc/meminfo": "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n"})
    assert swapped_mb(root) == 1024


def test_a_machine_that_says_nothing(tree):
    assert memory_mb(tree({})) == 0
    assert available_memory_mb(tree({})) is None
    assert swapped_mb(tree({})) is None
