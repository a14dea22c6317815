"""Scripts as they are written today: keyword options, `with` workers and their outputs, completions
as tuples, an init function of the script's own, psd, several controllers."""

import json
import logging
import time

import pytest

import nvme as d
from nvme import Buffer, Controller, Namespace, Pcie, Qpair, Subsystem
from psd import CQE, IOCQ, IOSQ, PRP, SQE, PRPList


@pytest.fixture
def other():
    ssd = d.Ssd("07:00.0", capacity="2GiB", lba=4096, model="the other one")
    yield b"07:00.0"
    ssd.unplug()


def test_completion_as_tuple(nvme0: Controller, nvme0n1: Namespace, qpair: Qpair):
    cpls = []
    buf = Buffer(4096, "data", pvalue=100, ptype=0xBEEF)
    nvme0n1.write(qpair, buf, 0, 8, cb=lambda cpl: cpls.append(cpl)).waitdone()
    nvme0.getfeatures(7, cb=lambda cpl: cpls.append(cpl)).waitdone()
    assert [len(cpl) for cpl in cpls] == [4, 4]
    assert cpls[0][2] >> 16 == qpair.sqid
    assert cpls[0][3] & 0xFFFF == qpair.latest_cid
    assert cpls[0][3] >> 17 == 0
    assert qpair.latest_latency > 0
    assert nvme0.latest_latency > 0
    assert cpls[1][0] == 0xF000F


def test_patterns():
    assert Buffer(512, pvalue=0, ptype=0)[:] == bytes(512)
    assert Buffer(512, pvalue=1, ptype=0)[:] == b"\xff" * 512
    assert Buffer(16, pvalue=0x12345678, ptype=32)[0:8] == b"\x78\x56\x34\x12" * 2
    half = Buffer(100000, pvalue=50, ptype=0xBEEF)[:]
    assert 0.45 < half.count(0) / 100000 < 0.55
    buf = Buffer(4096)
    memoryview(buf)[0:4] = b"abcd"
    assert buf[0:4] == b"abcd"
    buf.size = 512
    buf.offset = 256
    assert buf.phys_addr % 4096 == 256


def test_init_function(pciaddr, pcie):
    seen = []

    def init(nvme0):
        nvme0[0x14] = 0
        while nvme0[0x1C] & 1:
            pass
        nvme0.init_adminq()
        nvme0[0x14] = 0x00460000
        nvme0[0x14] = 0x00460001
        while not nvme0[0x1C] & 1:
            time.sleep(0.001)
        nvme0.identify(Buffer(4096)).waitdone()
        nvme0.init_ns()
        nvme0.init_queues(nvme0.setfeatures(7, cdw11=0x00030003).waitdone())
        seen.append(nvme0[0x1C])

    nvme0 = Controller(pcie, nvme_init_func=init)
    assert seen == [1]
    nvme0n1 = Namespace(nvme0, 1)
    q = Qpair(nvme0, 16)
    nvme0n1.write(q, Buffer(512), 0).waitdone()
    q.delete()
    nvme0n1.close()
    nvme0.reset()
    assert seen == [1, 1]


def test_outputs_of_a_worker(nvme0n1: Namespace):
    seconds, latency = [], dict.fromkeys([50, 90, 99, 99.9])
    cmdlog = [None] * 100
    mix = {2: 60, 1: 30, 0: 10}
    start = time.monotonic()
    with nvme0n1.ioworker(io_size={8: 3, 16: 1}, lba_align=[8, 16], lba_random=50,
                          op_percentage=mix, time=2, qdepth=32,
                          region_end=1 << 20,
                          output_io_per_second=seconds,
                          output_percentile_latency=latency,
                          output_cmdlog_list=cmdlog) as w:  # fmt: skip
        assert w.running or time.monotonic() - start >= 2
    assert not w.running
    r = w.close()
    assert r.error == 0
    assert len(seconds) == 2
    assert latency[50] <= latency[90] <= latency[99] <= latency[99.9]
    total = sum(mix.values())
    assert len(sent := [entry for entry in cmdlog if entry is not None]) == min(total, 100)
    assert all(opcode in (0, 1, 2) for slba, nlb, opcode in sent)
    assert r.io_count_nonread >= r.io_count_write
    assert total == r.io_count_read + r.io_count_nonread
    assert abs(mix[2] - 0.6 * total) < 10  # exact whenever ten were sent
    assert r.latency_max_us >= r.latency_average_us
    assert r.iops_consistency is not None
    assert r.latency_distribution is not None
    assert 0 <= r.cpu_usage
    json.dumps(dict(r))


