from __future__ import annotations

import pytest

from jupyterhub_mesos.backends.gpus import Gpus
from jupyterhub_mesos.backends.gpus.flavors import Flavors, Slices, flavor_of_instance, flavor_of_name
from jupyterhub_mesos.errors import InvalidInput

A100 = "NVIDIA A100-SXM4-80GB"


@pytest.mark.parametrize(
    ("name", "flavor"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA H200 NVL", "h200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA B200", "b200"),
        (A100, "a100"),
        ("NVIDIA A100-PCIE-40GB", "a100"),
        ("A100-SXM4-40GB", "a100"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA L40S", "l40s"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("Tesla T4", "t4"),
        ("Quadro RTX 8000", "rtx-8000"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce GTX 1080 Ti", "gtx-1080-ti"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000-blackwell"),
        ("NVIDIA TITAN V", "titan-v"),
        ("NVIDIA Graphics Device", "gpu"),
        ("", "gpu"),
        ("NVIDIA Größe/X (9)", "gre-x-9"),
    ],
)
def test_a_flavor_names_the_chip_and_leaves_out_brand_socket_and_memory(name: str, flavor: str) -> None:
    assert flavor_of_name(name) == flavor


@pytest.mark.parametrize(
    ("name", "flavor"),
    [
        (f"{A100} MIG 1g.10gb", "a100-1g.10gb"),
        (f"{A100} MIG 1g.10gb+me", "a100-1g.10gb-me"),
        (f"{A100} MIG 1c.3g.40gb", "a100-1c.3g.40gb"),
    ],
)
def test_an_instances_flavor_is_its_gpus_with_the_profile(name: str, flavor: str) -> None:
    assert flavor_of_instance(A100, name, None) == flavor


@pytest.mark.parametrize(
    ("parent", "slices", "flavor"),
    [  # an instance has less memory than its profile's name says
        (A100, Slices(1, 1, 9728, 81920), "a100-1g.10gb"),
        (A100, Slices(2, 2, 19968, 81920), "a100-2g.20gb"),
        (A100, Slices(3, 1, 40192, 81920), "a100-1c.3g.40gb"),
        (A100, Slices(7, 7, 81152, 81920), "a100-7g.80gb"),
        ("NVIDIA A100-SXM4-40GB", Slices(1, 1, 4864, 40960), "a100-1g.5gb"),
        ("NVIDIA H200", Slices(1, 1, 16384, 143771), "h200-1g.18gb"),
        ("NVIDIA H200", Slices(3, 3, 71168, 143771), "h200-3g.71gb"),
    ],
)
def test_where_the_name_hides_the_profile_the_slices_tell_it(
    parent: str, slices: Slices, flavor: str
) -> None:
    assert flavor_of_instance(parent, parent, slices) == flavor


def test_an_instance_of_which_nothing_is_told_is_still_no_whole_gpu() -> None:
    assert flavor_of_instance(A100, A100, None) == "a100-mig"


def test_the_most_particular_exception_wins() -> None:
    flavors = Flavors.of({"GPU-1": "mine", A100: "a100-80gb", "a100": "ampere"})
    assert flavors.flavor("GPU-1", A100, "a100") == "mine"
    assert flavors.flavor("GPU-2", A100, "a100") == "a100-80gb"
    assert flavors.flavor("GPU-3", "NVIDIA A100-PCIE-40GB", "a100") == "ampere"
    assert flavors.flavor("GPU-4", "NVIDIA H200", "h200") == "h200"


def test_an_empty_flavor_keeps_the_device_back() -> None:
    assert Flavors.of({"t400": ""}).flavor("GPU-1", "NVIDIA T400", "t400") is None


@pytest.mark.parametrize("flavor", ["two words", "-", "a/b", "x" * 64])
def test_what_nobody_could_ask_for_is_refused(flavor: str) -> None:
    with pytest.raises(InvalidInput, match="is no flavor"):
        Gpus({"a100": flavor})
