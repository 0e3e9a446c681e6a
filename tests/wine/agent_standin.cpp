// An ELF program with the agent's name, for the model of the VM: the script beside the test says what it does.
#include <cstdlib>
#include <string>
#include <vector>

#include <unistd.h>

int main(int count, char** values) {
    const char* model = std::getenv("MODEL");
    if (model == nullptr) return 99;
    const std::string script = std::string(model) + "/agent.sh";
    std::vector<char*> arguments{const_cast<char*>("sh"), const_cast<char*>(script.c_str())};
    arguments.insert(arguments.end(), values, values + count);
    arguments.push_back(nullptr);
    execv("/bin/sh", arguments.data());
    return 98;
}
