#include "host-shim/cmdlet_failures.hpp"

#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "host-shim/module.hpp"
#include "host-shim/powershell.hpp"
#include "tests/unit/host-shim/fake_host.hpp"

namespace eflow {
namespace {

struct Met {
    const char* words;
    Trouble trouble;
    const char* remedy_names;  ///< a part of what the remedy says
};

// What Microsoft's page lists and what people reported, each in the words of the module.
const std::vector<Met>& met() {
    static const std::vector<Met> all{
        {"Signer is not trusted", Trouble::signature, "TrustedPublisher"},
        {"Signature is not valid (file: C:\\x.vhdx, signature status: UnknownError)", Trouble::signature, "Import-Certificate"},
        {"Signature is missing (file: C:\\x.psm1)!", Trouble::signature, "Microsoft's own"},
        {"could not track signature to the microsoft root certificate", Trouble::signature, "certutil.exe"},
        {"Could not trace the signature to the Microsoft Root", Trouble::signature, "certutil.exe"},
        {"HNS API version 9.1 doesn't meet minimum version", Trouble::windows, "cumulative updates"},
        {"This Windows device does not meet the minimum requirements for Azure EFLOW.", Trouble::windows, "17763"},
        {"Can\xe2\x80\x99t find WSSDAGENT service!", Trouble::wssdagent, "Restart-Service -Name wssdagent"},
        {"WssdAgent is unreachable, update has failed.", Trouble::wssdagent, "wssdagent.log"},
        {"wssdagent unreachable, please retry...", Trouble::wssdagent, "Restart-Service"},
        {"Failed to start service 'wssdagent'", Trouble::wssdagent, "Restart-Service"},
        {"nodectl.exe security login failed to execute [Error: rpc error: code = Unavailable desc = transport is closing]",
         Trouble::wssdagent, "wssdagent.log"},
        {"Expected image 'C:\\VHDX\\a.vhdx' is missing", Trouble::wssdagent, "MSI"},
        {"Creating storage vhd (file: AzureIoTEdgeForLinux-v1-EFLOW) failed", Trouble::wssdagent, "Get-PSDrive"},
        {"Virtual machine configuration could not be retrieved from wssdagent", Trouble::wssdagent, "uninstall"},
        {"Could not find a part of the path 'C:\\Program Files\\Azure IoT Edge\\LICENSE\\Terms.rtf'. (L402)",
         Trouble::wssdagent, "uninstall"},
        {"Installation of Hyper-V, Hyper-V Management PowerShell or OpenSSH failed. Please install manually and restart "
         "deployment. Aborting...",
         Trouble::windows, "Enable-WindowsOptionalFeature"},
        {"Unsupported: Required feature 'Microsoft-Hyper-V-Hypervisor' is not available in this Windows edition.",
         Trouble::windows, "Install-WindowsFeature -Name Hyper-V"},
        {"'Microsoft-Hyper-V' could not be enabled. Please add 'Microsoft-Hyper-V' optional feature in settings and restart "
         "the deployment.",
         Trouble::windows, "DISM.exe"},
        {"The virtual machine could not be started because a required feature is not installed. (0x80370102)",
         Trouble::windows, "Microsoft-Hyper-V"},
        {"'OpenSSH.Client' could not be enabled. Please add 'OpenSSH.Client' optional feature in settings", Trouble::windows,
         "Add-WindowsCapability"},
        {"The term 'ssh.exe' is not recognized as the name of a cmdlet", Trouble::windows, "OpenSSH.Client"},
        {"Hyper-V properties indicate the Hyper-V component is not functional (property "
         "HyperVRequirementVirtualizationFirmwareEnabled is false)",
         Trouble::windows, "BIOS"},
        {"Hyper-V core services not running (vmms, vmcompute, hvhost). Ensure Hyper-V is configured properly",
         Trouble::windows, "bcdedit.exe"},
        {"nodectl.exe compute virtualmachine create failed to execute [Error: rpc error: code = Unknown desc = Unable to "
         "Start HCS VM: Start 1: The data is invalid.]",
         Trouble::windows, "nest"},
        {"An existing virtual machine was detected. To redeploy the virtual machine, please uninstall and re-install EFLOW.",
         Trouble::earlier_deployment, "uninstall Azure IoT Edge"},
        {"Virtual machine 'A-EFLOW' already exists. You much remove 'A-EFLOW' virtual machine first.",
         Trouble::earlier_deployment, "Remove the old installation"},
        {"Unsupported: Device not clean, Azure IoT Edge for Linux on Windows components detected (Azure IoT Edge PS module)",
         Trouble::earlier_deployment, "--deploy"},
        {"nodectl.exe compute vm show --name A-EFLOW -o json failed to execute [Error: rpc error: code = NotFound desc = "
         "[Store] unable to filter entity from store: Not Found] at line 3689",
         Trouble::earlier_deployment, "--deploy"},
        {"Error: More than one virtual machine found", Trouble::earlier_deployment, "uninstall"},
        {"Error: Virtual machine creation failed!", Trouble::wssdagent, "wssdagent.log"},
        {"Unable to create virtual machine. (L1189)", Trouble::wssdagent, "wssdagent.log"},
        {"Not enough memory available.", Trouble::resources, "memory_mb"},
        {"'A-EFLOW' could not initialize memory: Ran out of memory (0x8007000E).", Trouble::resources, "FreePhysicalMemory"},
        {"'A-EFLOW' failed to start.\r\nNicht genug Speicher (0x8007000E)", Trouble::resources, "Set-EflowVM -memoryInMB"},
        {"Not enough CPU cores available.", Trouble::resources, "cpu in [host.deploy]"},
        {"Not enough disk space is available on drive 'C'.", Trouble::resources, "Get-PSDrive"},
        {"Installation of virtual switch failed", Trouble::network, "Get-VMSwitch"},
        {"The virtual switch 'EFLOW' of type 'External' is not found", Trouble::network, "New-VMSwitch"},
        {"The virtual switch 'EFLOW' of type 'Internal' is not supported on current host OS", Trouble::network, "Server"},
        {"Found multiple VMMS switches with name 'EFLOW' of type 'Internal'", Trouble::network, "Rename-VMSwitch"},
        {"No adapters associated with the switch 'EFLOW' are found.", Trouble::network, "Get-VMSwitch"},
        {"Network 'EFLOW' does not exist", Trouble::network, "Get-VMSwitch"},
        {"Cannot set Static IP on ICS type virtual switch (Default Switch)", Trouble::network, "Leave address"},
        {"ip4Address & ip4PrefixLength are required for StaticIP!", Trouble::network, "prefix_length"},
        {"10.0.0.300 is not a valid IP4 address", Trouble::network, "dns_servers"},
        {"Failed to acquire IP address for virtual machine", Trouble::network, "[host.deploy.network]"},
        {"Failed to acquire MAC address for virtual machine", Trouble::network, "DHCP"},
        {"Could not retrieve IP address for virtual machine", Trouble::network, "DHCP"},
        {"Virtual machine name could not be retrieved, failed to get IP/MAC address", Trouble::network, "DHCP"},
        {"Unable to obtain host routing. Connectivity test to 10.0.0.2 failed.", Trouble::network, "gateway"},
        {"wssdagent does not have the expected vnet resource provisioned.", Trouble::network, "switch"},
        {"'A-EFLOW' failed to add device 'Synthetic Ethernet Port'.", Trouble::network, "antivirus"},
        {"Unable to connect virtual machine with SSH. Aborting..", Trouble::unreachable, "Get-NetNat"},
        {"ssh: connect to host 172.25.78.57 port 22: Connection timed out", Trouble::unreachable, "Get-EflowVmAddr"},
        {"Host key verification failed.", Trouble::unreachable, "Start-EflowVm"},
        {"ERROR: 0x80072741", Trouble::unreachable, "Get-EflowVmAddr"},
        {"Received disconnect: Too many authentication failures", Trouble::access_denied, "ssh-agent"},
        {"Virtual machine name could not be retrieved from wssdagent", Trouble::access_denied, "Deploy-Eflow"},
        {"rpc error: transport: authentication handshake failed: x509", Trouble::certificate_expired, "updateWssdCert.ps1"},
        {"Unexpected return from 'sudo iotedge list'", Trouble::unreachable, "eflow-shim verify"},
        {"Unexpected return stats from virtual machine", Trouble::unreachable, "Connect-EflowVm"},
        {"Scope ID for DpsTpm provisioning not specified", Trouble::parameters, "Update EFLOW"},
        {"Certificate and private key file for ManualX509 provisioning not found", Trouble::parameters, "Update EFLOW"},
        {"A parameter cannot be found that matches parameter name 'identityPrivateKey'.", Trouble::parameters, "Get-Command"},
        {"Action aborted by user", Trouble::parameters, "--accept-eula"},
        {"Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.",
         Trouble::parameters, "by hand"},
        {"TPM 2.0 is required to enable DpsTpm", Trouble::windows, "Get-Tpm"},
        {"TPM provisioning information not available!", Trouble::windows, "EFLOWProxy"},
        {"Unsupported DDA Type: NVIDIA X", Trouble::windows, "GPU"},
        {"Requested GPU configuration cannot be supported by Host", Trouble::windows, "GPU"},
        {"Access is denied", Trouble::windows, "Run as administrator"},
    };
    return all;
}

TEST(CmdletFailures, EachThatPeopleMeetIsNamedWithWhatToDo) {
    for (const auto& one : met()) {
        const Called called = FakeHost::error(one.words, "Id");
        EXPECT_EQ(trouble_of(called), one.trouble) << one.words;
        const Finding finding = explain("shim.x", "It failed", called);
        EXPECT_NE(finding.remedy.find(one.remedy_names), std::string::npos) << one.words << "\n" << finding.remedy;
        EXPECT_NE(finding.detail.find("[Id]"), std::string::npos);
    }
}

TEST(CmdletFailures, EveryRowIsMetAndHasItsWords) {
    std::set<const CmdletFailure*> seen;
    for (const auto& one : met()) seen.insert(recognise(FakeHost::error(one.words)));
    for (const char* words :
         {"UnauthorizedAccess,Microsoft.PowerShell.Commands.ImportModuleCommand", "previously provisioned",
          "registration ID, and symmetric key may not be specified", "scp: /home/x: Permission denied",
          "Virtual machine does not exist, deploy it first", "Cannot process request, EFLOW VM is OFF!",
          "Permission denied (publickey).", "Failed to provision", "The VM failed to start",
          "CommandNotFoundException"})
        seen.insert(recognise(FakeHost::error(words)));
    for (const auto& row : cmdlet_failures()) {
        EXPECT_EQ(seen.count(&row), 1U) << row.cause;
        for (const char c : row.words) EXPECT_FALSE(c >= 'A' && c <= 'Z') << row.words;
        EXPECT_TRUE(agent_completes(row.trouble) || *row.remedy != '\0') << row.cause;
    }
}

TEST(CmdletFailures, TheErrorGoesBeforeWhatWentWell) {
    Called called = FakeHost::error("Signer is not trusted");
    called.said = {"Checking host for required features", " - Checking the status of 'OpenSSH.Client*'",
                   " - A minimum of 8192 MB memory is required", " - The virtual switch 'Default Switch' of type 'Internal' is "
                   "already present"};
    EXPECT_EQ(trouble_of(called), Trouble::signature);
    // A bare word of the module's own, and the reason before it.
    called = FakeHost::error("Failed to provision");
    called.said = {"scp: /home/iotedge-user/certs/x.pem: Permission denied"};
    EXPECT_EQ(trouble_of(called), Trouble::leftover_files);
    called.said = {" - Checking host for required features", "The virtual switch 'x' of type 'Internal' is already present"};
    EXPECT_EQ(trouble_of(called), Trouble::not_provisioned);
    // Two lines are not one.
    EXPECT_EQ(trouble_of(FakeHost::error("scp: x\nPermission denied")), Trouble::other);
    // An id that only resembles the execution policy's.
    EXPECT_EQ(trouble_of(FakeHost::error("no", "RemoveFileSystemItemUnAuthorizedAccess,Microsoft.PowerShell")), Trouble::other);
    EXPECT_EQ(trouble_of(FakeHost::error("no", "UnauthorizedAccess")), Trouble::policy);
}

TEST(CmdletFailures, AnExceptionThatTheModuleCaughtItselfIsAFailure) {
    const auto called = called_from({{"output", nlohmann::json::array()},
                                     {"said", {"Deploying", "[11/27/2026] Exception caught!!!", " - Signer is not trusted"}},
                                     {"error", nullptr}});
    ASSERT_TRUE(called.failed());
    EXPECT_EQ(called.error->message, "Signer is not trusted");
    EXPECT_EQ(trouble_of(called), Trouble::signature);
    EXPECT_FALSE(called_from({{"output", {"OK"}}, {"said", {"Exception caught!!!", " - cleaned up"}}}).failed());
}

TEST(CmdletFailures, AnUnknownOneSaysThatItIs) {
    const Finding finding = explain("shim.x", "It failed", FakeHost::error("no luck", "Id"));
    EXPECT_NE(finding.remedy.find("not known"), std::string::npos);
    EXPECT_NE(finding.detail.find("no luck [Id]"), std::string::npos);
}

TEST(CmdletFailures, RemediesNameCommandsThatExist) {
    // Windows' own, Hyper-V's and the EFLOW module's, by their documentation.
    const std::set<std::string> known{
        "Add-WindowsCapability", "Connect-EflowVm", "Deploy-Eflow", "Enable-WindowsOptionalFeature",
        "Get-AuthenticodeSignature", "Get-CimInstance", "Get-Command", "Get-ComputerInfo", "Get-EflowHostConfiguration",
        "Get-EflowLogs", "Get-EflowVm", "Get-EflowVmAddr", "Get-NetNat", "Get-PSDrive", "Get-Service", "Get-Tpm", "Get-VM",
        "Get-VMSwitch", "Import-Certificate", "Install-WindowsFeature", "Microsoft-Hyper", "Invoke-EflowVmCommand", "New-VMSwitch",
        "Provision-EflowVm", "Rename-VMSwitch", "Restart-Service", "Select-Object", "Set-EflowVM", "Set-EflowVmFeature",
        "Set-ExecutionPolicy", "Set-VMProcessor", "Start-EflowVm", "Stop-EflowVm", "Stop-Service", "Test-NetConnection"};
    const std::regex cmdlet(R"((?:^|[^A-Za-z/:-])([A-Z][a-z]+-[A-Z][A-Za-z]+)\b)");
    for (const auto& row : cmdlet_failures()) {
        const std::string remedy = row.remedy;
        for (std::sregex_iterator at(remedy.begin(), remedy.end(), cmdlet), end; at != end; ++at)
            EXPECT_EQ(known.count((*at)[1].str()), 1U) << (*at)[1].str();
    }
}

}  // namespace
}  // namespace eflow
