#pragma once

#include "vm-agent/health/daemon_settings.hpp"
#include "vm-agent/health/observations.hpp"

namespace eflow {

/// host.proxy-consistent: whether the services, the engine and edgeAgent go through the same proxy, and through one they
/// can use. identityd, and certd for EST, take HTTPS_PROXY, then https_proxy, of any scheme with a host, and heed no
/// NO_PROXY (http-common/src/proxy.rs:233 Intercept::All, :258); dockerd takes daemon.json's "proxies" before its
/// environment. Passwords are never shown.
[[nodiscard]] Finding judge_proxies(const Observations& seen, const DaemonSettings& engine);

}  // namespace eflow
