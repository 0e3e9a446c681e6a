// Writes the manual pages and the bash completion into a folder: part of the build.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "vm-agent/cli/documents.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "eflow-agent-docs FOLDER\n";
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    const auto write = [&](const std::filesystem::path& path, const std::string& text) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
        return static_cast<bool>(std::ifstream(path));
    };
    bool written = write(folder / "eflow-agent.bash", eflow::bash_completion());
    for (const auto& [name, text] : eflow::manual_pages()) written = write(folder / "man1" / name, text) && written;
    return written ? 0 : 1;
}
