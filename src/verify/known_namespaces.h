// All namespaces whose data this process follows, for forensics: data on the wrong namespace are
// recognised only there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "verify/integrity.h"

namespace pynvme::verify {

struct KnownNamespace {
  std::shared_ptr<Integrity> integrity;
  std::string device;
  uint32_t nsid = 1;
};

// It is forgotten when nobody else holds it. Any thread.
void announce(const std::shared_ptr<Integrity>& integrity, const std::string& device,
              uint32_t nsid);
std::vector<KnownNamespace> known_namespaces();

}  // namespace pynvme::verify
