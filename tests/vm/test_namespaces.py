"""512 and 4096 bytes, zones, metadata and protection information on QEMU's controller."""

import pytest
from guests import Guest, Hardware, nvme

SIZE = 64 << 20
LBA_4096 = {"logical_block_size": 4096, "physical_block_size": 4096}
ZONES = {"zoned": True, "zoned.zone_size": 4 << 20, "zoned.zone_capacity": 3 << 20}

# In the order of inside/test_namespaces.py.
NAMESPACES = [
    {"size": SIZE},
    {"size": SIZE} | LBA_4096,
    {"size": SIZE} | LBA_4096 | ZONES,
    {"size": SIZE, "ms": 8, "mset": 1},
    {"size": SIZE, "ms": 8, "mset": 1, "pi": 1, "pil": 1},
    {"size": SIZE, "ms": 8, "mset": 0},
    {"size": SIZE, "ms": 8, "mset": 0, "pi": 2},
    {"size": SIZE, "ms": 16, "mset": 0},
    {"size": SIZE, "ms": 16, "mset": 1, "pi": 3},
    {"size": SIZE, "ms": 16, "mset": 1, "pi": 1, "pif": 2} | LBA_4096,
]
# What nvme-cli transfers, as read() and write() do: bytes of data of an LBA, of metadata behind
# them and in a buffer of their own, PRINFO, and whether there is a reference tag; by nsid.
PRACT = 8
WITH_METADATA = {
    4: (512, 8, 0, 0, False),
    5: (512, 0, 0, PRACT, True),
    6: (512, 0, 8, 0, False),
    7: (512, 0, 0, PRACT, True),
    8: (512, 0, 16, 0, False),
    9: (512, 16, 0, PRACT, False),
    10: (4096, 0, 0, PRACT, True),
}


def transfer(guest, command, nsid, slba, data=()):
    """`nvme read` or `nvme write` of four LBAs; the data of each that was read. `data` has the byte
    that fills an LBA to write."""
    size, behind, apart, prinfo, tagged = WITH_METADATA[nsid]
    path, metadata = guest.share / f"{command}{nsid}", guest.share / f"{command}{nsid}.metadata"
    if data:
        path.write_bytes(b"".join(bytes([value]) * (size + behind) for value in data))
        metadata.write_bytes(bytes(range(4 * apart)))
    options = f"-s {slba} -c 3 -z {4 * (size + behind)} -d {path} -p {prinfo}"
    if apart:
        options += f" -y {4 * apart} -M {metadata}"
    if tagged:
        options += f" -r {slba}"
    guest.run(f"nvme {command} /dev/ng0n{nsid} {options}")
    got = path.read_bytes()
    return [got[at : at + size] for at in range(0, len(got), size + behind)]


@pytest.fixture(scope="module")
def results():
    drive = nvme("nvme0", None, NAMESPACES, addr="05.0")
    modules = ["nvme", "vfio_iommu_type1", "vfio-pci"]
    with Guest([drive], load=modules, hardware=Hardware(cpus=1)) as guest:
        address = guest.address(drive)
        guest.nvme_name(address)
        for nsid in WITH_METADATA:
            transfer(guest, "write", nsid, 3000, data=range(0x30, 0x34))
        guest.bind(address, "vfio-pci")
        results = guest.pytest("tests/vm/inside/test_namespaces.py", "--dut", address)
        guest.bind(address, "nvme")
        guest.nvme_name(address)
        read = {nsid: transfer(guest, "read", nsid, 4000) for nsid in WITH_METADATA}
        yield results, read


def test_namespaces_of_all_kinds(results):
    results[0].assert_passed(40)


@pytest.mark.parametrize("nsid", WITH_METADATA)
def test_nvme_cli_reads_what_pynvme_wrote(results, nsid):
    for number, lba in enumerate(results[1][nsid]):
        assert int.from_bytes(lba[:8], "little") == 4000 + number
        assert set(lba[8:-8]) == {0x40 + number}
