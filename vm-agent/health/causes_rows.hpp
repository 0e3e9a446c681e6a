#pragma once

#include <span>

#include "vm-agent/health/causes.hpp"

namespace eflow {

/// The table of causes in the parts that its files hold, each in the order in which its rows are tried.
std::span<const Cause> causes_of_machine();
std::span<const Cause> causes_of_keys();
std::span<const Cause> causes_of_engine();
std::span<const Cause> causes_of_tls();
std::span<const Cause> causes_of_cloud();
std::span<const Cause> causes_of_network();

/// Rows of one kind differ in words, not in whose fault it is and what follows of it.
constexpr Cause by_network(Cause row) {
    row.fault = Fault::network;
    row.consequence = Consequence::tries_again;
    return row;
}
constexpr Cause by_machine(Cause row) {
    row.fault = Fault::machine;
    row.consequence = Consequence::local;
    return row;
}
constexpr Cause refused_by(Fault whose, Cause row) {
    row.fault = whose;
    row.consequence = Consequence::refused;
    return row;
}
constexpr Cause passing(Fault whose, Cause row) {
    row.fault = whose;
    row.consequence = Consequence::tries_again;
    return row;
}
/// Says nothing by itself.
constexpr Cause consequence_of_another(Cause row) {
    row.consequence = Consequence::follows;
    return row;
}

}  // namespace eflow
