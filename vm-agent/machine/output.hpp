#pragma once

#include <string>
#include <vector>

#include "shared/secret.hpp"

namespace eflow {

/// A file to be made where the user asked for it.
struct OutputFile {
    std::string path;
    SecretBytes contents;
    unsigned mode = 0644;
};

/// Writes all files or none, durable; makes missing folders (0755). Never overwrites: an existing path, a link too, is
/// a Failure(refused) before anything is written, and a file that appears meanwhile is left alone.
void write_new(const std::vector<OutputFile>& files);

}  // namespace eflow
