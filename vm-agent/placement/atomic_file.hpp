#pragma once

#include <string>
#include <string_view>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// Owner and mode by number, as they go onto a descriptor.
struct NumericAccess {
    unsigned uid = 0;
    unsigned gid = 0;
    unsigned mode = 0;
};

/// Sets owner and mode on a descriptor; chown only where it changes something, so that an own folder needs no root.
void set_access(int descriptor, const NumericAccess& access, std::string_view shown);

/// Fills a new file under the filling name of `name`: exclusive, 0600, then bytes, owner, mode, fsync. A left-over of
/// an earlier run under that name goes first. The file has no other name until `rename_filled`.
void fill(const Descriptor& folder, const std::string& name, std::string_view bytes, const NumericAccess& access,
          std::string_view shown);
/// Gives the filled file its name, atomically replacing what stood there.
void rename_filled(const Descriptor& folder, const std::string& name, std::string_view shown);
/// Makes the names in `folder` durable.
void sync_folder(const Descriptor& folder, std::string_view shown);
/// Removes a name; that it is not there is fine. Returns whether it was.
bool remove_name(const Descriptor& folder, const std::string& name, std::string_view shown);

}  // namespace eflow