def test_sequence_and_region(nvme0n1: Namespace, qpair):
    sequence = [(i * 1000, 1 if i % 2 else 2, i * 8, 8) for i in range(20)]
    log = [None] * 20
    r = nvme0n1.ioworker(io_sequence=sequence, output_cmdlog_list=log).start().close()
    assert r.io_count_write == 10
    assert log == [(slba, nlb, op) for _, op, slba, nlb in sequence]
    r = nvme0n1.ioworker(io_size=8, lba_random=False, read_percentage=0,
                         region_start=256, region_end=1256).start().close()  # fmt: skip
    assert r.io_count_write == 125


def test_jedec(nvme0n1: Namespace):
    distribution = [1000] * 5 + [200] * 15 + [25] * 80
    iosz_distribution = {1: 4, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1,
                         8: 67, 16: 10, 32: 7, 64: 3, 128: 3}  # fmt: skip
    r = nvme0n1.ioworker(io_size=iosz_distribution, lba_random=True, qdepth=32,
                         distribution=distribution, read_percentage=0,
                         ptype=0xBEEF, pvalue=100, time=1).start().close()  # fmt: skip
    assert r.error == 0


def test_verify_finds_raw_writes(nvme0n1: Namespace, qpair, verify):
    assert verify
    buf = Buffer(512)
    nvme0n1.write(qpair, buf, 5).waitdone()
    assert buf.data(7, 0) == 5
    nvme0n1.read(qpair, buf, 5).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 07/81"):
        nvme0n1.send_cmd(1, qpair, Buffer(512), cdw10=5).waitdone()
        nvme0n1.read(qpair, buf, 5).waitdone()
    assert nvme0n1.verify_enable(False)


def test_worker_errors(nvme0n1: Namespace):
    with pytest.warns(UserWarning, match="ioworker host ERROR -2: io_size is larger than MDTS"):
        assert nvme0n1.ioworker(io_size=257, io_count=1).start().close().error == -2
    with pytest.warns(UserWarning, match="ioworker device respond an ERROR status: 00/80"):
        nvme0n1.ioworker(io_sequence=[(0, 2, 1 << 40, 1)]).start().close()
    with pytest.raises(AssertionError):
        nvme0n1.ioworker(op_percentage={2: 50})


def test_several_controllers(nvme0: Controller, nvme0n1, other):
    nvme1 = Controller(other)
    nvme1n1 = Namespace(nvme1)
    for n in (nvme0, nvme1):
        logging.info("model number: %s", n.id_data(63, 24, str))
    assert nvme1.id_data(63, 24, str).strip() == "the other one"
    with nvme0n1.ioworker(io_size=8, lba_align=16, lba_random=True, qdepth=16,
                          read_percentage=0, io_count=500), \
         nvme1n1.ioworker(io_size=1, lba_align=2, lba_random=True, qdepth=16,
                          read_percentage=0, io_count=500):  # fmt: skip
        pass
    nvme1n1.close()


