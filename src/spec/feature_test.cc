// Feature fields against dwords and bytes written from NVMe Base 2.0 §5.27.1.
#include "spec/feature.h"

#include <gtest/gtest.h>

#include "spec/log.h"
#include "spec/wire_bytes.h"

namespace pynvme::spec {
namespace {

TEST(Feature, CommandFields) {
  EXPECT_EQ(feature_fid(0x80000206), fid::kVolatileWriteCache);
  EXPECT_EQ(feature_sel(0x00000206), static_cast<uint8_t>(Sel::kSaved));
  EXPECT_EQ(feature_sel(0x00000306), static_cast<uint8_t>(Sel::kSupportedCapabilities));
  EXPECT_TRUE(feature_sv(0x80000006));
  EXPECT_FALSE(feature_sv(0x00000006));
  EXPECT_EQ(kFeatureSv, 0x80000000u);
  EXPECT_EQ(kFeatureCapSaveable | kFeatureCapNamespaceSpecific | kFeatureCapChangeable, 7u);
}

TEST(Feature, Identifiers) {
  EXPECT_EQ(fid::kArbitration, 0x01);
  EXPECT_EQ(fid::kAsyncEventConfig, 0x0B);
  EXPECT_EQ(fid::kAutonomousPowerStateTransition, 0x0C);
  EXPECT_EQ(fid::kHostMemoryBuffer, 0x0D);
  EXPECT_EQ(fid::kTimestamp, 0x0E);
  EXPECT_EQ(fid::kKeepAliveTimer, 0x0F);
  EXPECT_EQ(fid::kHostControlledThermal, 0x10);
  EXPECT_EQ(fid::kNonOperationalPowerState, 0x11);
  EXPECT_EQ(fid::kHostBehavior, 0x16);
  EXPECT_EQ(fid::kIoCommandSetProfile, 0x19);
  EXPECT_EQ(fid::kSpinupControl, 0x1A);
  EXPECT_EQ(fid::kNamespaceWriteProtection, 0x84);
}

TEST(Feature, ControlDwords) {
  const ArbitrationFeature arbitration{0x04030207};
  EXPECT_EQ(arbitration.ab(), 7);
  EXPECT_EQ(arbitration.lpw(), 2);
  EXPECT_EQ(arbitration.mpw(), 3);
  EXPECT_EQ(arbitration.hpw(), 4);
  EXPECT_EQ(ArbitrationFeature::make(7, 2, 3, 4).value, 0x04030207u);

  EXPECT_EQ(PowerManagementFeature{0x43}.ps(), 3);
  EXPECT_EQ(PowerManagementFeature{0x43}.wh(), 2);
  EXPECT_EQ(PowerManagementFeature::make(3, 2).value, 0x43u);

  EXPECT_EQ(LbaRangeTypeFeature{0xFF}.num(), 63);

  const TemperatureThresholdFeature threshold{0x0018015D};  // under, sensor 8, 349 K
  EXPECT_EQ(threshold.tmpth(), 349);
  EXPECT_EQ(threshold.tmpsel(), 8);
  EXPECT_EQ(threshold.thsel(), TemperatureThresholdFeature::kUnderThreshold);
  EXPECT_EQ(TemperatureThresholdFeature::make(349, 8, 1).value, 0x0018015Du);

  EXPECT_EQ(ErrorRecoveryFeature{0x00010032}.tler(), 50);
  EXPECT_TRUE(ErrorRecoveryFeature{0x00010032}.dulbe());
  EXPECT_EQ(ErrorRecoveryFeature::make(50, true).value, 0x00010032u);

  EXPECT_TRUE(VolatileWriteCacheFeature{0x1}.wce());
  EXPECT_FALSE(VolatileWriteCacheFeature{0xFFFFFFFE}.wce());

  EXPECT_EQ(NumberOfQueuesFeature{0x000F0007}.nsq(), 7);
  EXPECT_EQ(NumberOfQueuesFeature{0x000F0007}.ncq(), 15);
  EXPECT_EQ(NumberOfQueuesFeature::make(7, 15).value, 0x000F0007u);

  EXPECT_EQ(InterruptCoalescingFeature{0x0A07}.thr(), 7);
  EXPECT_EQ(InterruptCoalescingFeature{0x0A07}.time(), 10);
  EXPECT_EQ(InterruptCoalescingFeature::make(7, 10).value, 0x0A07u);

  EXPECT_EQ(InterruptVectorConfigFeature{0x00010005}.iv(), 5);
  EXPECT_TRUE(InterruptVectorConfigFeature{0x00010005}.cd());
  EXPECT_EQ(InterruptVectorConfigFeature::make(5, true).value, 0x00010005u);

  EXPECT_TRUE(WriteAtomicityFeature{1}.dn());

  EXPECT_EQ(AsyncEventConfigFeature{0x0000031F}.smart(), 0x1F);
  EXPECT_EQ(AsyncEventConfigFeature::kNamespaceAttribute, 0x100u);
  EXPECT_EQ(AsyncEventConfigFeature::kFirmwareActivation, 0x200u);
  EXPECT_EQ(AsyncEventConfigFeature::kZoneDescriptor, 0x08000000u);

  EXPECT_TRUE(ApstFeature{1}.apste());
  EXPECT_TRUE(HostMemoryBufferFeature{1}.ehm());
  EXPECT_TRUE(HostMemoryBufferFeature{2}.mr());
  EXPECT_EQ(KeepAliveFeature{120000}.kato_ms(), 120000u);
  EXPECT_EQ(HostControlledThermalFeature{0x015D0161}.tmt1(), 0x15D);
  EXPECT_EQ(HostControlledThermalFeature{0x015D0161}.tmt2(), 0x161);
  EXPECT_EQ(HostControlledThermalFeature::make(0x15D, 0x161).value, 0x015D0161u);
  EXPECT_TRUE(NonOperationalPowerStateFeature{1}.noppme());
  EXPECT_EQ(read_recovery_level(0xF4), 4);
  EXPECT_EQ(LbaStatusReportIntervalFeature{0x00020001}.lsiri(), 1);
  EXPECT_EQ(LbaStatusReportIntervalFeature{0x00020001}.lsipi(), 2);
  EXPECT_TRUE(SanitizeConfigFeature{1}.nodrm());
  EXPECT_EQ(EnduranceGroupEventConfigFeature{0x000D0102}.endgid(), 0x102);
  EXPECT_EQ(EnduranceGroupEventConfigFeature{0x000D0102}.egcw(), 0x0D);
  EXPECT_EQ(IoCommandSetProfileFeature{0x3FF}.iocsci(), 0x1FF);
  EXPECT_TRUE(SpinupControlFeature{1}.spinupc());
  EXPECT_EQ(SoftwareProgressMarkerFeature{0x105}.pbslc(), 5);
  EXPECT_TRUE(HostIdentifierFeature{1}.exhid());
  EXPECT_TRUE(ReservationNotificationMaskFeature{0x2}.regpre());
  EXPECT_TRUE(ReservationNotificationMaskFeature{0x4}.resrel());
  EXPECT_TRUE(ReservationNotificationMaskFeature{0x8}.respre());
  EXPECT_TRUE(ReservationPersistenceFeature{1}.ptpl());
  EXPECT_EQ(NamespaceWriteProtectionFeature{2}.wps(),
            NamespaceWriteProtectionFeature::kUntilPowerCycle);
}

TEST(FeatureData, Timestamp) {
  // 2020-09-13 12:26:40 UTC is 1600000000000 ms = 174876E8000h; Synch 0, origin Set Features.
  const WireBytes bytes = WireBytes(8).put(0, {0x00, 0x80, 0x6E, 0x87, 0x74, 0x01}).put(6, {0x02});
  const auto timestamp = bytes.as<Timestamp>();
  EXPECT_EQ(timestamp.milliseconds(), 1600000000000u);
  EXPECT_FALSE(timestamp.synch());
  EXPECT_EQ(timestamp.origin(), Timestamp::kOriginSetFeatures);
  Timestamp written{};
  written.set_milliseconds(1600000000000);
  written.attributes = Timestamp::kOriginSetFeatures << 1;
  EXPECT_EQ(WireBytes::of(written), bytes);
}

TEST(FeatureData, Structures) {
  // Power state 1: idle for 100 ms (64h), then to power state 4.
  const auto apst = WireBytes(256).put(8, {0x20, 0x64, 0x00, 0x00}).as<ApstTable>();
  EXPECT_EQ(apst.entry[1].itps(), 4);
  EXPECT_EQ(apst.entry[1].itpt_ms(), 100u);
  EXPECT_EQ(ApstEntry::make(4, 100).value, 0x6420u);

  const auto range = WireBytes(64)
                         .put(0, {0x02})         // Type
                         .put(1, {0x03})         // Attributes
                         .put(16, {0x11, 0x12})  // SLBA
                         .put(24, {0x13, 0x14})  // NLB
                         .put(32, {0x15})        // GUID 47:32
                         .put(47, {0x16})
                         .as<LbaRangeType>();
  EXPECT_EQ(range.type, 2);
  EXPECT_EQ(range.attributes, 3);
  EXPECT_EQ(range.slba, 0x1211u);
  EXPECT_EQ(range.nlb, 0x1413u);
  EXPECT_EQ(range.guid[0], 0x15);
  EXPECT_EQ(range.guid[15], 0x16);

  const auto behavior = WireBytes(512).put(0, {0x01, 0x02, 0x03}).as<HostBehaviorSupport>();
  EXPECT_EQ(behavior.acre, 1);
  EXPECT_EQ(behavior.etdas, 2);
  EXPECT_EQ(behavior.lbafee, 3);

  const auto memory = WireBytes(16)
                          .put(0, {0x00, 0x10, 0x00, 0x00, 0x01})  // BADD
                          .put(8, {0x40, 0x00})                    // BSIZE
                          .as<HostMemoryDescriptor>();
  EXPECT_EQ(memory.badd, 0x100001000u);
  EXPECT_EQ(memory.bsize, 0x40u);

  const auto attributes = WireBytes(4096)
                              .put(0, {0x01, 0, 0, 0, 0x02, 0, 0, 0, 0x03, 0, 0, 0, 0x04, 0, 0, 0})
                              .as<HostMemoryBufferAttributes>();
  EXPECT_EQ(attributes.hsize, 1u);
  EXPECT_EQ(attributes.hmdlal, 2u);
  EXPECT_EQ(attributes.hmdlau, 3u);
  EXPECT_EQ(attributes.hmdlec, 4u);
}

}  // namespace
}  // namespace pynvme::spec
