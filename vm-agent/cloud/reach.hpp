#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// Resolves `host`, connects to `port` and shakes hands in TLS, verifying the certificate for the name, under one
/// deadline (the resolver's own patience aside). `proxy` ("http://HOST:PORT" or "") is asked to connect when there is one.
ReachSeen reach(const std::string& host, const std::string& port, const std::string& proxy,
                std::chrono::milliseconds deadline);

/// The bundle of trusted roots of this machine: a statically linked OpenSSL carries its build machine's paths, so the
/// usual places are looked at. Empty when there is none.
std::string trusted_roots();

}  // namespace eflow