def test_all_resets(pcie: Pcie, nvme0: Controller, nvme0n1: Namespace, subsystem: Subsystem):
    data, back = Buffer(512, ptype=32, pvalue=0xC0FFEE), Buffer(512)
    q = Qpair(nvme0, 8)
    nvme0n1.write(q, data, 7).waitdone()
    nvme0n1.flush(q).waitdone()
    q.delete()
    for reset in (
        pcie.reset,
        pcie.flr,
        subsystem.reset,
        nvme0.reset,
        lambda: subsystem.power_cycle(1),
    ):
        reset()
        nvme0.reset()
        q = Qpair(nvme0, 8)
        nvme0n1.read(q, back, 7).waitdone()
        assert back[:] == data[:]
        q.delete()
    pcie.aspm = 2
    assert pcie.aspm == 2
    pcie.power_state = 3
    assert pcie.power_state == 3
    pcie.power_state = 0
    pcie.aspm = 0
    nvme0.reset()


def test_power_callbacks(nvme0: Controller):
    calls = []
    s = Subsystem(
        nvme0, poweron_cb=lambda: calls.append("on"), poweroff_cb=lambda: calls.append("off")
    )
    s.poweroff()
    s.poweron()
    assert calls == ["off", "on"]
    nvme0.reset()


def test_psd_two_sq_one_cq(nvme0: Controller):
    cq = IOCQ(nvme0, 1, 10, PRP())
    sq1 = IOSQ(nvme0, 1, 10, PRP(), cqid=1)
    sq2 = IOSQ(nvme0, 2, 16, PRP(), cqid=1)
    write_cmd = SQE(1, 1)
    write_cmd.prp1 = PRP(ptype=32, pvalue=0xABCD)
    prp_list = PRPList()
    for i in range(3):
        prp_list[i] = PRP()
    write_cmd.prp2 = prp_list
    write_cmd[10] = 0
    write_cmd[12] = 31
    write_cmd.cid = 123
    sq1[0] = write_cmd
    write_cmd.cid = 567
    sq2[0] = write_cmd
    sq2.tail = 1
    time.sleep(0.1)
    sq1.tail = 1
    while CQE(cq[1]).p == 0:
        pass
    cqe = CQE(cq[0])
    assert (cqe.sqid, cqe.sqhd, cqe.cid, cqe.status) == (2, 1, 567, 0)
    cqe = CQE(cq[1])
    assert (cqe.sqid, cqe.sqhd, cqe.cid) == (1, 1, 123)
    cq.head = 2
    sq1.delete()
    sq2.delete()
    cq.delete()


def test_psd_bad_doorbell(nvme0: Controller):
    cq = IOCQ(nvme0, 4, 8, PRP())
    sq = IOSQ(nvme0, 4, 8, PRP(), cqid=4)
    events = []
    nvme0.aer(cb=lambda cdw0, status1: events.append(cdw0))
    with pytest.warns(UserWarning, match="AER notification is triggered: 0x10100"):
        sq.tail = 8
        deadline = time.monotonic() + 60
        while not events and time.monotonic() < deadline:
            nvme0.getfeatures(7).waitdone()
    assert events == [0x010100]
    nvme0.getlogpage(1, Buffer(512), 64).waitdone()
    sq.delete()
    cq.delete()


def test_namespace_data(nvme0: Controller, nvme0n1: Namespace):
    assert nvme0n1.nsid == 1
    assert nvme0n1.id_data(7, 0) == nvme0n1.capacity
    assert nvme0n1.supports(2)
    assert not nvme0n1.supports(0x7F)
    assert nvme0n1.cmdname(9) == "Dataset Management"
    assert nvme0.cmdname(6) == "Identify"
    assert nvme0.id_data(0, cns=3, nsid=1) in (1, 2, 3)


def test_same_seed_same_numbers(nvme0n1: Namespace):
    logs = []
    for _ in range(2):
        d.srand(0x58E7F337)
        log = [None] * 50
        nvme0n1.ioworker(io_size={1: 2, 8: 8}, io_count=50, qdepth=1,
                         output_cmdlog_list=log).start().close()  # fmt: skip
        logs.append(log)
    assert logs[0] == logs[1]
