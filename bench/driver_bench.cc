// What single parts of the driver's loop cost. The loop as a whole is pynvme_null_loop's.
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/histogram.h"
#include "base/rng.h"
#include "bench/null_function.h"
#include "driver/queue_pair.h"

namespace pynvme {
namespace {

void clock_now(benchmark::State& state) {
  const base::Clock& clock = base::Clock::real();
  for (auto _ : state) benchmark::DoNotOptimize(clock.now_ns());
}
BENCHMARK(clock_now);

void histogram_record(benchmark::State& state) {
  base::Histogram histogram;
  base::Rng rng(1);
  for (auto _ : state) histogram.record(rng.next() >> 44);
}
BENCHMARK(histogram_record);

void crc32c(benchmark::State& state) {
  const std::vector<uint8_t> data(static_cast<size_t>(state.range(0)), 0x5A);
  for (auto _ : state) benchmark::DoNotOptimize(base::crc32c(data.data(), data.size()));
}
BENCHMARK(crc32c)->Arg(512)->Arg(4096);

// One command's share of submit, ring and reap at the given depth; the device costs its part.
void queue_pair(benchmark::State& state) {
  bench::NullFunction function;
  const auto depth = static_cast<uint32_t>(state.range(0));
  const auto rings = function.add_queue(depth + 1);
  driver::QueuePair pair(rings.sq, rings.cq, base::Clock::real());
  spec::Sqe sqe{};
  sqe.opcode = 2;
  uint64_t latency_sum = 0;
  for (auto _ : state) {
    for (uint32_t i = 0; i < depth; ++i) pair.submit(sqe);
    pair.ring();
    pair.reap(depth, [&](uint16_t, const spec::Cqe&, uint64_t latency) { latency_sum += latency; });
  }
  benchmark::DoNotOptimize(latency_sum);
  state.SetItemsProcessed(state.iterations() * depth);
}
BENCHMARK(queue_pair)->Arg(1)->Arg(32)->Arg(128);

}  // namespace
}  // namespace pynvme
