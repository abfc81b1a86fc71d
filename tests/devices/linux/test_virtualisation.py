import pytest

from devices.linux.virtualisation import container, hypervisor


def test_a_machine_that_says_nothing(tree):
    assert hypervisor(tree({})) is None
    assert container(tree({})) is None


@pytest.mark.parametrize(
    ("flags", "is_virtual"), [("fpu hypervisor sse", True), ("fpu sse", False)]
)
def test_an_x86_processor_says_whether_it_is_virtual(tree, flags, is_virtual):
    assert hypervisor(tree({"proc/cpuinfo": f"flags : {flags}\n"})) is is_virtual


def test_a_container_is_known_by_its_file_or_its_cgroup(tree, tmp_path):
    assert container(tree({"proc/self/cgroup": "0::/kubepods/pod1\n"})) == "kubepods"
    assert container(tree({".dockerenv": ""})) == "docker"
